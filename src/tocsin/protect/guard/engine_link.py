"""The guard's way to the engine: the host there is now, and those that still owe answers."""

from __future__ import annotations

import selectors
from collections.abc import Callable

from tocsin.engine.host_port import ScanPort
from tocsin.engine.report import Report
from tocsin.errors import HostGone, ScanError

Answered = Callable[[list[tuple[int, Report]]], None]
Lost = Callable[[list[int]], None]


class EngineLink:
    """Asks hosts, never waits.

    Args:
        selector: of the guard's loop; what it holds here are functions to call.

    Attributes:
        answered: called with answers.
        lost: called with the numbers of requests whose host has gone.
        generation: number of the database that is asked; 0 before the first.
        database: its identity.
    """

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self.answered: Answered = _nobody
        self.lost: Lost = _nobody
        self._port: ScanPort | None = None
        self._retiring: list[ScanPort] = []
        self._watching: ScanPort | None = None
        self.generation = 0
        self.database = ""

    @property
    def ready(self) -> bool:
        """Whether something may be asked now."""
        return self._port is not None and not self._port.wants_write()

    def attach(self, port: ScanPort, generation: int, database: str) -> None:
        """From now on ask this host."""
        self.hold()
        self._port = port
        self.generation = generation
        self.database = database
        self._selector.register(port.fileno(), selectors.EVENT_READ, lambda: self._hear(port))

    def hold(self) -> None:
        """Ask nothing more of the host there is; answers still come."""
        port, self._port = self._port, None
        if port is None:
            return
        unsent = [number for number in list(port.pending) if port.take_back(number)]
        self._unwatch(port)
        port.finish()
        self._retiring.append(port)
        if unsent:
            self.lost(unsent)

    def submit(self, number: int, name: str, descriptor: int) -> bool:
        """Have a file scanned.

        Returns:
            False when there is no host any more; the request is among the lost then.
        """
        port = self._port
        assert port is not None
        try:
            port.submit(number, name, descriptor)
        except HostGone:
            self._gone(port, [number])
            return False
        self._watch(port)
        return True

    def close(self) -> None:
        """Forget every host."""
        for port in [*self._retiring, *([self._port] if self._port is not None else [])]:
            self._drop(port)
        self._port = None
        self._retiring.clear()

    def _hear(self, port: ScanPort) -> None:
        try:
            answers = port.receive()
        except (HostGone, ScanError):
            self._gone(port)
            return
        if answers:
            self.answered(answers)

    def _flush(self, port: ScanPort) -> None:
        try:
            port.flush()
        except HostGone:
            self._gone(port)
            return
        if not port.wants_write():
            self._unwatch(port)

    def _watch(self, port: ScanPort) -> None:
        if port.wants_write() and self._watching is not port:
            self._watching = port
            self._selector.register(
                port.writable_fileno(), selectors.EVENT_WRITE, lambda: self._flush(port)
            )

    def _unwatch(self, port: ScanPort) -> None:
        if self._watching is port:
            self._watching = None
            self._selector.unregister(port.writable_fileno())

    def _gone(self, port: ScanPort, also: list[int] | None = None) -> None:
        """A host has ended: what it did not answer must be asked of another."""
        unanswered = sorted({*port.pending, *(also or ())})
        if port is self._port:
            self._port = None
        elif port in self._retiring:
            self._retiring.remove(port)
        self._drop(port)
        self.lost(unanswered)

    def _drop(self, port: ScanPort) -> None:
        self._unwatch(port)
        self._selector.unregister(port.fileno())
        port.close()


def _nobody(_what: object) -> None:
    """Hears before somebody does."""

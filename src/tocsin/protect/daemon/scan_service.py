"""The front's way to the engine: asks a host, and asks another when that one has gone.

What was asked and not answered is kept here, with its bytes, until there is an answer; so a
host can be replaced, or die, without anybody noticing more than a wait. An object that five
hosts ended with is given up as incomplete; it need not be to blame, for what waits is counted too.

Who asks little is not to wait for who asks much: requests wait by user, few are asked of the host
at a time, and what takes long gives way (`fair_queue`, `ScanService._look`).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from tocsin.engine.host_port import ScanPort
from tocsin.engine.jobs import lost
from tocsin.engine.report import Report, Verdict
from tocsin.errors import HostGone, ScanError
from tocsin.protect.daemon.fair_queue import FairQueue
from tocsin.protect.daemon.remembered import Remembered

MOST_TRIES = 5
SLOWEST_KEPT = 10

PATIENCE = 5.0
"""Seconds that somebody waits with nothing under way before another's longest gives way."""

MOST_YIELDS = 3
"""How often an object gives way before it is given up."""

_LOOK_EVERY = 1.0

LATENCY_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Seconds; upper bounds of the histogram's classes."""

_KEEP_SLOW_FOR = 3600.0


class Slow(NamedTuple):
    """An object that took long.

    Attributes:
        seconds: its scan took.
        name: what it is called.
        size: its bytes.
        at: when it was done, seconds since 1970.
    """

    seconds: float
    name: str
    size: int
    at: float


class Tally:
    """What was scanned so far.

    Attributes:
        objects: answers had.
        bytes: bytes of them.
        seconds: that their scans took.
        verdicts: answers by verdict.
        classes: answers by the time from request to answer, after `LATENCY_BOUNDS`.
        waited: sum of these times.
        slowest: the slowest of the last hour.
        hosts_lost: hosts that ended while something was asked of them.
    """

    def __init__(self) -> None:
        self.objects = 0
        self.bytes = 0
        self.seconds = 0.0
        self.verdicts: dict[str, int] = {verdict.value: 0 for verdict in Verdict}
        self.classes = [0] * (len(LATENCY_BOUNDS) + 1)
        self.waited = 0.0
        self.slowest: list[Slow] = []
        self.hosts_lost = 0

    def add(self, report: Report, waited: float) -> None:
        """Count one answer."""
        self.objects += 1
        self.bytes += report.size
        self.seconds += report.seconds
        self.verdicts[report.verdict.value] += 1
        self.waited += waited
        for place, bound in enumerate(LATENCY_BOUNDS):
            if waited <= bound:
                self.classes[place] += 1
                break
        else:
            self.classes[-1] += 1
        slowest = self.slowest
        if len(slowest) < SLOWEST_KEPT or report.seconds > slowest[-1].seconds:
            now = time.time()
            kept = [slow for slow in slowest if now - slow.at < _KEEP_SLOW_FOR]
            kept.append(Slow(report.seconds, report.path, report.size, now))
            self.slowest = sorted(kept, reverse=True)[:SLOWEST_KEPT]


class _Asked:
    """A request that has no answer yet."""

    __slots__ = (
        "all_matches",
        "asked_at",
        "data",
        "descriptor",
        "done",
        "mark",
        "name",
        "owner",
        "serial",
        "since",
        "tries",
        "yielded",
    )

    def __init__(
        self,
        owner: int,
        name: str,
        descriptor: int | None,
        data: bytes | None,
        all_matches: bool | None,
        done: Callable[[Report], None],
        mark: bytes,
    ) -> None:
        self.owner = owner
        self.name = name
        self.descriptor = descriptor
        self.data = data
        self.all_matches = all_matches
        self.done = done
        self.mark = mark
        self.since = time.monotonic()
        self.asked_at = 0.0  # when a host was asked; 0 while it waits
        self.serial = 0  # by which a host knows it; another each time that one is asked
        self.tries = 0
        self.yielded = 0


class ScanService:
    """Has objects scanned, one callback for each.

    Args:
        loop: the event loop this is used in.
        jobs: worker processes for what clients ask.
        most_remembered: clean contents that are not looked at again.

    Attributes:
        tally: what was scanned so far.
        remembered: contents that were clean with the database in use.
        generation: number of the database in use, counted by the supervisor; 0 before the first.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, jobs: int, most_remembered: int = 0
    ) -> None:
        self.remembered = Remembered(most_remembered)
        self._loop = loop
        self._jobs = jobs
        self._most_asked = jobs + 2  # so that no worker waits for the front
        self._timer: asyncio.TimerHandle | None = None
        self._port: ScanPort | None = None
        self._retiring: list[ScanPort] = []
        self._held = True
        self._asked: dict[int, _Asked] = {}
        self._queue = FairQueue()
        self._owned: Counter[int] = Counter()
        self._number = 0
        self._serial = 0
        self._serials: dict[int, int] = {}
        self._writing = False
        self.tally = Tally()
        self.generation = 0

    @property
    def pending(self) -> int:
        """Requests that have no answer yet."""
        return len(self._asked)

    @property
    def waiting(self) -> int:
        """Requests that no host was asked yet."""
        return len(self._queue)

    def pending_of(self, owner: int) -> int:
        """Requests of one owner that have no answer yet."""
        return self._owned[owner]

    @property
    def ready(self) -> bool:
        """Whether there is a host."""
        return self._port is not None and not self._held

    def scan(
        self,
        name: str,
        done: Callable[[Report], None],
        *,
        owner: int,
        descriptor: int | None = None,
        data: bytes | None = None,
        all_matches: bool | None = None,
        mark: bytes = b"",
    ) -> int:
        """Have an object scanned.

        Args:
            name: of the object.
            done: called once with the report, later, in the loop.
            owner: user who asks; -1 for who comes over a network.
            descriptor: what is read; this service closes it.
            data: a small object itself, instead.
            all_matches: report everything that matches, or the first.
            mark: what its content is known by; empty when that cannot be said.

        Returns:
            The request's number, for `cancel`.
        """
        self._number += 1
        number = self._number
        self._asked[number] = _Asked(owner, name, descriptor, data, all_matches, done, mark)
        self._owned[owner] += 1
        known = None if self._held else self.remembered.recall(mark, name)
        if known is not None:
            self._loop.call_soon(self._say_known, number, known)
            return number
        self._queue.add(owner, number)
        if not self._held:
            self._pump()
        if self._queue and self._timer is None:
            self._timer = self._loop.call_later(_LOOK_EVERY, self._look)
        return number

    def _say_known(self, number: int, report: Report) -> None:
        asked = self._forget(number)
        if asked is not None:
            self.tally.add(report, time.monotonic() - asked.since)
            asked.done(report)

    def cancel(self, number: int) -> None:
        """Nobody wants the answer any more: what was begun is stopped."""
        asked = self._asked.get(number)
        if asked is None:
            return
        self._take_back(number, asked)
        self._forget(number)
        self._pump()

    def hold(self) -> None:
        """Ask nothing more of the host there is; answers still come. `attach` goes on."""
        self._held = True
        self.remembered.clear()
        if self._port is not None:
            self._retiring.append(self._port)
            self._port.finish()
            self._port = None

    def attach(self, port: ScanPort, generation: int) -> None:
        """From now on ask this host."""
        if self._port is not None:
            self.hold()
        self.remembered.clear()
        self._port = port
        self._held = False
        self.generation = generation
        self._loop.add_reader(port.fileno(), self._hear, port)
        self._pump()

    def close(self) -> None:
        """Forget everything."""
        for port in [*self._retiring, *([self._port] if self._port is not None else [])]:
            self._drop(port)
        for asked in self._asked.values():
            _close(asked)
        if self._timer is not None:
            self._timer.cancel()
        self._asked.clear()
        self._owned.clear()
        self._serials.clear()
        self._queue.clear()

    def _take_back(self, number: int, asked: _Asked) -> None:
        """Have a request wait for nobody and be looked at by nobody."""
        if self._queue.remove(asked.owner, number):
            return
        for port in (*self._retiring, *([self._port] if self._port is not None else [])):
            if asked.serial in port.pending:
                port.withdraw(asked.serial)
        self._serials.pop(asked.serial, None)
        if asked.asked_at:
            asked.asked_at = 0.0
            self._queue.ended(asked.owner)

    def _look(self) -> None:
        """Where somebody waits for long and has nothing under way, another's longest gives way.

        What gave way waits again. After the third time it is given up, unless it is root's: it
        takes longer than others can wait.
        """
        self._timer = None
        if self._queue:
            self._timer = self._loop.call_later(_LOOK_EVERY, self._look)
        now = time.monotonic()
        waits = [owner for owner, number in self._queue.heads() if self._waited(number, now)]
        if not waits or self._held:
            return
        under_way = sorted(
            (asked.asked_at, number) for number, asked in self._asked.items() if asked.asked_at
        )
        running, ahead = under_way[: self._jobs], under_way[self._jobs :]
        long = [
            number
            for since, number in running
            if now - since > PATIENCE and self._asked[number].owner not in waits
        ]
        if not long:
            return
        for _, number in reversed(ahead):  # no worker has these yet
            self._take_back(number, self._asked[number])
            self._queue.add(self._asked[number].owner, number, first=True)
        number = long[0]
        asked = self._asked[number]
        self._take_back(number, asked)
        asked.yielded += 1
        if asked.yielded > MOST_YIELDS and asked.owner != 0:
            self._forget(number)
            report = lost(asked.name, "it took longer than others could wait", now - asked.since)
            self.tally.add(report, now - asked.since)
            self._loop.call_soon(asked.done, report)
        else:
            self._queue.add(asked.owner, number)
        self._pump()

    def _waited(self, number: int, now: float) -> bool:
        return now - self._asked[number].since > PATIENCE

    def _pump(self) -> None:
        """Ask the host what waits."""
        port = self._port
        if port is None or self._held:
            return
        number = 0
        try:
            while self._queue and len(port.pending) < self._most_asked and not port.wants_write():
                number = self._queue.take()
                asked = self._asked[number]
                asked.tries += 1
                asked.asked_at = time.monotonic()
                self._serial += 1
                asked.serial = self._serial
                self._serials[asked.serial] = number
                port.submit(
                    asked.serial,
                    asked.name,
                    asked.descriptor,
                    asked.data,
                    all_matches=asked.all_matches,
                )
        except HostGone:
            self._wait_again(number)
            self._gone(port)
            return
        if port.wants_write() and not self._writing:
            self._writing = True
            self._loop.add_writer(port.writable_fileno(), self._flush, port)

    def _flush(self, port: ScanPort) -> None:
        try:
            port.flush()
        except HostGone:
            self._gone(port)
            return
        if not port.wants_write():
            self._loop.remove_writer(port.writable_fileno())
            self._writing = False
            if port is self._port:
                self._pump()

    def _hear(self, port: ScanPort) -> None:
        try:
            answers = port.receive()
        except (HostGone, ScanError):
            self._gone(port)
            return
        for serial, report in answers:
            asked = self._forget(self._serials.get(serial, 0))
            if asked is not None:
                self.tally.add(report, time.monotonic() - asked.since)
                if port is self._port:
                    self.remembered.keep(asked.mark, report)
                asked.done(report)
        if self._queue and port is self._port:
            self._pump()

    def _gone(self, port: ScanPort) -> None:
        """A host has ended: what it did not answer is asked of the next."""
        unanswered = sorted(
            self._serials[serial] for serial in port.pending if serial in self._serials
        )
        if unanswered:
            self.tally.hosts_lost += 1
        if port is self._port:
            self._port = None
            self._held = True
        elif port in self._retiring:
            self._retiring.remove(port)
        self._drop(port)
        for number in reversed(unanswered):
            asked = self._asked[number]
            if asked.tries >= MOST_TRIES:
                self._forget(number)
                report = lost(asked.name, f"the engine ended over it, {MOST_TRIES} times", 0.0)
                self.tally.add(report, time.monotonic() - asked.since)
                self._loop.call_soon(asked.done, report)
            else:
                self._wait_again(number)
        self._pump()

    def _wait_again(self, number: int) -> None:
        """A request that a host was asked and did not answer is the next of its owner's."""
        asked = self._asked[number]
        if asked.asked_at:
            asked.asked_at = 0.0
            self._serials.pop(asked.serial, None)
            self._queue.ended(asked.owner)
            self._queue.add(asked.owner, number, first=True)

    def _drop(self, port: ScanPort) -> None:
        self._loop.remove_reader(port.fileno())
        self._loop.remove_writer(port.writable_fileno())
        self._writing = False
        port.close()

    def _forget(self, number: int) -> _Asked | None:
        asked = self._asked.pop(number, None)
        if asked is not None:
            _close(asked)
            self._serials.pop(asked.serial, None)
            self._owned[asked.owner] -= 1
            if not self._owned[asked.owner]:
                del self._owned[asked.owner]
            if asked.asked_at:
                self._queue.ended(asked.owner)
        return asked


def _close(asked: _Asked) -> None:
    if asked.descriptor is not None:
        os.close(asked.descriptor)

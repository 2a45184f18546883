"""One command's scan, from what is to be looked at to the lines that answer it."""

from __future__ import annotations

import errno
import os
from typing import Protocol

from tocsin.engine.report import Report, Verdict
from tocsin.protect.daemon.clamd_commands import Command, Verb
from tocsin.protect.daemon.clamd_replies import OnIncomplete, status_lines
from tocsin.protect.daemon.keeper_client import KeeperClient
from tocsin.protect.daemon.keeper_messages import RefusedNote
from tocsin.protect.daemon.scan_service import ScanService

_FOUND = (Verdict.INFECTED, Verdict.SUSPICIOUS)


class Answering(Protocol):
    """Who passes the lines on."""

    def line(self, text: bytes) -> None:
        """One line of the answer, without its ending."""

    def done(self) -> None:
        """The answer is complete."""

    @property
    def owner(self) -> int:
        """User who asks; -1 over a network."""

    def saw(self, report: Report, *, passed: bool) -> None:
        """Something was scanned: opened by its path, or passed by the client."""


class PathScan:
    """`SCAN`, `CONTSCAN`, `MULTISCAN` and `ALLMATCHSCAN` of one path.

    Args:
        command: what was asked.
        answering: who passes the lines on.
        service: the way to the engine.
        keeper: who opens the path.
        on_incomplete: what is said of what was not wholly looked at.
        jobs: worker processes.
    """

    def __init__(
        self,
        command: Command,
        answering: Answering,
        service: ScanService,
        keeper: KeeperClient,
        on_incomplete: OnIncomplete,
        jobs: int,
    ) -> None:
        self._path = command.argument
        self._every = command.verb is Verb.ALLMATCHSCAN
        self._first_only = command.verb is Verb.SCAN
        self._answering: Answering | None = answering
        self._service = service
        self._keeper = keeper
        self._on_incomplete = on_incomplete
        self._ahead = jobs * (4 if command.verb is Verb.MULTISCAN else 2)
        self._number = 0
        self._running: set[int] = set()
        self._said = False
        self._all_opened = False

    def start(self, connection: int, *, networked: bool) -> None:
        """Begin.

        Args:
            connection: descriptor of the client's connection; it says who asks.
            networked: whether it came over a network.
        """
        self._number = self._keeper.open(
            self._path, connection, self._ahead, self, networked=networked
        )

    def cancel(self) -> None:
        """Nobody wants the answer any more."""
        self._answering = None
        self._keeper.cancel(self._number)
        for number in self._running:
            self._service.cancel(number)
        self._running.clear()

    def opened(self, path: bytes, descriptor: int, mark: bytes) -> None:
        """A file was opened; the descriptor is this object's."""
        if self._answering is None:
            os.close(descriptor)
            return
        number = 0

        def done(report: Report) -> None:
            self._running.discard(number)
            self._scanned(path, report)

        number = self._service.scan(
            os.fsdecode(path),
            done,
            owner=self._answering.owner,
            descriptor=descriptor,
            all_matches=self._every,
            mark=mark,
        )
        self._running.add(number)

    def refused(self, note: RefusedNote) -> None:
        """Something could not be opened."""
        if self._answering is None:
            return
        self._said = self._said or note.named or not note.excluded
        if note.excluded:
            self._answering.line(b"%s: Excluded" % note.path)
        elif note.special:
            self._answering.line(b"%s: Not supported file type ERROR" % note.path)
        elif note.named:
            self._answering.line(
                b"%s: File path check failure: %s. ERROR" % (self._path, note.reason.encode())
            )
        else:
            denied = note.reason == os.strerror(errno.EACCES)
            reason = "Access denied." if denied else f"{note.reason}."
            self._answering.line(b"%s: %s ERROR" % (note.path, reason.encode()))
        self._keeper.more(self._number)

    def finished(self) -> None:
        """Nothing more will be opened."""
        self._all_opened = True
        self._end_if_done()

    def _scanned(self, path: bytes, report: Report) -> None:
        answering = self._answering
        if answering is None:
            return
        answering.saw(report, passed=False)
        lines = status_lines(path, report, self._on_incomplete, all_matches=self._every)
        if not lines[0].endswith(b": OK"):
            self._said = True
            for line in lines:
                answering.line(line)
        if self._first_only and report.verdict in _FOUND:
            self.cancel()
            answering.done()
            return
        self._keeper.more(self._number)
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._all_opened and not self._running and self._answering is not None:
            answering, self._answering = self._answering, None
            if not self._said:
                answering.line(b"%s: OK" % self._path)
            answering.done()


class ObjectScan:
    """`INSTREAM` and `FILDES`: one object without a path.

    Args:
        name: what the answer calls it.
        answering: who passes the lines on.
        service: the way to the engine.
        on_incomplete: what is said of what was not wholly looked at.
    """

    def __init__(
        self, name: bytes, answering: Answering, service: ScanService, on_incomplete: OnIncomplete
    ) -> None:
        self._name = name
        self._answering: Answering | None = answering
        self._service = service
        self._on_incomplete = on_incomplete
        self._number = 0

    def start(
        self, descriptor: int | None, data: bytes | None, shown: str, mark: bytes = b""
    ) -> None:
        """Begin.

        Args:
            descriptor: what is read; this object's from now on.
            data: a small object itself, instead.
            shown: its name in reports.
            mark: by which its content is known; empty when it cannot be.
        """
        assert self._answering is not None
        self._number = self._service.scan(
            shown,
            self._scanned,
            owner=self._answering.owner,
            descriptor=descriptor,
            data=data,
            all_matches=False,
            mark=mark,
        )

    def cancel(self) -> None:
        """Nobody wants the answer any more."""
        self._answering = None
        self._service.cancel(self._number)

    def _scanned(self, report: Report) -> None:
        answering, self._answering = self._answering, None
        if answering is None:
            return
        answering.saw(report, passed=self._name != b"stream")
        for line in status_lines(self._name, report, self._on_incomplete):
            answering.line(line)
        answering.done()

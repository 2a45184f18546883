"""Scanning what a user named: walk, history, one process or several, and a running total.

This joins the rooms and knows no terminal: it yields reports as they come and keeps counts
that a progress bar or a summary can show at any time.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tocsin.app.walk import Walk, WalkOptions
from tocsin.database.index import Index
from tocsin.engine.jobs import Job, scan_job
from tocsin.engine.options import Options
from tocsin.engine.report import Report, Verdict
from tocsin.engine.scanner import Scanner
from tocsin.engine.workers import WorkerPool

if TYPE_CHECKING:
    from tocsin.app.acting import Seen
    from tocsin.app.history import History

STANDARD_INPUT = "-"


class Request(NamedTuple):
    """What to scan and how.

    Attributes:
        paths: files and folders; `-` stands for the bytes of standard input.
        options: how to scan.
        walk: what to leave out.
        jobs: worker processes.
        incremental: take over earlier clean verdicts of unchanged files.
        memory: scan what processes can run before anything else.
        critical: scan what is run without being asked for, then.
        own_sessions: sessions whose processes are not looked at.
        remember_files: keep which file each report is of, so that it can be acted on.
        after: begin the walk behind this file, below the named path of this number.
    """

    paths: tuple[str, ...]
    options: Options
    walk: WalkOptions
    jobs: int = 1
    incremental: bool = False
    memory: bool = False
    critical: bool = False
    own_sessions: tuple[int, ...] = ()
    remember_files: bool = False
    after: tuple[int, str] = (0, "")


class Source(Protocol):
    """Where objects come from that are no files which a user named."""

    def items(self) -> Iterator[Job | Report]:
        """What to scan, and finished reports."""
        ...

    def finished(self, report: Report) -> Iterator[Report]:
        """The report on an item, with what is known besides, and those that follow from it."""
        ...

    def lines(self) -> list[tuple[str, str]]:
        """Rows for a summary: what was looked at, and what could not be."""
        ...


class Watch(Protocol):
    """Who watches a run that may be paused and taken up again."""

    def drawn(self, place: int, path: str) -> None:
        """The walk came to a path, below the named path of this number."""
        ...

    def may_go_on(self) -> bool:
        """Whether another object may be begun now; it is asked again soon."""
        ...


class Totals:
    """Counts of a scan so far.

    Attributes:
        files: reports given.
        bytes: bytes of the files looked at.
        verdicts: reports by verdict.
        unchanged: clean verdicts that were taken over.
        found: reports with something found.
    """

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.files = 0
        self.bytes = 0
        self.unchanged = 0
        self.verdicts: dict[Verdict, int] = dict.fromkeys(Verdict, 0)

    def add(self, report: Report) -> None:
        """Count one report."""
        self.files += 1
        self.bytes += report.size
        self.unchanged += report.unchanged
        self.verdicts[report.verdict] += 1

    @property
    def found(self) -> int:
        """Paths in which something was found."""
        return self.verdicts[Verdict.INFECTED] + self.verdicts[Verdict.SUSPICIOUS]

    @property
    def seconds(self) -> float:
        """Time since the scan began."""
        return time.monotonic() - self.started

    @property
    def exit_status(self) -> int:
        """0 clean, 1 something found, 2 nothing found but not everything looked at."""
        if self.found:
            return 1
        if self.verdicts[Verdict.INCOMPLETE] or self.verdicts[Verdict.ERROR]:
            return 2
        return 0


class ScanRun:
    """One run over what a user named.

    Args:
        database: an opened index.
        request: what to scan and how.
        watch: who watches, if anybody.

    Attributes:
        totals: counts so far.
        walk: what was entered and left out so far.
        trouble: why nothing more is remembered for `incremental`, or empty.
        sources: what else was looked at so far.
        seen: the file that the report being yielded is of, with `remember_files`.
    """

    def __init__(self, database: Index, request: Request, watch: Watch | None = None) -> None:
        self._database = database
        self._watch = watch
        self._request = request
        self.totals = Totals()
        self.walk = Walk(request.walk)
        self.trouble = ""
        self.sources: list[Source] = []
        self.seen: Seen | None = None
        self._seen: dict[str, Seen] = {}

    def reports(self) -> Generator[Report, None, None]:
        """Every report, as it is ready."""
        history = self._history() if self._request.incremental else None
        try:
            for report in self._reports(history):
                self.totals.add(report)
                if history is not None:
                    history.remember(report)
                self.seen = self._seen.pop(report.path, None)
                yield report
        finally:
            if history is not None:
                history.close()
                self.trouble = history.trouble

    def _history(self) -> History:
        from tocsin.app.history import History

        return History(self._database.identity, self._request.options)

    def _reports(self, history: History | None) -> Iterator[Report]:
        paths = [path for path in self._request.paths if path != STANDARD_INPUT]
        if len(paths) < len(self._request.paths):
            with Scanner(self._database, self._request.options) as scanner:
                yield scanner.scan_stream(sys.stdin.buffer, STANDARD_INPUT)
        with WorkerPool(self._database, self._request.options, self._request.jobs) as pool:
            for source in self._sources():
                self.sources.append(source)
                for report in self._run(pool, self._of_source(source)):
                    yield from source.finished(report)
            yield from self._run(pool, map(self._job, self._todo(paths, history)))

    def _run(self, pool: WorkerPool, work: Iterator[Job | Report]) -> Iterator[Report]:
        from tocsin.app.pacing import paced

        done = paced(pool, work, self._watch.may_go_on) if self._watch else pool.run(work)
        for report in done:
            assert isinstance(report, Report)
            yield report

    def _sources(self) -> Iterator[Source]:
        exceptions = self._request.options.exceptions
        if self._request.memory:
            from tocsin.protect.process_memory import ProcessMemory

            yield ProcessMemory(exceptions, own_sessions=self._request.own_sessions)
        if self._request.critical:
            from tocsin.protect.startup_scan import StartupScan

            yield StartupScan(exceptions)

    def _of_source(self, source: Source) -> Iterator[Job | Report]:
        """What a source has, without this program's own files."""
        own = self._request.walk.own
        for item in source.items():
            if isinstance(item, Job) and own.leaves_out_open(item.descriptor):
                os.close(item.descriptor)
                self.walk.leave_own()
            else:
                yield self._seen_first(item)

    def _job(self, item: str | Report) -> Job | Report:
        if isinstance(item, Report):
            return item
        return self._seen_first(scan_job(item, self._request.options.exceptions))

    def _seen_first(self, job: Job | Report) -> Job | Report:
        """Remember which file a job is of, if it is one that has a name."""
        if self._request.remember_files and isinstance(job, Job):
            from tocsin.app.acting import seen_through

            if os.fstat(job.descriptor).st_nlink:
                self._seen[job.path] = seen_through(job.descriptor, job.path)
        return job

    def _todo(self, paths: Iterable[str], history: History | None) -> Iterator[str | Report]:
        """Paths that must be scanned, and the reports on those that need not be."""
        for item in self.walk.items(paths, self._request.after):
            if isinstance(item, Report):
                yield item
                continue
            if self._watch is not None:
                self._watch.drawn(self.walk.place, item)
            known = history.known_clean(item) if history is not None else None
            yield item if known is None else known

"""The engine as a process of its own: it holds the index and the workers, others ask it.

Whoever forks a host gives it the far ends of ports (`host_port`). A request is taken only when
a worker is free for it, so that what is urgent overtakes whatever came earlier; what waits,
waits with those who ask. A host that was told to retire ends once everything it took is
answered; its index and its workers go with it, and another takes over.
"""

from __future__ import annotations

import select
import selectors
import signal
from collections.abc import Callable, Sequence
from types import FrameType

from tocsin.database.index import Index
from tocsin.engine.host_port import HostEnd, ScanRequest
from tocsin.engine.jobs import Job, close_job, lost
from tocsin.engine.messages import ScanTask, pack_report, to_text
from tocsin.engine.options import Options
from tocsin.engine.report import Report, SkippedObject
from tocsin.engine.unused_pages import let_go
from tocsin.engine.workers import WorkerPool
from tocsin.errors import ResourcesExhausted

_PATIENCE = 1.0
_WITHDRAWN = "it was withdrawn"


class EngineHost:
    """Serves ports from one pool of workers.

    Args:
        database: an opened index.
        options: how to scan.
        jobs: worker processes.
        ports: where requests come from.
    """

    def __init__(
        self, database: Index, options: Options, jobs: int, ports: Sequence[HostEnd]
    ) -> None:
        # One worker more, so that what is not urgent can never hold up what is.
        kept = any(port.urgent for port in ports)
        self._pool = WorkerPool(database, options, jobs + kept)
        self._most_ordinary = jobs
        self._ordinary = 0
        self._exceptions = options.exceptions
        self._ports = sorted(ports, key=lambda port: not port.urgent)
        self._selector = selectors.DefaultSelector()
        self._watched: set[HostEnd] = set()
        self._turn = 0
        self._stopping = False

    def serve(self, loaded: Callable[[], None] = lambda: None) -> None:
        """Until every port was closed and everything answered.

        Args:
            loaded: told when workers are there to answer, or the first request is.

        Raises:
            SandboxUnavailable: workers cannot be confined as the options demand.
        """
        signal.signal(signal.SIGTERM, self._stop)
        self._pool.load_all()
        selector = self._selector
        selector.register(self._pool.fileno(), selectors.EVENT_READ)
        for port in self._ports:
            selector.register(port.answers, selectors.EVENT_READ, port)
        try:
            while not self._is_asked() and self._pool.prestart():
                pass
            loaded()
            while self._ports or self._pool.busy:
                self._round()
        finally:
            self._pool.close()
            selector.close()

    def _is_asked(self) -> bool:
        """Whether a request waits."""
        poll = select.poll()
        for port in self._ports:
            poll.register(port.requests, select.POLLIN)
        return bool(poll.poll(0))

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        if not self._pool.busy:
            raise SystemExit(0)  # nothing is waited for

    def _round(self) -> None:
        """Take what there is room for, then wait for something to happen."""
        while (taken := self._next()) is not None:
            self._begin(*taken)
        self._drop_finished()
        self._watch({port for port in self._ports if self._takes_from(port)})
        if self._pool.vacant and not self._stopping and self._pool.prestart():
            return  # one after the other, and requests in between
        for key, _ in self._selector.select(_PATIENCE):
            if isinstance(key.data, HostEnd) and key.fileobj is key.data.answers:
                self._withdraw(key.data)
        for done in self._pool.collect(0.0):
            self._answer(done.job, done.result)
        for port in self._ports:
            if port.backlog:
                port.flush()

    def _takes_from(self, port: HostEnd) -> bool:
        """Whether one more request of a port could be begun."""
        if self._stopping or not port.open or not self._pool.vacant:
            return False
        return port.urgent or self._ordinary < self._most_ordinary

    def _watch(self, wanted: set[HostEnd]) -> None:
        """Be woken by requests that could be begun, and by no others."""
        for port in self._watched - wanted:
            self._selector.unregister(port.requests)
        for port in wanted - self._watched:
            self._selector.register(port.requests, selectors.EVENT_READ)
        self._watched = wanted

    def _next(self) -> tuple[HostEnd, ScanRequest, int] | None:
        """The next request: from urgent ports first, from the others in turn."""
        ordinary = [port for port in self._ports if not port.urgent]
        self._turn += 1
        start = self._turn % len(ordinary) if ordinary else 0
        urgent = [port for port in self._ports if port.urgent]
        for port in (*urgent, *ordinary[start:], *ordinary[:start]):
            if self._takes_from(port) and (taken := port.take()) is not None:
                return port, *taken
        return None

    def _withdraw(self, port: HostEnd) -> None:
        """Stop what whoever asked does not want any more, or all of it where they have gone."""
        numbers = port.withdrawn()
        if numbers is None:
            self._selector.unregister(port.answers)
            port.open = False
            numbers = [job.ticket[1] for job in self._pool.jobs if job.ticket[0] is port]
        for number in numbers:
            job = self._pool.withdraw((port, number))
            if job is not None:
                self._answer(job, lost(job.path, _WITHDRAWN, 0.0))
            else:
                port.not_wanted(number)  # it is not here yet, or was answered

    def _begin(self, port: HostEnd, request: ScanRequest, descriptor: int) -> None:
        task = ScanTask(request.name, data=request.data, all_matches=request.all_matches)
        job = Job(to_text(request.name), descriptor, task, ticket=(port, request.number))
        if not port.wants(request.number):
            close_job(job)
            self._say(job, lost(job.path, _WITHDRAWN, 0.0))
            return
        if descriptor < 0 and request.data is None:
            report = Report(job.path)
            report.errors.append("nothing to scan came with the request")
            self._say(job, report)
            return
        if self._exceptions.paths and self._exceptions.allows_path(job.path):
            report = Report(job.path)
            report.skipped.append(SkippedObject(job.path, "allowed", "excepted by path"))
            self._say(job, report)
            close_job(job)
            return
        self._ordinary += not port.urgent
        try:
            self._pool.give(job)
        except ResourcesExhausted as error:
            report = Report(job.path)
            report.errors.append(str(error))
            self._answer(job, report)
            close_job(job)

    def _answer(self, job: Job, result: object) -> None:
        """What came of a job that was begun."""
        port: HostEnd = job.ticket[0]
        self._ordinary -= not port.urgent
        self._say(job, result)

    def _say(self, job: Job, result: object) -> None:
        assert isinstance(result, Report)
        port, number = job.ticket
        port.say(pack_report(result, number))

    def _drop_finished(self) -> None:
        if self._stopping:
            for port in self._ports:
                port.open = False
        self._watch({port for port in self._watched if port.open})
        for port in [port for port in self._ports if not port.open]:
            if port.unanswered or port.backlog:
                port.flush()
                continue
            self._ports.remove(port)
            if port.answers.fileno() in self._selector.get_map():
                self._selector.unregister(port.answers)
            port.close()


def run_host(
    open_index: Callable[[], Index],
    options: Options,
    jobs: int,
    ports: Sequence[HostEnd],
    loaded: Callable[[], None] = lambda: None,
) -> None:
    """The life of a host's process.

    Args:
        open_index: opens what to match with; it is loaded before workers are forked.
        options: how to scan.
        jobs: worker processes.
        ports: where requests come from.
        loaded: told when it is there to answer.

    Raises:
        DatabaseError: the index cannot be opened.
        SandboxUnavailable: workers cannot be confined as the options demand.
    """
    database = open_index()
    database.load_for_sharing()
    let_go()
    EngineHost(database, options, jobs, ports).serve(loaded)

"""Confined processes that parse what is scanned: the parent's side.

Every object is parsed and matched in a worker that was forked after the index was mapped,
shares its pages, and was confined before it saw a byte (`tocsin.sandbox`). It is handed
descriptors, never paths. The matchers hold Python's lock, so that several workers are also
how several cores are used.

What comes back is hostile until shown otherwise: bounded, typed messages (`messages`), the
path not among them, each with the number that came with its task. A worker that dies, hangs,
talks nonsense or says more than it was asked costs its object the verdict `incomplete` and is
replaced. So is every worker after a number of objects: until then, code that took a worker over
could answer for the objects that it is given next. An object that ended two workers is not
tried again.
"""

from __future__ import annotations

import gc
import os
import secrets
import select
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec

from tocsin.database.index import Index
from tocsin.engine.confinement import Confinement
from tocsin.engine.jobs import Done, Job, close_job, lost, rewound, scan_job
from tocsin.engine.messages import (
    LENGTH,
    MAX_REPORT_BYTES,
    Answer,
    Final,
    IdentifiedAnswer,
    IdentifyTask,
    LookedAnswer,
    LookTask,
    MemberAnswer,
    NeedAnswer,
    Part,
    PieceAnswer,
    ReadyAnswer,
    ReportAnswer,
    ScanTask,
    Task,
    UnpackedAnswer,
    UnpackTask,
    pack_task,
    read_answer,
    report_from,
)
from tocsin.engine.options import Options
from tocsin.engine.report import Report
from tocsin.engine.worker_process import Looker, serve
from tocsin.errors import ResourcesExhausted, SandboxUnavailable, ScanError

GRACE_SECONDS = 15.0
"""How much longer than the scan's own time limit a worker may be silent."""

MOST_TRIES = 2
"""An object that ended so many workers is given up."""

_ANSWERS: dict[type[Task], type[Final]] = {
    ScanTask: ReportAnswer,
    UnpackTask: UnpackedAnswer,
    IdentifyTask: IdentifiedAnswer,
    LookTask: LookedAnswer,
}
_PARTS: dict[type[Task], type[Part]] = {UnpackTask: MemberAnswer, LookTask: PieceAnswer}
_READ = 1 << 18
_VIEWS_A_MEMBER = 4
"""What a worker may list besides each object it may take out: views, remarks."""

_PATIENCE = 1.0


class _Worker:
    """One process, what connects to it, and what it is doing."""

    def __init__(self, pid: int, tasks: socket.socket, answers: int) -> None:
        self.pid = pid
        self.tasks = tasks
        self.answers = answers
        self.done = 0
        self.ready = False
        self.given = 0
        self.given_bytes = 0
        self.received = bytearray()
        self.job: Job | None = None
        self.since = 0.0


class WorkerPool:
    """Confined workers; use it in a `with` block, or close it.

    Args:
        database: an opened index.
        options: how to scan.
        jobs: number of processes.
        looker: what is done for a `LookTask`; the workers have it from when they were forked.

    Attributes:
        confined_by: the mechanisms that were in force in the last worker, when one ran.
    """

    def __init__(
        self, database: Index, options: Options, jobs: int, looker: Looker | None = None
    ) -> None:
        self._database = database
        self._looker = looker
        self._options = options
        self._jobs = jobs
        self._confinement = Confinement(options)
        self._selector = selectors.DefaultSelector()
        self._all: list[_Worker] = []  # also one that an interrupt catches between two hands
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []
        self._again: deque[Job] = deque()
        # While a job is not done: workers lost over it, and members had of it already.
        self._tries: dict[Hashable, int] = {}
        self._had: dict[Hashable, int] = {}
        self._retired = False
        self.confined_by: tuple[str, ...] = ()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End every worker."""
        for worker in list(self._all):
            self._end(worker)
        self._idle.clear()
        self._busy.clear()
        self._selector.close()

    def scan(self, paths: Iterable[str]) -> Iterator[Report]:
        """Scan every path; reports come as they are ready, in no certain order."""
        exceptions = self._options.exceptions
        for done in self.run(scan_job(path, exceptions) for path in paths):
            yield done if isinstance(done, Report) else _unexpected(done)

    def run(self, work: Iterator[Job | Report]) -> Iterator[Report | Final]:
        """Do every job, and pass on finished reports among them.

        Raises:
            SandboxUnavailable: workers cannot be confined as the options demand.
        """
        ready: deque[Report | Final] = deque()
        exhausted = False
        try:
            while True:
                while not exhausted and self.vacant and not ready:
                    item = next(work, None)
                    if item is None:
                        exhausted = True
                    elif isinstance(item, Report):
                        ready.append(item)
                    else:
                        self.give(item)
                if not ready and not self._busy:
                    return
                if not ready:
                    ready.extend(done.result for done in self.collect(_PATIENCE))
                while ready:
                    yield ready.popleft()
        finally:
            self.abandon()

    def fileno(self) -> int:
        """A descriptor that is readable when `collect` has something to hear."""
        return self._selector.fileno()

    @property
    def vacant(self) -> bool:
        """Whether one more job may be given."""
        return len(self._busy) < self._jobs

    @property
    def busy(self) -> int:
        """Jobs that are being done."""
        return len(self._busy)

    @property
    def pids(self) -> tuple[int, ...]:
        """The worker processes there are."""
        return tuple(worker.pid for worker in self._all)

    @property
    def jobs(self) -> list[Job]:
        """What is being done, or about to be."""
        busy = [worker.job for worker in self._busy if worker.job is not None]
        return [*busy, *self._again]

    def withdraw(self, ticket: Any) -> Job | None:
        """Stop doing a job, with whoever does it.

        Args:
            ticket: the job's.

        Returns:
            The job, closed; None when it is done already.
        """
        for worker in list(self._busy):
            job = worker.job
            if job is not None and job.ticket == ticket:
                self._free(worker)
                self._end(worker)
                self._forget(job)
                close_job(job)
                return job
        return None

    def load_all(self) -> None:
        """Load now whatever any object may need, so that all workers share it."""
        self._retired = True
        self._confinement.load_all()

    def prestart(self) -> bool:
        """Start one worker ahead of its job, if there are fewer than there may be.

        Returns:
            Whether one was started.
        """
        if len(self._all) >= self._jobs:
            return False
        self._idle.insert(0, self._start())
        return True

    def abandon(self) -> None:
        """End what is being done: whoever wanted it went away."""
        for worker in list(self._busy):
            interrupted = worker.job
            self._free(worker)
            self._end(worker)
            if interrupted is not None:
                self._again.append(interrupted)
        for job in self._again:
            self._forget(job)
            close_job(job)
        self._again.clear()

    def give(self, job: Job) -> None:
        """Have a worker begin a job; `vacant` must hold.

        Raises:
            ResourcesExhausted: no worker could be started.
        """
        worker = self._silent() or self._start()
        job = job._replace(task=msgspec.structs.replace(job.task, number=secrets.randbits(63)))
        message = pack_task(job.task)
        try:
            _send(worker.tasks, message, job.descriptor)
        except (BrokenPipeError, ConnectionResetError):
            self._end(worker)
            worker = self._start()
            _send(worker.tasks, message, job.descriptor)
        worker.job, worker.since = job, time.monotonic()
        worker.given = worker.given_bytes = 0
        self._busy.append(worker)
        self._selector.register(worker.answers, selectors.EVENT_READ, worker)

    def _silent(self) -> _Worker | None:
        """An idle worker that has said nothing since it was last asked; others are ended."""
        while self._idle:
            worker = self._idle.pop()
            if not worker.ready or not select.select([worker.answers], [], [], 0)[0]:
                return worker  # one that was started ahead says that it is ready when it is
            self._end(worker)
        return None

    def collect(self, timeout: float) -> list[Done]:
        """Hear what the busy workers say; what they lost is given to others.

        Args:
            timeout: seconds to wait for something to hear.

        Raises:
            SandboxUnavailable: workers cannot be confined as the options demand.
        """
        ready: list[Done] = []
        for key, _ in self._selector.select(timeout):
            worker: _Worker = key.data
            chunk = os.read(worker.answers, _READ)
            if not chunk:
                self._lose(worker, "", ready)
                continue
            worker.received += chunk
            try:
                while worker.job is not None and (answer := self._next(worker)) is not None:
                    self._hear(worker, answer, ready)
            except ScanError as error:
                self._lose(worker, str(error), ready)
        self._end_overdue(ready)
        while self._again and self.vacant:
            self.give(self._again[0])
            self._again.popleft()
        return ready

    def _next(self, worker: _Worker) -> Answer | None:
        """The next whole message among what was received, or None.

        Raises:
            ScanError: it is longer than it may be, or makes no sense.
        """
        received = worker.received
        if len(received) < LENGTH.size:
            return None
        length = LENGTH.unpack_from(received)[0]
        if length > self._most_bytes(worker):
            raise ScanError("its worker's answer was too long")
        end = LENGTH.size + length
        if len(received) < end:
            return None
        answer = read_answer(bytes(received[LENGTH.size : end]))
        del received[:end]
        return answer

    def _most_bytes(self, worker: _Worker) -> int:
        if worker.job is None or isinstance(worker.job.task, ScanTask):
            return MAX_REPORT_BYTES
        return MAX_REPORT_BYTES + (self._options.limits.max_file_size or 1 << 31)

    def _hear(self, worker: _Worker, answer: Answer, ready: list[Done]) -> None:
        """Take one message for what it is, if it is one that may come now.

        Raises:
            ScanError: it may not.
            SandboxUnavailable: the worker could not be confined as the options demand.
        """
        job = worker.job
        if isinstance(answer, ReadyAnswer) and not worker.ready:
            if answer.trouble:
                raise SandboxUnavailable(answer.trouble)
            worker.ready = True
            self.confined_by = tuple(answer.confined_by)
            return
        if job is None or not worker.ready:
            raise ScanError("its worker spoke out of turn")
        if isinstance(answer, NeedAnswer):
            self._fetch(worker, answer.module)
            return
        if isinstance(answer, ReadyAnswer) or answer.number != job.task.number:
            raise ScanError("its worker spoke out of turn")
        if isinstance(answer, Part) and job.take is not None:
            if not isinstance(answer, _PARTS[type(job.task)]):
                raise ScanError("its worker answered another question")
            self._count(worker, answer)
            if worker.given > self._had.get(job.key, 0):
                self._had[job.key] = worker.given
                job.take(answer)
            return
        if not isinstance(answer, _ANSWERS[type(job.task)]):
            raise ScanError("its worker answered another question")
        assert not isinstance(answer, Part)
        report = report_from(answer, job.path) if isinstance(answer, ReportAnswer) else None
        ready.append(Done(job, report or answer))
        self._finish(worker)

    def _count(self, worker: _Worker, answer: Part) -> None:
        """Hold a worker that unpacks to the limits that it should keep by itself.

        Raises:
            ScanError: it does not.
        """
        limits = self._options.limits
        worker.given += 1
        worker.given_bytes += len(answer.data or b"")
        most = limits.max_files and _VIEWS_A_MEMBER * (limits.max_files + 1000)
        most_bytes = limits.max_scan_size and _VIEWS_A_MEMBER * limits.max_scan_size
        if (most and worker.given > most) or (most_bytes and worker.given_bytes > most_bytes):
            raise ScanError("its worker gave more than the limits allow")

    def _fetch(self, worker: _Worker, module: str) -> None:
        """Have a module that a worker lacks, and its job done by another that has it.

        Raises:
            ScanError: it is none that a worker may ask for.
        """
        job = worker.job
        assert job is not None
        if not self._confinement.fetch(module) or not rewound(job):
            raise ScanError(f"its worker asked for {module}")
        self._free(worker)
        self._end(worker)
        self._again.append(job)

    def _finish(self, worker: _Worker) -> None:
        """A job is done; its worker goes on, or has done enough."""
        assert worker.job is not None
        self._forget(worker.job)
        close_job(worker.job)
        self._free(worker)
        worker.done += 1
        if worker.received:
            self._end(worker)  # it says more than it was asked
        elif worker.done >= self._options.objects_per_worker:
            self._retired = True  # there is much to do: what is loaded once is loaded for all
            self._end(worker)
        else:
            self._idle.append(worker)

    def _forget(self, job: Job) -> None:
        self._tries.pop(job.key, None)
        self._had.pop(job.key, None)

    def _end_overdue(self, ready: list[Done]) -> None:
        limit = self._options.limits.timeout
        if not limit:
            return
        now = time.monotonic()
        for worker in list(self._busy):
            allowed = limit + GRACE_SECONDS
            if worker.job is not None and worker.job.take is not None:
                allowed *= 2  # what it gives must be written, too
            if now - worker.since > allowed:
                reason = f"no answer after {allowed:g} seconds"
                self._lose(worker, reason, ready, again=False)

    def _free(self, worker: _Worker) -> None:
        self._selector.unregister(worker.answers)
        self._busy.remove(worker)
        worker.job = None

    def _lose(
        self,
        worker: _Worker,
        reason: str,
        ready: list[Done],
        *,
        again: bool = True,
    ) -> None:
        """A worker is lost with its job, which is tried once more with a fresh one."""
        job, since = worker.job, worker.since
        assert job is not None
        self._free(worker)
        status = self._end(worker)
        reason = reason or _how_it_ended(status)
        tries = self._tries.get(job.key, 0) + 1
        if again and tries < MOST_TRIES and job.take is None and rewound(job):
            self._tries[job.key] = tries
            self._again.append(job)
            return
        self._forget(job)
        close_job(job)
        if tries > 1:
            reason = f"{reason}; so did another when it was tried again"
        ready.append(Done(job, lost(job.path, reason, time.monotonic() - since)))

    def _end(self, worker: _Worker) -> int:
        self._all.remove(worker)
        worker.tasks.close()
        os.close(worker.answers)
        try:
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid == 0:
                _kill(worker.pid)
                _, status = os.waitpid(worker.pid, 0)
        except ChildProcessError:  # the program around us has its children waited for elsewhere
            _kill(worker.pid)
            return 0
        return status

    def _start(self) -> _Worker:
        if self._jobs > 1 or self._retired:
            self._database.load_for_sharing()
        self._confinement.load_for(self._database)
        if self._retired:
            self._confinement.load_all()
        # One task, one message: its descriptor cannot come apart from it.
        task_end, worker_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        answer_reader, answer_writer = os.pipe2(os.O_CLOEXEC)
        parent = os.getpid()
        gc.freeze()  # so that the worker's collector leaves the shared pages alone
        try:
            pid = os.fork()
        except OSError as error:
            for end in (task_end, worker_end):
                end.close()
            os.close(answer_reader)
            os.close(answer_writer)
            gc.unfreeze()
            raise ResourcesExhausted(f"no worker could be started: {error.strerror}") from None
        if pid == 0:
            status = 1
            try:
                self._work(parent, worker_end, answer_writer)
                status = 0
            finally:
                os._exit(status)
        gc.unfreeze()
        worker = _Worker(pid, task_end, answer_reader)
        self._all.append(worker)
        worker_end.close()
        os.close(answer_writer)
        return worker

    def _work(self, parent: int, tasks: socket.socket, answers: int) -> None:
        with suppress(OSError), open("/proc/self/comm", "w", encoding="ascii") as file:
            file.write("tocsin worker")  # for whoever looks at the list of processes
        keep = (tasks.fileno(), answers)
        confine = partial(self._confinement.enter, keep, parent)
        serve(self._database, self._options, tasks, answers, confine, self._looker)


def _unexpected(answer: Final) -> Report:
    raise AssertionError(f"a scan ended with {answer!r}")


def _send(tasks: socket.socket, message: bytes, descriptor: int) -> None:
    if descriptor < 0:
        tasks.send(message)
    else:
        socket.send_fds(tasks, [message], [descriptor])


def _kill(pid: int) -> None:
    """End a worker, and whatever it started where nothing kept it from that."""
    try:
        os.killpg(pid, signal.SIGKILL)  # a confined worker leads a group of its own
    except (ProcessLookupError, PermissionError):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _how_it_ended(status: int) -> str:
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        if name not in ("SIGKILL", "SIGPIPE"):
            return f"its worker was ended by {name}"
    return "its worker ended without an answer"

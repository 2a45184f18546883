"""Many files with several processes: workers that share one mapped index.

The matchers hold Python's lock, so threads would gain nothing. Workers are forked after the
index was loaded and share its pages. A task is a path and an answer is a report in JSON, both
behind a length; a worker that dies or hangs costs its file the verdict `incomplete` and is
replaced, and the scan goes on.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import struct
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tocsin.database.index import Index
from tocsin.engine.options import Options
from tocsin.engine.report import Report, SkippedObject
from tocsin.engine.scanner import Scanner

GRACE_SECONDS = 30.0
"""How much longer than the scan's own time limit a worker may be silent."""

MAX_ANSWER_BYTES = 64 << 20
_LENGTH = struct.Struct("<I")


class _Worker(NamedTuple):
    """One process and the pipes to it."""

    pid: int
    tasks: int
    answers: int


class _Running:
    """A task in a worker's hands."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.since = time.monotonic()
        self.received = bytearray()


class WorkerPool:
    """Scans paths in several processes; use it in a `with` block.

    Args:
        database: an opened index; it is loaded whole before the first fork.
        options: how to scan.
        jobs: number of processes.
    """

    def __init__(self, database: Index, options: Options, jobs: int) -> None:
        self._database = database
        self._options = options
        self._jobs = jobs
        self._selector = selectors.DefaultSelector()
        self._all: list[_Worker] = []  # also one that an interrupt catches between two hands
        self._idle: list[_Worker] = []
        self._busy: dict[_Worker, _Running] = {}

    def __enter__(self) -> WorkerPool:
        self._database.load_for_sharing()
        return self

    def __exit__(self, *_exc: object) -> None:
        for worker in list(self._all):
            self._end(worker)
        self._selector.close()

    def scan(self, paths: Iterable[str]) -> Iterator[Report]:
        """Scan every path; reports come as they are ready, in no certain order."""
        waiting = iter(paths)
        ready: deque[Report] = deque()
        exhausted = False
        while True:
            while not exhausted and len(self._busy) < self._jobs:
                path = next(waiting, None)
                if path is None:
                    exhausted = True
                else:
                    self._give(path)
            if not self._busy:
                return
            self._collect(ready)
            while ready:
                yield ready.popleft()

    def _give(self, path: str) -> None:
        worker = self._idle.pop() if self._idle else self._start()
        packed = os.fsencode(path)
        try:
            _write_all(worker.tasks, _LENGTH.pack(len(packed)) + packed)
        except BrokenPipeError:
            self._end(worker)
            worker = self._start()
            _write_all(worker.tasks, _LENGTH.pack(len(packed)) + packed)
        self._busy[worker] = _Running(path)
        self._selector.register(worker.answers, selectors.EVENT_READ, worker)

    def _collect(self, ready: deque[Report]) -> None:
        for key, _ in self._selector.select(timeout=1.0):
            worker: _Worker = key.data
            running = self._busy[worker]
            chunk = os.read(worker.answers, 1 << 16)
            running.received += chunk
            if not chunk:
                ready.append(_lost(running, self._died(worker)))
            elif (report := _complete(running)) is not None:
                self._free(worker)
                self._idle.append(worker)
                ready.append(report)
            elif len(running.received) > MAX_ANSWER_BYTES:
                self._died(worker)
                ready.append(_lost(running, "its worker's answer was too long"))
        self._end_overdue(ready)

    def _end_overdue(self, ready: deque[Report]) -> None:
        limit = self._options.limits.timeout
        if not limit:
            return
        now = time.monotonic()
        for worker, running in list(self._busy.items()):
            if now - running.since > limit + GRACE_SECONDS:
                self._died(worker)
                ready.append(_lost(running, f"no answer after {limit + GRACE_SECONDS:g} seconds"))

    def _free(self, worker: _Worker) -> None:
        self._selector.unregister(worker.answers)
        del self._busy[worker]

    def _died(self, worker: _Worker) -> str:
        self._free(worker)
        status = self._end(worker)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) != signal.SIGKILL:
            return f"its worker was ended by {signal.Signals(os.WTERMSIG(status)).name}"
        return "its worker ended without an answer"

    def _end(self, worker: _Worker) -> int:
        self._all.remove(worker)
        os.close(worker.tasks)
        os.close(worker.answers)
        pid, status = os.waitpid(worker.pid, os.WNOHANG)
        if pid == 0:
            os.kill(worker.pid, signal.SIGKILL)
            _, status = os.waitpid(worker.pid, 0)
        return status

    def _start(self) -> _Worker:
        task_reader, task_writer = os.pipe2(os.O_CLOEXEC)
        answer_reader, answer_writer = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            try:
                os.close(task_writer)
                os.close(answer_reader)
                for other in self._all:
                    os.close(other.tasks)
                    os.close(other.answers)
                _serve(self._database, self._options, task_reader, answer_writer)
            finally:
                os._exit(0)
        worker = _Worker(pid, task_writer, answer_reader)
        self._all.append(worker)
        os.close(task_reader)
        os.close(answer_writer)
        return worker


def _serve(database: Index, options: Options, tasks: int, answers: int) -> None:
    """A worker's life: read a path, scan it, answer; end when the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    scanner = Scanner(database, options)
    while (head := _read_exactly(tasks, _LENGTH.size)) is not None:
        path = _read_exactly(tasks, _LENGTH.unpack(head)[0])
        if path is None:
            return
        report = scanner.scan_file(os.fsdecode(path))
        packed = json.dumps(report.to_dict()).encode()
        _write_all(answers, _LENGTH.pack(len(packed)) + packed)


def _complete(running: _Running) -> Report | None:
    received = running.received
    if len(received) < _LENGTH.size:
        return None
    length = _LENGTH.unpack_from(received)[0]
    if len(received) < _LENGTH.size + length:
        return None
    try:
        return Report.from_dict(json.loads(received[_LENGTH.size : _LENGTH.size + length]))
    except (ValueError, KeyError, TypeError):
        return _lost(running, "its worker's answer made no sense")


def _lost(running: _Running, reason: str) -> Report:
    report = Report(running.path)
    report.seconds = time.monotonic() - running.since
    report.skipped.append(SkippedObject(running.path, "damaged", f"not scanned: {reason}"))
    return report


def _read_exactly(descriptor: int, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        chunk = os.read(descriptor, count - len(data))
        if not chunk:
            return None
        data += chunk
    return data


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]

"""A worker's side: confine itself, then read a task, do it, answer, until the pipe is closed.

Tasks come over a socket, since a descriptor comes with each; answers go through a pipe, so
that a worker never needs to send anything but bytes. Nothing here opens a path.
"""

from __future__ import annotations

import array
import io
import os
import signal
import socket
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import BinaryIO, cast

from tocsin.database.index import Index
from tocsin.engine.confinement import NeedsModule
from tocsin.engine.listing import identified, unpacked
from tocsin.engine.messages import (
    Answer,
    LookedAnswer,
    LookTask,
    NeedAnswer,
    PieceAnswer,
    ReadyAnswer,
    ScanTask,
    UnpackTask,
    pack_answer,
    pack_report,
    read_task,
)
from tocsin.engine.object_scan import ObjectScanner, read_head
from tocsin.engine.options import Options
from tocsin.engine.report import Report
from tocsin.errors import SandboxUnavailable

MAX_TASK_BYTES = 1 << 20

_LARGE = 64 << 10
"""Bytes of an object after which the pages of the index that it touched are let go."""

Looker = Callable[[ObjectScanner, str, bytes], Iterator[bytes]]
"""What another room has done in a worker: given a scanner, which knows the limits and what an
object is, and an object's name and bytes, it gives what it finds, each piece of at most
`MOST_PIECE_BYTES`. It raises nothing."""

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


def serve(
    database: Index,
    options: Options,
    tasks: socket.socket,
    answers: int,
    confine: Callable[[], Iterable[str]],
    looker: Looker | None = None,
) -> None:
    """A worker's life.

    Args:
        database: an opened index.
        options: how to scan.
        tasks: where tasks come from, each with a descriptor.
        answers: pipe into which answers go.
        confine: confines this process; gives the mechanisms in force, or raises
            `SandboxUnavailable` when it must not go on.
        looker: what is done for a `LookTask`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        confined_by = list(confine())
    except SandboxUnavailable as error:
        _say(answers, ReadyAnswer([], str(error)[:4000] or "not available"))
        return
    _say(answers, ReadyAnswer(confined_by))
    _give_memory_back()
    try:
        scanner = ObjectScanner(database, options)
        while (received := _receive(tasks)) is not None:
            if _do(scanner, answers, *received, looker) > _LARGE:
                database.file.let_go()  # it was looked up in many places
    except NeedsModule as error:
        _say(answers, NeedAnswer(error.name))


def _give_memory_back() -> None:
    """Have freed memory go back to the system, and not wait here for an object as large again.

    Source: mallopt(3); the GNU C library raises its threshold with what is freed, up to 32 MiB.
    """
    import ctypes

    with suppress(AttributeError, OSError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 256 << 10)
        mallopt(_M_TRIM_THRESHOLD, 1 << 20)


def _do(
    scanner: ObjectScanner, answers: int, data: bytes, descriptor: int, looker: Looker | None
) -> int:
    """Do one task; how many bytes it was about."""
    task = read_task(data)
    name = task.name.decode("utf-8", "surrogateescape")
    if isinstance(task, ScanTask):
        scanner = scanner.reporting(task.all_matches)
        if task.data is not None:
            report = scanner.scan_bytes(task.data, name)
            _say_report(answers, report, task.number)
            return report.bytes_scanned
    with open(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        expected = status.st_size
        is_regular = stat.S_ISREG(status.st_mode)
        stream = cast(BinaryIO, _FromStart(descriptor) if is_regular else file)
        if isinstance(task, ScanTask):
            report = scanner.scan_stream(stream, name, expected)
            _say_report(answers, report, task.number)
            return report.bytes_scanned
        data = read_head(stream, expected, scanner.options.limits.max_file_size)
    if isinstance(task, UnpackTask):
        for answer in unpacked(scanner, task, data):
            _say(answers, answer)
    elif isinstance(task, LookTask):
        assert looker is not None
        for piece in looker(scanner, name, data):
            _say(answers, PieceAnswer(piece, task.number))
        _say(answers, LookedAnswer(task.number))
    else:
        _say(answers, identified(scanner, data, task.number))
    return len(data)


class _FromStart(io.RawIOBase):
    """Reads a file from its start, whoever else reads through the same open file.

    Args:
        descriptor: not closed with this.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._position = 0

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes."""
        data = os.pread(self._descriptor, size if size >= 0 else 1 << 20, self._position)
        self._position += len(data)
        return data


def _say_report(answers: int, report: Report, number: int) -> None:
    _write_all(answers, pack_report(report, number))


def _say(answers: int, answer: Answer) -> None:
    _write_all(answers, pack_answer(answer))


def _receive(tasks: socket.socket) -> tuple[bytes, int] | None:
    """A task and its descriptor, -1 without one; None when there are no more."""
    descriptors = array.array("i")
    data, ancillary, _, _ = tasks.recvmsg(
        MAX_TASK_BYTES, socket.CMSG_SPACE(descriptors.itemsize), socket.MSG_CMSG_CLOEXEC
    )
    if not data:
        return None
    for _level, _kind, packed in ancillary:
        descriptors.frombytes(packed[: descriptors.itemsize])
    return data, descriptors[0] if descriptors else -1


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]

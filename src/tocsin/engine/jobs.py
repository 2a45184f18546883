"""What workers are given: one object and what is to be done with it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from tocsin.engine.exceptions import Exceptions
from tocsin.engine.messages import Final, ScanTask, Task, to_bytes
from tocsin.engine.report import Report, SkippedObject
from tocsin.errors import ScanError


class Job(NamedTuple):
    """One object to be worked on.

    Attributes:
        path: its name in the report.
        descriptor: what is read, closed when the job is done; -1 when the task holds the bytes.
        task: what is to be done.
        take: what each `Part` is handed to: a member of what is unpacked, a piece of what is found.
        ticket: whatever the caller knows it by; can be hashed, unique where there is no descriptor.
    """

    path: str
    descriptor: int
    task: Task
    take: Callable[[Any], None] | None = None
    ticket: Any = None

    @property
    def key(self) -> Hashable:
        """What tells it from every other job that is not done."""
        return (self.descriptor, self.ticket)


class Done(NamedTuple):
    """A job and what came of it."""

    job: Job
    result: Report | Final


def open_regular(path: str) -> int:
    """Open a file to be scanned.

    Returns:
        Its descriptor.

    Raises:
        OSError: it cannot be opened.
        ScanError: it is not a regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ScanError("not a regular file")
    return descriptor


def scan_job(path: str, exceptions: Exceptions) -> Job | Report:
    """A job for a path, or the report that it cannot be read or is not to be looked at."""
    report = Report(path)
    if exceptions.paths and exceptions.allows_path(os.path.abspath(path)):
        report.skipped.append(SkippedObject(path, "allowed", "excepted by path"))
        return report
    try:
        descriptor = open_regular(path)
    except (OSError, ValueError, ScanError) as error:
        said = error.strerror if isinstance(error, OSError) else None
        report.errors.append(said or str(error))
        return report
    return Job(path, descriptor, ScanTask(to_bytes(path)))


_LOST = "not scanned: "


def lost(path: str, reason: str, seconds: float) -> Report:
    """The report on an object whose worker was lost."""
    report = Report(path)
    report.seconds = seconds
    report.skipped.append(SkippedObject(path, "damaged", f"{_LOST}{reason}"))
    return report


def is_lost(report: Report) -> bool:
    """Whether nothing of an object was looked at, as its worker was lost."""
    return not report.detections and any(
        skip.object == report.path and skip.detail.startswith(_LOST) for skip in report.skipped
    )


def close_job(job: Job) -> None:
    """Close what a job reads."""
    if job.descriptor >= 0:
        os.close(job.descriptor)


def rewound(job: Job) -> bool:
    """Set what a job reads back to the start; whether that could be done."""
    if job.descriptor < 0:
        return True
    try:
        return os.lseek(job.descriptor, 0, os.SEEK_SET) == 0
    except OSError:
        return False

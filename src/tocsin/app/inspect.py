"""Looking at single files without scanning them: what they are, and what is inside.

Like in a scan, a confined worker parses and this process only receives messages.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from tocsin.database.index import Index
from tocsin.engine.jobs import Job, open_regular
from tocsin.engine.messages import (
    IdentifiedAnswer,
    IdentifyTask,
    MemberAnswer,
    Task,
    UnpackedAnswer,
    UnpackTask,
    to_bytes,
)
from tocsin.engine.options import Options
from tocsin.engine.report import Report
from tocsin.engine.workers import WorkerPool
from tocsin.errors import ScanError, UsageError

ALL_LAYERS = 64


class Identified(NamedTuple):
    """What a file is.

    Attributes:
        path: the file.
        answer: what was found out, or None.
        trouble: why nothing was.
    """

    path: str
    answer: IdentifiedAnswer | None
    trouble: str = ""


def identify_files(database: Index, options: Options, paths: Iterable[str]) -> Iterator[Identified]:
    """Say of each file what it is."""
    with WorkerPool(database, options, 1) as pool:
        for path in paths:
            try:
                done = _run(pool, path, IdentifyTask(to_bytes(path)), None)
            except UsageError as error:
                yield Identified(path, None, str(error))
                continue
            if isinstance(done, IdentifiedAnswer):
                yield Identified(path, done)
            else:
                yield Identified(path, None, _reason(done))


def unpack_file(
    database: Index,
    options: Options,
    path: str,
    take: Callable[[MemberAnswer], None],
    *,
    layers: int,
    contents: bool,
) -> UnpackedAnswer:
    """Take a file apart.

    Args:
        database: its file-type rules and passwords are used.
        options: limits and passwords.
        path: the file.
        take: given each member as it comes out.
        layers: how many containers deep.
        contents: whether members come with their bytes.

    Raises:
        UsageError: the file cannot be read.
        ScanError: the worker was lost on it.
    """
    task = UnpackTask(to_bytes(path), layers, contents)
    with WorkerPool(database, options, 1) as pool:
        done = _run(pool, path, task, take)
    if isinstance(done, UnpackedAnswer):
        return done
    raise ScanError(f"{path}: {_reason(done)}")


def _run(
    pool: WorkerPool, path: str, task: Task, take: Callable[[MemberAnswer], None] | None
) -> object:
    try:
        descriptor = open_regular(os.fspath(path))
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else None
        raise UsageError(f"{path}: {said or error}") from None
    except ScanError as error:
        raise UsageError(f"{path}: {error}") from None
    (done,) = pool.run(iter([Job(path, descriptor, task, take)]))
    return done


def _reason(done: object) -> str:
    if isinstance(done, Report):
        return "; ".join([*(skip.detail for skip in done.skipped), *done.errors])
    raise AssertionError(f"unexpected {done!r}")

"""Looking into files: what they are and hold, found out by confined workers.

This process opens files and hears what is said of them; not one of their bytes is parsed here. It
is the mechanism of a scan (`engine.workers`) with another thing to do.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial

from tocsin.audit import wire
from tocsin.audit.confined import Looker
from tocsin.audit.interface import Recogniser, recognise_nothing
from tocsin.audit.model import Component, Skipped
from tocsin.audit.programs.words import Interests
from tocsin.database.index import Index
from tocsin.engine.jobs import Done, Job, open_regular
from tocsin.engine.messages import LookTask, PieceAnswer, to_bytes
from tocsin.engine.options import Options
from tocsin.engine.report import Report
from tocsin.engine.workers import WorkerPool
from tocsin.errors import ScanError
from tocsin.unpack.interface import MIB, Limits

LIMITS = Limits(
    max_file_size=1024 * MIB,
    max_scan_size=4096 * MIB,
    max_files=500_000,
    max_depth=12,
    timeout=600.0,
)
"""For one file and what is inside it; a container image holds more than a mail."""

_PATIENCE = 1.0


class Look:
    """Looks into files; use it once.

    Args:
        database: an opened index, whose rules for types of files are used.
        interests: what is looked for in programs.
        recognise: knows lists of packages and bills of materials.
        options: limits, passwords and how workers are confined.
        jobs: number of processes.

    Attributes:
        files: looked into up to now.
        size: their bytes.
        latest: the last file that was given to a worker.
        confined_by: the mechanisms that were in force in the last worker.
    """

    def __init__(
        self,
        database: Index,
        interests: Interests,
        recognise: Recogniser = recognise_nothing,
        options: Options | None = None,
        jobs: int = 1,
    ) -> None:
        self._database = database
        self._looker = Looker(interests, recognise)
        self._options = options or Options(limits=LIMITS)
        self._jobs = jobs
        self._found: dict[int, list[Component | Skipped]] = {}
        self.files = 0
        self.size = 0
        self.latest = ""
        self.confined_by: tuple[str, ...] = ()

    def run(self, files: Iterable[str | Skipped]) -> Iterator[Component | Skipped]:
        """Look into files.

        Args:
            files: paths, taken as they are needed; what could not be had is passed on.

        Yields:
            What is found, a file's own things one after the other, files in no certain order.

        Raises:
            SandboxUnavailable: workers cannot be confined as the options demand.
        """
        waiting = iter(files)
        is_more = True
        with WorkerPool(self._database, self._options, self._jobs, self._looker) as pool:
            while is_more or pool.busy:
                while is_more and pool.vacant:
                    path = next(waiting, None)
                    if path is None:
                        is_more = False
                    elif isinstance(path, Skipped):
                        yield path
                    else:
                        yield from self._give(pool, path)
                if pool.busy:
                    for done in pool.collect(_PATIENCE):
                        yield from self._done(done)
                    self.confined_by = pool.confined_by

    def _give(self, pool: WorkerPool, path: str) -> Iterator[Skipped]:
        try:
            descriptor = open_regular(path)
        except OSError as error:
            yield Skipped(path, f"cannot be opened: {error.strerror or error}")
            return
        except (ScanError, ValueError) as error:
            yield Skipped(path, str(error))
            return
        self.files += 1
        self.size += os.fstat(descriptor).st_size
        self.latest = path
        number = self.files
        self._found[number] = []
        take = partial(self._take, number, path)
        pool.give(Job(path, descriptor, LookTask(to_bytes(path)), take, number))

    def _take(self, number: int, path: str, piece: PieceAnswer) -> None:
        self._found[number] += wire.read(piece.data, path)

    def _done(self, done: Done) -> Iterator[Component | Skipped]:
        yield from self._found.pop(done.job.ticket)
        if isinstance(done.result, Report):  # its worker was lost
            reasons = [skip.detail for skip in done.result.skipped] + done.result.errors
            yield Skipped(done.job.path, "; ".join(reasons))

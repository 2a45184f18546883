"""One path in, one `Report` out: the engine's public face.

A scanner is made once for a database and used for one path after the other. It knows
nothing of terminals, folders or what is done with a verdict.

    with Scanner(open_database()) as scanner:
        report = scanner.scan_file(Path("invoice.zip"))
        report.verdict, report.detections

Everything that parses or matches what is scanned runs in a confined worker process
(`workers`, `tocsin.sandbox`): `scan_file`, `scan_stream` and `scan_bytes` all do. Only
`scan_bytes(…, confined=False)` parses in the process that calls.
"""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path
from typing import BinaryIO

from tocsin.database.index import Index
from tocsin.engine.jobs import Job, scan_job
from tocsin.engine.messages import ScanTask, to_bytes
from tocsin.engine.object_scan import ObjectScanner, read_head
from tocsin.engine.options import Options
from tocsin.engine.report import Report
from tocsin.engine.workers import WorkerPool


class Scanner:
    """Scans with one database, in confined workers; may be used from several threads.

    The worker is forked from the process that scans. A process that is forked from it, as
    servers do, starts a worker of its own.

    The worker is started on first use and ended by `close`, by leaving a `with` block, or
    when the scanner is no longer referred to.

    Args:
        database: an opened index.
        options: how to scan.
    """

    def __init__(self, database: Index, options: Options | None = None) -> None:
        self.database = database
        self.options = options or Options()
        self._pool: WorkerPool | None = None
        self._owner = 0
        self._lock = threading.Lock()
        self._direct: ObjectScanner | None = None

    def __enter__(self) -> Scanner:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker; the scanner can still be used and then starts another."""
        with self._lock:
            if self._pool is not None:
                _close(self._pool, self._owner)
                self._pool = None

    @property
    def confined_by(self) -> tuple[str, ...]:
        """The mechanisms that confine the worker; empty before the first scan."""
        return self._pool.confined_by if self._pool is not None else ()

    def scan_file(self, path: Path | str) -> Report:
        """Scan a file, in the confined worker.

        Never raises for what it meets: a file that cannot be read is reported so, and so is
        a defect of this package, because the scan of the others must go on.

        Raises:
            SandboxUnavailable: the options demand a sandbox and this system has none.
        """
        return self._run(scan_job(os.fspath(path), self.options.exceptions))

    def scan_bytes(self, data: bytes, name: str = "", *, confined: bool = True) -> Report:
        """Scan bytes in memory.

        Args:
            data: the bytes.
            name: for the report and for rules that ask for it.
            confined: in the worker; False parses them in the calling process, which saves
                a copy and is for bytes that are trusted not to attack a parser.
        """
        if not confined:
            return self._in_caller().scan_bytes(data, name)
        descriptor = _memory_file()
        _write_all(descriptor, data)
        return self._run(_rewound_job(descriptor, name))

    def scan_stream(self, stream: BinaryIO, name: str) -> Report:
        """Scan what a stream gives, for example standard input, in the confined worker.

        It is read into memory first. When it has more bytes than the size limit only its
        digests are compared, which parses nothing and happens as it is read.
        """
        limit = self.options.limits.max_file_size
        try:
            head = read_head(stream, 0, limit)
        except OSError as error:
            report = Report(name)
            report.errors.append(error.strerror or str(error))
            return report
        if limit and len(head) > limit:
            return self._in_caller().scan_oversize(head, stream, name)
        return self.scan_bytes(head, name)

    def _in_caller(self) -> ObjectScanner:
        if self._direct is None:
            self._direct = ObjectScanner(self.database, self.options)
        return self._direct

    def _run(self, job: Job | Report) -> Report:
        if isinstance(job, Report):
            return job
        with self._lock:
            if self._pool is not None and self._owner != os.getpid():
                self._pool = None  # it is the worker of the process that this was forked from
            if self._pool is None:
                self._owner = os.getpid()
                self._pool = WorkerPool(self.database, self.options, 1)
                weakref.finalize(self, _close, self._pool, self._owner)
            (report,) = self._pool.run(iter([job]))
        assert isinstance(report, Report)
        return report


def _close(pool: WorkerPool, owner: int) -> None:
    """End a worker, unless it is another process's."""
    if owner == os.getpid():
        pool.close()


def _memory_file() -> int:
    """A file that stands in memory only."""
    return os.memfd_create("tocsin", os.MFD_CLOEXEC)


def _rewound_job(descriptor: int, name: str) -> Job:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return Job(name, descriptor, ScanTask(to_bytes(name)))


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]

"""One path in, one `Report` out: the engine's public face.

A scanner is made once for a database and used for one path after the other. It knows
nothing of terminals, folders or what is done with a verdict.

    scanner = Scanner(open_database())
    report = scanner.scan_file(Path("invoice.zip"))
    report.verdict, report.detections
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from tocsin.database.index import Index
from tocsin.engine.digests import Digests, digest_names
from tocsin.engine.findings import ALGORITHMS, Enough, Findings, Layer, Match
from tocsin.engine.identify import TypeRules
from tocsin.engine.options import Options
from tocsin.engine.report import Report
from tocsin.engine.tree import TreeScan
from tocsin.engine.yara_match import YaraScanner

_CHUNK = 1 << 20


class Scanner:
    """Scans objects with one database, in the calling process.

    Args:
        database: an opened index.
        options: how to scan.
    """

    def __init__(self, database: Index, options: Options | None = None) -> None:
        self.database = database
        self.options = options or Options()
        self._types = TypeRules(database)
        self._yara = YaraScanner(database) if database.has_yara else None

    def scan_file(self, path: Path | str) -> Report:
        """Scan a file.

        Never raises for what it meets: a file that cannot be read is reported so.
        """
        report = Report(os.fspath(path))
        started = time.perf_counter()
        if self.options.exceptions.paths and self.options.exceptions.allows_path(
            os.path.abspath(path)
        ):
            self._findings(report).skip(report.path, "allowed", "excepted by path")
            return report
        try:
            self._scan_path(report, path)
        except OSError as error:
            report.errors.append(error.strerror or str(error))
        report.seconds = time.perf_counter() - started
        return report

    def scan_bytes(self, data: bytes, name: str = "") -> Report:
        """Scan bytes in memory; `name` is for the report and for rules that ask for it."""
        report = Report(name)
        started = time.perf_counter()
        self._scan_data(report, data)
        report.seconds = time.perf_counter() - started
        return report

    def _findings(self, report: Report) -> Findings:
        return Findings(report, self.database, self.options)

    def _scan_path(self, report: Report, path: Path | str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with open(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                report.errors.append("not a regular file")
                return
            limit = self.options.limits.max_file_size
            if limit and status.st_size > limit:
                self._compare_digests(report, file)
                return
            data = file.read(limit + 1 if limit else -1)
        if limit and len(data) > limit:
            report.size = len(data)
            self._findings(report).skip(
                report.path, "limit", "it grew beyond --max-file-size while it was read"
            )
            return
        self._scan_data(report, data)

    def _scan_data(self, report: Report, data: bytes) -> None:
        report.size = len(data)
        report.empty = not data
        digests = Digests(data)
        report.sha256 = digests.get("sha256").hex()
        findings = self._findings(report)
        tree = TreeScan(self.database, self.options, self._types, self._yara, findings)
        with suppress(Enough):
            tree.scan(data, Layer(report.path, digests, len(data), None))

    def _compare_digests(self, report: Report, file: BinaryIO) -> None:
        """Of a file beyond the size limit the digests are still compared."""
        states = {name: hashlib.new(name, usedforsecurity=False) for name in ALGORITHMS}
        while chunk := file.read(_CHUNK):
            report.size += len(chunk)
            for state in states.values():
                state.update(chunk)
        digests = Digests(b"")
        for name, state in states.items():
            digests.set(name, state.digest())
        report.sha256 = digests.get("sha256").hex()
        findings = self._findings(report)
        layer = Layer(report.path, digests, report.size, None)
        findings.skip(
            report.path,
            "limit",
            f"{report.size} bytes are more than {self.options.limits.max_file_size} "
            "(--max-file-size); only its digests were compared",
        )
        with suppress(Enough):
            for found in digest_names(self.database, "file", digests, report.size):
                findings.add(layer, Match(found.name, found.source, pua=found.pua))

"""One object in, one `Report` out, in the process that calls.

A scanner is made once for a database and used for one object after the other. It knows
nothing of paths, folders or what is done with a verdict.
"""

from __future__ import annotations

import copy
import hashlib
import io
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
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


class ObjectScanner:
    """Scans objects with one database, in the calling process.

    What it is given is parsed where it runs; `scanner.Scanner` runs it in confined workers.

    Args:
        database: an opened index.
        options: how to scan.
    """

    def __init__(self, database: Index, options: Options | None = None) -> None:
        self.database = database
        self.options = options or Options()
        self._types = TypeRules(database)
        self._yara = YaraScanner(database) if database.has_yara else None

    def reporting(self, all_matches: bool | None) -> ObjectScanner:
        """This scanner, or one like it, that reports all that matches or the first match."""
        if all_matches is None or all_matches == self.options.all_matches:
            return self
        other = copy.copy(self)
        other.options = self.options._replace(all_matches=all_matches)
        return other

    def identify(self, data: bytes) -> str:
        """What an object is, with the database's own rules before the built-in ones."""
        return self._types.identify(data)

    def scan_bytes(self, data: bytes, name: str = "") -> Report:
        """Scan bytes in memory; `name` is for the report and for rules that ask for it.

        Never raises for what it meets: a defect of this package is reported too, because the
        scan of the others must go on.
        """
        report = Report(name)
        with accounted(report):
            self._scan_stream(report, io.BytesIO(data), len(data))
        return report

    def scan_stream(self, stream: BinaryIO, name: str, expected: int = 0) -> Report:
        """Scan what a stream gives, within the size limit.

        Args:
            stream: what to read.
            name: for the report.
            expected: bytes to expect, so that no more memory is asked for than that.
        """
        report = Report(name)
        with accounted(report):
            self._scan_stream(report, stream, expected)
        return report

    def scan_oversize(self, head: bytes, rest: BinaryIO, name: str) -> Report:
        """Compare the digests of what is too large to be scanned; nothing of it is parsed.

        Args:
            head: the bytes read already.
            rest: where the others come from.
            name: for the report.
        """
        report = Report(name)
        with accounted(report):
            self._compare_digests(report, head, rest)
        return report

    def _findings(self, report: Report) -> Findings:
        return Findings(report, self.database, self.options)

    def _scan_stream(self, report: Report, stream: BinaryIO, expected: int) -> None:
        """Read as much as the limit allows, and scan it if that is all there is.

        Args:
            report: where the result goes.
            stream: what to read.
            expected: bytes to expect, so that no more memory is asked for than that.
        """
        limit = self.options.limits.max_file_size
        data = b"" if limit and expected > limit else read_head(stream, expected, limit)
        if limit and max(expected, len(data)) > limit:
            self._compare_digests(report, data, stream)
        else:
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

    def _compare_digests(self, report: Report, head: bytes, rest: BinaryIO) -> None:
        """Of an object beyond the size limit the digests are still compared."""
        states = {name: hashlib.new(name, usedforsecurity=False) for name in ALGORITHMS}
        for chunk in chain((head,), iter(lambda: rest.read(_CHUNK), b"")):
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


def read_head(stream: BinaryIO, expected: int, limit: int) -> bytes:
    """Everything a stream gives, but no more than one byte beyond the limit.

    Asks for one byte more than is expected and then in pieces, so that a small file costs
    little memory whatever the limit is.
    """
    chunks: list[bytes] = []
    total = 0
    wanted = expected + 1
    while not limit or total <= limit:
        chunk = stream.read(min(wanted, limit + 1 - total) if limit else wanted)
        if not chunk:
            break
        chunks.append(chunk)
        total += len(chunk)
        wanted = _CHUNK
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


@contextmanager
def accounted(report: Report) -> Iterator[None]:
    """Take the time, and put what goes wrong into the report."""
    started = time.perf_counter()
    try:
        yield
    except OSError as error:
        report.errors.append(error.strerror or str(error))
    except Exception as error:
        report.errors.append(f"a defect of this program: {type(error).__name__}: {error}")
    report.seconds = time.perf_counter() - started

"""The whole engine: any bytes get a report that keeps its promises, and nothing escapes."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from functools import cache

import fuzz_support
from fuzz_database import small_database
from fuzz_layouts import SEEDS as EXECUTABLES

from tocsin.engine.options import Options
from tocsin.engine.report import Report, Verdict
from tocsin.engine.scanner import Scanner
from tocsin.unpack.interface import Limits

LIMITS = Limits(
    max_file_size=1 << 20, max_scan_size=4 << 20, max_files=100, max_depth=5, timeout=5.0
)
TEXT = (
    b"malicis start--middle----ended abefgh.zzz words one one TWO TWO aaaaaaaabbbbbbbb aaaa "
    b"regexGGex1234 regggex12 number1F00 group...memberm..group insidez yara yara abccd abbccd "
    b"abcccd the end."
)


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.exe", TEXT)
        archive.writestr("dir/b.txt", gzip.compress(TEXT))
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in (("a", TEXT), ("b.zip", _zip())):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


SEEDS = [
    TEXT,
    b"zzzz" + TEXT,
    b"From a@b\nSubject: s\n\nx\n\nFrom c@d\nMessage-ID: <1>\n\n" + TEXT,
    _zip(),
    _tar(),
    gzip.compress(TEXT),
    bz2.compress(TEXT),
    lzma.compress(TEXT),
    gzip.compress(_tar()),
    *EXECUTABLES,
    *(image + TEXT for image in EXECUTABLES[:3]),
]


@cache
def _scanners() -> tuple[Scanner, Scanner]:
    database = small_database()
    return (
        Scanner(database, Options(limits=LIMITS, all_matches=True, detect_pua=True)),
        Scanner(database, Options(limits=LIMITS, all_matches=False, detect_pua=True)),
    )


def check(data: bytes) -> None:
    """Scan for all and for the first match, and hold the two against each other."""
    every, first = (scanner.scan_bytes(data, "fuzzed") for scanner in _scanners())
    for report in (every, first):
        assert not report.errors
        stated = report.to_dict()
        assert Report.from_dict(json.loads(json.dumps(stated))).to_dict() == stated
        assert report.size == len(data)
        assert report.empty == (not data)
        for skip in report.skipped:
            assert skip.object.startswith("fuzzed")
            assert skip.detail
        for found in report.detections:
            assert found.name
            assert found.object.startswith("fuzzed")
            assert found.offset is None or found.offset >= 0
        if report.skipped and not report.detections:
            assert report.verdict is Verdict.INCOMPLETE
    assert len(first.detections) == min(1, len(every.detections))
    assert first.detections == every.detections[:1]


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

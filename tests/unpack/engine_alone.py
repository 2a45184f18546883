"""Scans one file with the whole engine in a process of its own, to see what it costs.

In the process itself and unconfined, so that time and memory are the engine's alone and not
those that a worker's bounds leave it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

NEEDLE = b"tocsin-needle-one"
RULE = "Test.Needle:0:*:" + NEEDLE.hex() + "\n"


class Cost(NamedTuple):
    """What came of a scan and what it took."""

    verdict: str
    reasons: list[str]
    details: list[str]
    objects: list[str]
    errors: list[str]
    seconds: float
    megabytes: float


def scan_alone(data: bytes, folder: Path) -> Cost:
    """Scan bytes in a new process.

    Args:
        data: what to scan.
        folder: an empty one, for the file, the database and whatever a scan would leave.
    """
    signatures = folder / "signatures"
    signatures.mkdir(parents=True)
    (signatures / "a.ndb").write_text(RULE)
    (folder / "work").mkdir()
    (folder / "sample").write_bytes(data)
    paths = os.pathsep.join(path for path in sys.path if path)
    run = subprocess.run(
        [sys.executable, __file__, str(signatures), str(folder / "sample")],
        cwd=folder / "work",
        env={**os.environ, "PYTHONPATH": paths, "TOCSIN_CACHE_DIR": str(folder / "cache")},
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr.decode()[-2000:]
    assert not list((folder / "work").iterdir())
    return Cost(*json.loads(run.stdout))


def peak_megabytes() -> float:
    """The most memory this program had; `getrusage` would count what its parent had too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("/proc tells no VmHWM")


def main() -> None:
    """Scan the file that is named, with the signatures of the folder that is named."""
    from tocsin.database.cache import open_database
    from tocsin.engine.object_scan import ObjectScanner
    from tocsin.engine.options import Options

    signatures, sample = map(Path, sys.argv[1:])
    scanner = ObjectScanner(open_database(signatures), Options(all_matches=True))
    data = sample.read_bytes()
    before = time.process_time()
    report = scanner.scan_bytes(data, "sample")
    seconds = time.process_time() - before
    cost = Cost(
        verdict=report.verdict.value,
        reasons=sorted({skip.reason for skip in report.skipped}),
        details=[skip.detail for skip in report.skipped][:20],
        objects=[found.object for found in report.detections][:100],
        errors=report.errors,
        seconds=seconds,
        megabytes=peak_megabytes(),
    )
    print(json.dumps(cost))


if __name__ == "__main__":
    main()

"""Runs the default rules over an ordinary machine, where they must find nothing.

A default database that cries at a fresh system is worse than none.  This script reads every
regular file below the usual places (interpreters, packages, programs, documentation) with the
YARA rules, and with ``clamscan`` those of ClamAV's languages if asked to, and prints each finding
with the bytes that caused it.  The exit status is 1 if there is any::

    python tests/data/sweep.py                  # the usual places
    python tests/data/sweep.py --clamav /usr/bin
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import stat
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import matching
import yara_x

LIMIT = 64 << 20  # bytes read of one file
SKIPPED = ("clamav-testfiles",)  # these exist to be found
Finding = tuple[str, str, bytes]
_scanner: yara_x.Scanner | None = None


def usual_places() -> list[Path]:
    """Return the folders that hold programs, libraries and documentation here, if they exist."""
    places = [
        Path(sysconfig.get_path("stdlib")),
        Path(sysconfig.get_path("purelib")),
        Path("/usr/bin"),
        Path("/usr/sbin"),
        Path("/usr/lib"),
        Path("/usr/share"),
        Path("/usr/local"),
        Path("/etc"),
        Path("/opt"),
    ]
    return [place for place in places if place.is_dir()]


def files_below(places: list[Path]) -> Iterator[str]:
    """Yield each regular file below *places* once, whatever links lead to it."""
    seen: set[tuple[int, int]] = set()
    for place in places:
        for folder, names, files in os.walk(place):
            names[:] = [name for name in names if name not in SKIPPED]
            for file in files:
                path = os.path.join(folder, file)
                try:
                    status = os.lstat(path)
                except OSError:
                    continue
                key = (status.st_dev, status.st_ino)
                if stat.S_ISREG(status.st_mode) and status.st_size and key not in seen:
                    seen.add(key)
                    yield path


def _start() -> None:
    global _scanner
    compiler = yara_x.Compiler()
    for path in matching.yara_files():
        compiler.new_namespace(path.stem)
        compiler.add_source(path.read_text(encoding="ascii"))
    _scanner = yara_x.Scanner(compiler.build())


def _scan(path: str) -> tuple[int, list[Finding]]:
    assert _scanner is not None
    try:
        with open(path, "rb") as file:
            data = file.read(LIMIT)
    except OSError:
        return 0, []
    findings = []
    for rule in _scanner.scan(data).matching_rules:
        spans = [match for pattern in rule.patterns for match in pattern.matches]
        shown = data[spans[0].offset :][: min(spans[0].length, 120)] if spans else b""
        findings.append((path, rule.identifier, shown))
    return len(data), findings


def sweep_yara(places: list[Path]) -> int:
    """Scan with the YARA rules; print the findings and return how many there were."""
    found = count = size = 0
    begin = time.monotonic()
    with multiprocessing.Pool(initializer=_start) as pool:
        for length, findings in pool.imap_unordered(_scan, files_below(places), chunksize=64):
            count += 1
            size += length
            found += len(findings)
            for path, rule, shown in findings:
                print(f"{rule}\t{path}\t{shown!r}", flush=True)
    seconds = time.monotonic() - begin
    print(f"{count} files, {size / 1e6:.0f} MB, {found} findings, {seconds:.0f} s")
    return found


def sweep_clamav(places: list[Path]) -> int:
    """Scan with the signatures in ClamAV's languages; return clamscan's exit status."""
    databases = [f"--database={path}" for path in matching.clamav_files()]
    skipped = [f"--exclude-dir={name}" for name in SKIPPED]
    command = ["clamscan", "--recursive", "--infected", *databases, *skipped]
    return subprocess.run([*command, *map(str, places)], check=False).returncode


def main() -> int:
    """Run the command line described in the module's docstring."""
    parser = argparse.ArgumentParser(description="the default rules over an ordinary machine")
    parser.add_argument("places", nargs="*", type=Path, help="folders (default: the usual ones)")
    parser.add_argument("--clamav", action="store_true", help="use clamscan and its languages")
    options = parser.parse_args()
    places = options.places or usual_places()
    return int(bool((sweep_clamav if options.clamav else sweep_yara)(places)))


if __name__ == "__main__":
    sys.exit(main())

"""The two sides that are compared: what clamscan prints and what tocsin finds."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

import tocsin
from tocsin.errors import SignatureError

ORACLE_VERSION = "1.4.6"
Names = frozenset[str]
Verdicts = dict[str, Names] | None
"""Names by file; None when the database is refused as malformed."""

_UNOFFICIAL = ".UNOFFICIAL"


def require_clamscan() -> None:
    """Skip the calling test where the oracle is missing or another version."""
    program = shutil.which("clamscan")
    if program is None:
        pytest.skip("clamscan is not installed")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    if not version.stdout.startswith(f"ClamAV {ORACLE_VERSION}"):
        pytest.skip(f"the oracle is ClamAV {ORACLE_VERSION}, here is {version.stdout.strip()}")


def write_database(folder: Path, files: Mapping[str, str]) -> Path:
    """Write signature files, `name: content`, to a folder."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content.encode("latin-1"))
    return folder


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write what is to be scanned to a folder."""
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def ask_clamscan(database: Path, target: Path) -> Verdicts:
    """Run clamscan once over a folder or a file, every match reported.

    Its cache of clean objects is off, because it takes an object that an allow list protected
    once for a clean one ever after. Where clamscan crashes, which some macro signatures make
    it do, its verdict is left out.
    """
    command = ["clamscan", "-z", "-r", "--no-summary", "--disable-cache", "-d", str(database)]
    run = subprocess.run([*command, str(target)], capture_output=True, check=False)
    if run.returncode < 0:
        alone = sorted(target.iterdir()) if target.is_dir() else []
        answers = [ask_clamscan(database, path) for path in alone]
        return {name: names for answer in answers if answer for name, names in answer.items()}
    found: dict[str, set[str]] = {}
    for line in set(run.stdout.splitlines()):  # with -z a name may stand there many times
        path, separator, verdict = line.decode("utf-8", "surrogateescape").partition(": ")
        if not separator:
            continue
        names = found.setdefault(path.rpartition("/")[2], set())
        if verdict.endswith(" FOUND"):
            names.add(verdict.removesuffix(" FOUND").removesuffix(_UNOFFICIAL))
    if run.returncode == 2 and not found:
        return None
    return {name: frozenset(names) for name, names in found.items()}


def ask_tocsin(database: Path, target: Path, cache: Path, *, confined: bool = True) -> Verdicts:
    """The same with tocsin.

    Args:
        database: folder of signature files.
        target: a folder of files, or a file.
        cache: where the index is kept.
        confined: scan in a worker. False matches in this process: what is asked is then what
            matches, by a database of its own for few files, and starting a worker for each
            would take longer than the answer.
    """
    try:
        opened = tocsin.open_database([database], cache_dir=cache)
    except SignatureError:
        return None
    paths = sorted(target.iterdir()) if target.is_dir() else [target]
    with tocsin.Scanner(opened, tocsin.Options(all_matches=True)) as scanner:
        return {
            path.name: _names(scanner, path, confined=confined) for path in paths if path.is_file()
        }


def _names(scanner: tocsin.Scanner, path: Path, *, confined: bool) -> Names:
    report = (
        scanner.scan_file(path)
        if confined
        else scanner.scan_bytes(path.read_bytes(), str(path), confined=False)
    )
    return frozenset(detection.name for detection in report.detections)

"""Debian's clamav-testfiles: one program in 44 wrappings, each found by tocsin's commands.

The digest finds the program itself, wherever it comes out unchanged; 18 bytes of its code find
it also where a packer has been and a memory image comes out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FILES = Path("/usr/share/clamav-testfiles")
DIGEST = "71e7b604d18aefd839e51a39c88df8383bb4c071dc31f87f00a2b5df580d4495:544:Test.Digest:73\n"
CODE = slice(0x45, 0x45 + 18)
PACKED = {
    f"clam-{packer}.exe"
    for packer in ("aspack", "fsg", "mew", "pespin", "petite", "upack", "upx", "wwpack", "yc")
}

pytestmark = pytest.mark.skipif(
    not FILES.is_dir(), reason="Debian's package clamav-testfiles is not installed"
)


def names() -> list[str]:
    return sorted(path.name for path in FILES.iterdir())


def databases(folder: Path) -> tuple[Path, Path]:
    digest = folder / "digest.hsb"
    digest.write_text(DIGEST)
    body = folder / "body.ndb"
    body.write_text(f"Test.Body:0:*:{(FILES / 'clam.exe').read_bytes()[CODE].hex()}\n")
    return digest, body


def found_by_stand_in(database: Path) -> set[str]:
    command = [sys.executable, "-m", "tocsin.cli.clamscan", "-d", database, "--no-summary", FILES]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    found = [line for line in done.stdout.splitlines() if line.endswith(" FOUND")]
    return {Path(line.partition(": ")[0]).name for line in found}


def test_there_are_44() -> None:
    assert len(names()) == 44
    assert set(names()) > PACKED


def test_all_are_looked_at_wholly_and_found_by_digest_and_code(tmp_path: Path) -> None:
    """But one that is nested too deep, and the digest where a packer has been."""
    digest, body = databases(tmp_path)
    command = [sys.executable, "-m", "tocsin.cli.main", "scan", "--json", "--all-matches"]
    command += ["--db", digest, "--db", body, FILES]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    found: dict[str, set[str]] = {"Test.Digest": set(), "Test.Body": set()}
    partly = set()
    for report in map(json.loads, done.stdout.splitlines()):
        name = Path(report["path"]).name
        for detection in report["detections"]:
            found[detection["name"]].add(name)
        if report["skipped"] or report["errors"]:
            partly.add(name)
    assert set(names()) - PACKED - found["Test.Digest"] == set()
    assert set(names()) - found["Test.Body"] == set()
    assert partly == {"clam_cache_emax.tgz"}


def test_stand_in_finds_the_digest_in_everything_that_is_not_packed(tmp_path: Path) -> None:
    digest, _ = databases(tmp_path)
    assert set(names()) - PACKED - found_by_stand_in(digest) == set()


def test_stand_in_finds_the_code_in_all(tmp_path: Path) -> None:
    _, body = databases(tmp_path)
    assert set(names()) - found_by_stand_in(body) == set()

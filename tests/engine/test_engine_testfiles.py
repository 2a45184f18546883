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


def reports_by_tocsin(database: Path) -> list[dict]:
    command = [sys.executable, "-m", "tocsin.cli.main", "scan", "--json", "--db", database, FILES]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return [json.loads(line) for line in done.stdout.splitlines()]


def found_by_tocsin(database: Path) -> set[str]:
    reports = reports_by_tocsin(database)
    return {Path(r["path"]).name for r in reports if r["verdict"] == "infected"}


def found_by_stand_in(database: Path) -> set[str]:
    command = [sys.executable, "-m", "tocsin.cli.clamscan", "-d", database, "--no-summary", FILES]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    found = [line for line in done.stdout.splitlines() if line.endswith(" FOUND")]
    return {Path(line.partition(": ")[0]).name for line in found}


def test_there_are_44() -> None:
    assert len(names()) == 44
    assert set(names()) > PACKED


@pytest.mark.parametrize("scan", [found_by_tocsin, found_by_stand_in])
def test_digest_is_found_in_everything_that_is_not_packed(scan, tmp_path: Path) -> None:
    digest, _ = databases(tmp_path)
    assert set(names()) - PACKED - scan(digest) == set()


@pytest.mark.parametrize("scan", [found_by_tocsin, found_by_stand_in])
def test_code_is_found_in_all(scan, tmp_path: Path) -> None:
    _, body = databases(tmp_path)
    assert set(names()) - scan(body) == set()


def test_all_are_looked_at_wholly_but_one_that_is_nested_too_deep(tmp_path: Path) -> None:
    (tmp_path / "nothing.ndb").write_text("Test.Nothing:0:*:00112233445566778899aabbccddeeff00\n")
    reports = reports_by_tocsin(tmp_path / "nothing.ndb")
    verdicts = {Path(r["path"]).name: r["verdict"] for r in reports if r["verdict"] != "clean"}
    assert verdicts == {"clam_cache_emax.tgz": "incomplete"}

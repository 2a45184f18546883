"""`tocsin unpack` and `tocsin identify`, as a person and as a program calls them."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

TOCSIN = [sys.executable, "-m", "tocsin.cli.main"]


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TOCSIN, *map(str, words)], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def nested(tmp_path: Path) -> Path:
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w") as archive:
        info = tarfile.TarInfo("../../escape.txt")
        info.size = 11
        archive.addfile(info, io.BytesIO(b"inner words"))
    place = tmp_path / "outer.zip"
    with zipfile.ZipFile(place, "w") as outer:
        outer.writestr("folder/inner.tar.gz", gzip.compress(inner.getvalue()))
        outer.writestr("plain.txt", "plain words")
    return place


def test_list_for_people(nested: Path) -> None:
    done = run("unpack", "--list", nested)
    assert (done.returncode, done.stderr) == (0, "")
    assert "outer.zip: ZIP" in done.stdout
    assert "folder/inner.tar.gz!/1!/../../escape.txt" in done.stdout
    assert not (nested.parent / "escape.txt").exists()


def test_list_for_programs(nested: Path) -> None:
    done = run("unpack", "--json", nested)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    rows = [row for row in rows if row["reason"] != "view"]
    assert [row["name"] for row in rows][-1] == "plain.txt"
    assert rows[-1]["size"] == 11
    assert {row["container"] for row in rows} == {"ZIP", "GZ", "POSIX_TAR"}


def test_one_layer(nested: Path) -> None:
    rows = [json.loads(line) for line in run("unpack", "--json", "-1", nested).stdout.splitlines()]
    assert [row["name"] for row in rows] == ["folder/inner.tar.gz", "plain.txt"]


def test_extraction(nested: Path, tmp_path: Path) -> None:
    done = run("unpack", nested, "-o", tmp_path / "out")
    assert done.returncode == 0
    assert (tmp_path / "out/plain.txt").read_text() == "plain words"
    (inner,) = (tmp_path / "out").rglob("escape.txt")
    assert inner.read_text() == "inner words"
    assert not (nested.parent / "escape.txt").exists()
    again = run("unpack", nested, "-o", tmp_path / "out")
    assert again.returncode == 2
    assert "not empty" in again.stderr


def test_what_does_not_come_out_is_named(tmp_path: Path) -> None:
    place = tmp_path / "cut.zip"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(range(256)) * 50)
    place.write_bytes(buffer.getvalue()[:60])
    done = run("unpack", place)
    assert done.returncode == 2
    assert "truncated" in done.stdout


@pytest.mark.parametrize("verb", ["unpack", "identify"])
@pytest.mark.parametrize("name", ["missing", "."])
def test_what_cannot_be_read(verb: str, name: str, tmp_path: Path) -> None:
    done = run(verb, tmp_path / name)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "defect" not in done.stderr
    assert str(tmp_path) in done.stderr


def test_list_and_output_contradict_each_other(nested: Path, tmp_path: Path) -> None:
    assert run("unpack", "--list", "-o", tmp_path / "out", nested).returncode == 2


def test_identify(nested: Path) -> None:
    done = run("identify", nested, sys.executable)
    assert done.returncode == 0
    assert "ZIP" in done.stdout
    assert "ELF" in done.stdout
    values = json.loads(run("identify", "--json", nested).stdout)
    assert values["type"] == "ZIP"
    assert values["opened_as"][0] == "ZIP"
    assert values["size"] == nested.stat().st_size

"""Members are written below the folder and nowhere else, whatever they are called."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.app.extract import INDEX_NAME, Extraction, safe_parts
from tocsin.errors import UsageError

TRICKS: dict[str, tuple[list[bytes], tuple[str, ...]]] = {
    "plain": ([b"a.txt"], ("a.txt",)),
    "folders": ([b"dir/sub/a.txt"], ("dir", "sub", "a.txt")),
    "upwards": ([b"../../etc/passwd"], ("etc", "passwd")),
    "absolute": ([b"/etc/passwd"], ("etc", "passwd")),
    "backslashes": ([rb"..\..\windows\x.dll"], ("windows", "x.dll")),
    "drive": ([rb"C:\autoexec.bat"], ("C_", "autoexec.bat")),
    "stream": ([b"a.txt:hidden"], ("a.txt_hidden",)),
    "nothing": ([b""], ("unnamed",)),
    "dots": ([b"..."], ("unnamed",)),
    "NUL and newline": ([b"a\0b\nc"], ("a_b_c",)),
    "right to left": (["a\u202egnp.exe".encode()], ("a_gnp.exe",)),
    "device": ([b"con.txt"], ("_con.txt",)),
    "not text": ([b"\xff\xfe"], ("__",)),
    "in a member": ([b"a/b.zip", b"../c"], ("a", "b.zip.d", "c")),
    "our own list": ([INDEX_NAME.encode()], (f"_{INDEX_NAME}",)),
}


@pytest.mark.parametrize("what", TRICKS)
def test_names(what: str) -> None:
    way, parts = TRICKS[what]
    assert safe_parts(way) == parts


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=50))
def test_any_name_is_made_harmless(way: list[bytes]) -> None:
    parts = safe_parts(way)
    assert 1 <= len(parts) <= 32
    for part in parts:
        assert part not in ("", ".", "..")
        assert "/" not in part
        assert "\\" not in part
        assert part.isprintable()
        assert len(part.encode()) < 200


def test_a_name_of_65535_characters(tmp_path: Path) -> None:
    with Extraction(tmp_path / "out") as extraction:
        place = extraction.write([b"x" * 65_535 + b".exe"], b"data")
    assert (tmp_path / "out" / place).read_bytes() == b"data"
    assert place.endswith(".exe")


def test_everything_stays_below(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    with Extraction(tmp_path / "out") as extraction:
        for name in (
            b"../outside",
            b"/../../outside",
            str(outside).encode(),
            b"./../out/../outside",
        ):
            extraction.write([name], b"theirs")
    assert outside.read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "outside"]


def test_same_names_do_not_write_over_one_another(tmp_path: Path) -> None:
    with Extraction(tmp_path / "out") as extraction:
        places = [extraction.write([b"a"], bytes([number])) for number in range(3)]
        places.append(extraction.write([b"a/b"], b"below a file"))
    assert len(set(places)) == 4
    assert (tmp_path / "out" / places[2]).read_bytes() == b"\2"
    assert (tmp_path / "out" / places[3]).read_bytes() == b"below a file"


def test_link_put_there_meanwhile_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    with Extraction(tmp_path / "out") as extraction:
        (tmp_path / "out" / "dir").symlink_to(target)
        (tmp_path / "out" / "file").symlink_to(target / "made")
        places = [extraction.write([b"dir/a"], b"1"), extraction.write([b"file"], b"2")]
    assert list(target.iterdir()) == []
    assert places == ["dir~2/a", "file~2"]


def test_written_files_are_the_users_own_and_not_executable(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with Extraction(tmp_path / "out") as extraction:
            place = extraction.write([b"dir/a.exe"], b"MZ")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "out" / place).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700


def test_list_names_what_was_stored(tmp_path: Path) -> None:
    with Extraction(tmp_path / "out") as extraction:
        extraction.write([b"a.zip", b"../\xff"], b"x")
    (line,) = (tmp_path / "out" / INDEX_NAME).read_text().splitlines()
    assert json.loads(line) == {"member": ["a.zip", "../\\xff"], "file": "a.zip.d/_", "size": 1}


@pytest.mark.parametrize("name", [b"-rf", b"~", b"~root/a", b"dir/--exec=x"])
def test_names_that_programs_and_shells_obey_are_changed(name: bytes) -> None:
    assert not [part for part in safe_parts([name]) if part.startswith(("-", "~"))]


def test_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    with pytest.raises(UsageError, match="not empty"):
        Extraction(tmp_path)


def test_folder_that_is_a_link_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(UsageError, match="new folder"):
            Extraction(tmp_path / name)


def test_many_members_of_one_name_take_no_undue_time(tmp_path: Path) -> None:
    with Extraction(tmp_path / "out") as extraction:
        places = {extraction.write([b"dir/a"], b"") for _ in range(5000)}
    assert len(places) == 5000

"""Files made to exhaust a scanner, and names made to fool it, through the whole engine.

A verdict of a bomb is never `clean`, because not everything in it was looked at; time and
memory stay within bounds that hold for any file. Each is scanned in a process of its own,
whose peak of memory is measured.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from pathlib import Path

import pytest
from bomb_samples import (
    BOMBS,
    EITHER_WAY,
    HARMLESS_BOMBS,
    NAMES,
    NEEDLE,
    nested_zip,
    overlapping_zip,
    with_names,
)
from engine_alone import RULE, scan_alone
from quine_samples import gzip_quine, zip_quine

from tocsin.database.cache import open_database
from tocsin.engine.object_scan import ObjectScanner
from tocsin.engine.options import Options
from tocsin.engine.scanner import Scanner

MOST_SECONDS = 20
"""Of processor time, that other work on the machine should not lengthen."""

MOST_MEGABYTES = 700
UNFINISHED: dict[str, str] = {}
"""Samples that are called clean though they were not wholly looked at, and by whose fault."""


def _marked(names: dict[str, object]) -> list[object]:
    return [
        pytest.param(name, marks=pytest.mark.xfail(reason=UNFINISHED[name], strict=True))
        if name in UNFINISHED
        else name
        for name in names
    ]


@pytest.mark.parametrize("what", _marked({**BOMBS}))
def test_bomb(what: str, tmp_path: Path) -> None:
    data = BOMBS[what]()
    assert len(data) < 60_000_000
    cost = scan_alone(data, tmp_path / "x")
    assert cost.verdict in ("incomplete", "infected"), cost
    assert set(cost.reasons) & {"limit", "damaged", "unsupported"}
    assert not cost.errors
    assert cost.seconds < MOST_SECONDS
    assert cost.megabytes < MOST_MEGABYTES


@pytest.mark.parametrize("what", HARMLESS_BOMBS)
def test_bomb_that_is_none_here(what: str, tmp_path: Path) -> None:
    """What stands behind it is found."""
    cost = scan_alone(HARMLESS_BOMBS[what](), tmp_path / "x")
    assert cost.verdict == "infected", cost
    assert not cost.errors
    assert cost.seconds < MOST_SECONDS
    assert cost.megabytes < MOST_MEGABYTES


@pytest.mark.parametrize("what", EITHER_WAY)
def test_bomb_that_may_be_refused(what: str, tmp_path: Path) -> None:
    cost = scan_alone(EITHER_WAY[what](), tmp_path / "x")
    assert cost.verdict in ("infected", "incomplete"), cost
    assert not cost.errors
    assert cost.seconds < MOST_SECONDS
    assert cost.megabytes < MOST_MEGABYTES


def test_bombs_in_confined_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The public scanner says the same of them, and its worker lives on."""
    monkeypatch.setenv("TOCSIN_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "a.ndb").write_text(RULE)
    few = ("zip that is its own member", "gzip of a gzip of 10 GB", "PDF with five deflate filters")
    with Scanner(open_database(tmp_path / "a.ndb")) as scanner:
        for what in few:
            place = tmp_path / "sample"
            place.write_bytes(BOMBS[what]())
            report = scanner.scan_file(place)
            assert report.verdict.value in ("incomplete", "infected"), what
            assert {skip.reason for skip in report.skipped} == {"limit"}, report.skipped
        place.write_bytes(b"a harmless text and nothing else")
        assert scanner.scan_file(place).verdict.value == "clean"


# --- the samples are what they are called --------------------------------------------------


def test_quines_contain_themselves() -> None:
    data = gzip_quine()
    assert gzip.decompress(data) == data
    data = zip_quine()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert [archive.read(name) for name in archive.namelist()] == [data]


def test_overlapping_members_are_whole() -> None:
    data = overlapping_zip(20, 1024 * 1024)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()  # Debian's zipfile refuses to read what overlaps
    sizes = []
    for member in members:
        start = member.header_offset + 30 + len(member.filename)
        plain = zlib.decompress(data[start : start + member.compress_size], -zlib.MAX_WBITS)
        assert zlib.crc32(plain) == member.CRC
        sizes.append(len(plain))
    assert len(sizes) == 20
    assert sum(sizes) > 1000 * len(data)


def test_nested_archives_are_whole() -> None:
    data = nested_zip(2, 3, 1024 * 1024)
    for _ in range(2):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [archive.read(name) for name in archive.namelist()]
        assert len(members) == 3
        data = members[0]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.read("0.dll") == bytes(1024 * 1024)


# --- names ------------------------------------------------------------------------------------

TRICKED = dict(with_names(b"a member's data: " + NEEDLE + b" and more"))
HARMLESS = dict(with_names(b"a member's data: harmless, and nothing more"))


@pytest.fixture(scope="module")
def scanner(tmp_path_factory: pytest.TempPathFactory) -> ObjectScanner:
    folder = tmp_path_factory.mktemp("signatures")
    (folder / "a.ndb").write_text(RULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOCSIN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        database = open_database(folder)
    return ObjectScanner(database, Options(all_matches=True))


@pytest.mark.parametrize("what", TRICKED)
def test_tricky_name(
    what: str, scanner: ObjectScanner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data are found, the name is in the report, and nothing is written anywhere."""
    monkeypatch.chdir(tmp_path)
    report = scanner.scan_bytes(TRICKED[what], "x")
    assert report.verdict.value == "infected"
    assert not report.errors
    assert all(found.object.startswith("x") for found in report.detections)
    report.to_dict()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("what", HARMLESS)
def test_harmless_data_under_a_tricky_name(what: str, scanner: ObjectScanner) -> None:
    report = scanner.scan_bytes(HARMLESS[what], "x")
    assert (report.verdict.value, report.skipped) == ("clean", [])


def test_names_are_kept_as_they_are(scanner: ObjectScanner) -> None:
    for what, name in NAMES.items():
        key = f"zip: name {what}"
        shown = [found.object for found in scanner.scan_bytes(TRICKED[key], "x").detections]
        expected = name.decode("utf-8", "surrogateescape") or "1"
        if name.isascii():
            assert f"x!/{expected}" in shown, what


def test_a_tree_of_names_costs_little(tmp_path: Path) -> None:
    """Long names repeated thousands of times, and nested: reports grow with them linearly."""
    from unpack_samples import Entry, make_zip

    data = make_zip([Entry(b"n" * 60_000, b"x" * 99, 0)])
    for _ in range(12):
        data = make_zip([Entry(b"m" * 65_535, data)] * 2)
    cost = scan_alone(data, tmp_path / "x")
    assert not cost.errors
    assert cost.seconds < MOST_SECONDS
    assert cost.megabytes < MOST_MEGABYTES

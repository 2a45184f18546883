"""A zip behind other bytes is found by its directory, and by nothing less."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from tocsin.formats.kinds import kinds


def zipped(comment: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", b"inside")
        archive.comment = comment
    return buffer.getvalue()


@pytest.mark.parametrize("before", [b"", b"MZ" + bytes(5000), b"a line of text\n"])
@pytest.mark.parametrize("comment", [b"", b"a comment"])
def test_a_zip_behind_other_bytes(before: bytes, comment: bytes) -> None:
    assert "ZIP" in kinds(before + zipped(comment), "MSEXE")


@pytest.mark.parametrize("after", [bytes(70_000), b"more than a comment may hold" * 5000])
def test_a_zip_between_other_bytes(after: bytes) -> None:
    assert "ZIP" in kinds(b"MZ" + bytes(5000) + zipped() + after, "MSEXE")


@pytest.mark.parametrize("behind", [bytes(70_000), b"x" * 70_000, b"PK\5\6" + b"x" * 99])
def test_whatever_follows_it(behind: bytes) -> None:
    assert "ZIP" in kinds(b"GIF89a" + zipped() + behind, "GIF")


@pytest.mark.parametrize("room", [0, 8], ids=["before its locator", "elsewhere"])
def test_a_zip_whose_end_is_a_zip64_one(room: int) -> None:
    data = b"GIF89a" + zipped()
    start, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, end - start, start)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    last = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert "ZIP" in kinds(data[:end] + record + bytes(room) + locator + last, "GIF")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x05\x06",
        b"PK\x03\x04 and PK\x05\x06 " + bytes(40),
        b"MZ" + zipped()[:-30],
        zipped().replace(b"PK\x01\x02", b"PK\x01\x03"),
    ],
    ids=["nothing", "record alone", "magic numbers", "cut", "no directory"],
)
def test_what_only_looks_like_one(data: bytes) -> None:
    assert "ZIP" not in kinds(data, "MSEXE")

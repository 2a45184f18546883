"""The file of sections under an index: whatever is damaged is refused as such."""

from __future__ import annotations

import os

import pytest

from tocsin.database.sections import SectionFile, write_sections
from tocsin.errors import DatabaseError

SECTIONS = {"meta": b"m" * 100, "empty": b"", "names": bytes(range(256)), "one": b"\x01"}


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "some.index"
    with place.open("wb") as file:
        write_sections(file, SECTIONS.items())
    return place


def opened(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return SectionFile(descriptor, str(path))
    finally:
        os.close(descriptor)


def test_sections_come_back(path):
    file = opened(path)
    assert file.names() == list(SECTIONS)
    for name, data in SECTIONS.items():
        assert name in file
        assert file.section(name) == data
    assert "other" not in file
    assert file.section("other") == b""
    file.verify()


def test_same_sections_same_bytes(path, tmp_path):
    other = tmp_path / "other"
    with other.open("wb") as file:
        write_sections(file, SECTIONS.items())
    assert other.read_bytes() == path.read_bytes()


def test_every_truncation_is_refused(path):
    data = path.read_bytes()
    for length in range(0, len(data), 97):
        path.write_bytes(data[:length])
        with pytest.raises(DatabaseError):
            opened(path)


def test_every_bit_flip_is_refused_or_in_padding(path):
    """What lies between the sections is not covered: nothing reads it."""
    data = path.read_bytes()
    file = opened(path)
    covered = set()
    for name in file.names():
        offset, length, _ = file._directory[name]
        covered.update(range(offset, offset + length))
    for place in range(len(data)):
        altered = bytearray(data)
        altered[place] ^= 1 << (place % 8)
        path.write_bytes(altered)
        try:
            damaged = opened(path)
            damaged.verify()
        except DatabaseError:
            continue
        assert place not in covered
        assert {n: damaged.section(n).tobytes() for n in damaged.names()} == SECTIONS


def test_growth_is_refused(path):
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(DatabaseError):
        opened(path)


@pytest.mark.parametrize("content", [b"", b"tocsinIX", b"\0" * 4096, b"\x7fELF" * 100])
def test_other_files_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(DatabaseError):
        opened(path)

"""Names of the files of an Inno Setup program, from its description.

The description is a row of records whose layout changes with nearly every version. What is
needed of it is one text a file; where the records do not add up, there are no names, and the
files are numbered.

Source: the structure as innoextract and innounp describe it, versions 5.5 to 6.6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

Version = tuple[int, int, int, int]

_LONGEST = 64 * 1024 * 1024
_MOST_RECORDS = 1_000_000
_WINDOWS_VERSIONS = 20
_ANSI_CHARACTER_SET = 32
_NO_LOCATION = 0xFFFFFFFF
_TRIED = (0, 1, -1, 2, -2, 3, -3, 4, -4)
"""Bytes by which the head's length may differ from what is computed for its version."""


class _Misread(Exception):
    """The bytes are not laid out as assumed."""


class _Record(NamedTuple):
    """A kind of record: so many texts, then so many other bytes."""

    texts: int
    other: int


class _Reader:
    def __init__(self, data: bytes, alive: Callable[[], None]) -> None:
        self.data = data
        self.at = 0
        self.alive = alive

    def number(self) -> int:
        """The next number of 32 bits."""
        if self.at + 4 > len(self.data):
            raise _Misread
        self.at += 4
        return int.from_bytes(self.data[self.at - 4 : self.at], "little")

    def text(self) -> bytes:
        """The next text, behind its length."""
        size = self.number()
        if size > _LONGEST or self.at + size > len(self.data):
            raise _Misread
        self.at += size
        return self.data[self.at - size : self.at]

    def skip(self, record: _Record, count: int) -> None:
        """Pass over records of one kind."""
        for done in range(count):
            if not done % 1024:
                self.alive()
            for _ in range(record.texts):
                self.text()
            self.at += record.other


def file_names(
    data: bytes, version: Version, *, wide: bool, alive: Callable[[], None]
) -> dict[int, str]:
    """Read the names.

    Args:
        data: the first stream of the description.
        version: version of the program that made it.
        wide: whether texts are UTF-16.
        alive: called now and then.

    Returns:
        Number of a location to the name; empty where the records do not add up.
    """
    for shift in _TRIED:
        try:
            return dict(_names(_Reader(data, alive), version, wide=wide, shift=shift))
        except _Misread:
            continue
    return {}


def _names(
    reader: _Reader, version: Version, *, wide: bool, shift: int
) -> Iterator[tuple[int, str]]:
    reader.skip(_Record(_head_texts(version), 0), 1)
    if not wide:
        reader.at += _ANSI_CHARACTER_SET
    signatures = version >= (6, 5, 0, 0)
    counts = [reader.number() for _ in range(17 if signatures else 16)]
    if max(counts) > _MOST_RECORDS:
        raise _Misread
    reader.at += _head_bytes(version, wide=wide) + shift
    for record, count in zip(_records_before(version, wide=wide), counts, strict=False):
        reader.skip(record, count)
    found: dict[int, str] = {}
    for _ in range(counts[8 if signatures else 7]):
        location, name = _file(reader, version, wide=wide)
        if location != _NO_LOCATION:
            if location >= counts[9 if signatures else 8]:
                raise _Misread
            found.setdefault(location, name)
    yield from found.items()


def _head_texts(version: Version) -> int:
    added = ((5, 5, 6, 0), 1), ((5, 6, 1, 0), 2), ((6, 3, 0, 0), 2), ((6, 4, 2, 0), 1)
    return 27 + 4 + sum(n for since, n in (*added, ((6, 5, 0, 0), 1)) if version >= since)


def _head_bytes(version: Version, *, wide: bool) -> int:
    """Bytes of the head behind the numbers of records."""
    size = _WINDOWS_VERSIONS + 12 + 3 + 2 + 1 + 2 + 8
    size += 8 if version < (6, 4, 0, 1) else 0
    size += 4 if version < (5, 5, 7, 0) else 1
    size += 9 if version >= (6, 0, 0, 0) else 0
    size += 1 if version >= (5, 7, 0, 0) else 0
    size += 8 if version >= (6, 5, 2, 0) else 0
    size += 8 if version >= (6, 6, 0, 0) else 0
    size += 1 if version >= (6, 6, 1, 0) else 0
    size += 2 if version < (6, 3, 0, 0) else 0
    if version < (6, 4, 0, 0):
        size += 28
    elif version < (6, 5, 0, 0):
        size += 48
    flags = 39 + (0 if wide else 1)
    flags += 5 if version < (6, 4, 0, 0) else 0
    flags += 2 if version < (5, 6, 1, 0) else 0
    flags += 1 if version < (6, 5, 0, 0) else 0
    flags += 1 if version >= (5, 5, 7, 0) else 0
    flags += 3 if version >= (6, 0, 0, 0) else 0
    flags += 1 if version >= (6, 3, 0, 0) else 0
    flags += 4 if version >= (6, 6, 0, 0) else 0
    return size + (flags + 7) // 8


def _records_before(version: Version, *, wide: bool) -> Iterator[_Record]:
    """Languages, messages, permissions, types, components, tasks, directories, signatures."""
    if version >= (6, 6, 0, 0):
        yield _Record(8, 19)
    else:
        yield _Record(10, 21 if wide else 25)
    yield _Record(2, 4)
    yield _Record(1, 0)
    yield _Record(4, _WINDOWS_VERSIONS + 10)
    yield _Record(5, _WINDOWS_VERSIONS + 22)
    yield _Record(6, _WINDOWS_VERSIONS + 6)
    yield _Record(7, _WINDOWS_VERSIONS + 7)
    if version >= (6, 5, 0, 0):
        yield _Record(3, 0)


def _file(reader: _Reader, version: Version, *, wide: bool) -> tuple[int, str]:
    source, target = reader.text(), reader.text()
    reader.skip(_Record(8, 0), 1)
    flags = 4
    if version >= (6, 5, 0, 0):
        reader.skip(_Record(6, 33), 1)
        flags = 5
    reader.at += _WINDOWS_VERSIONS
    location = reader.number()
    reader.at += 4 + 8 + 2 + flags + 1
    if reader.at > len(reader.data):
        raise _Misread
    name = target or source
    if wide:
        return location, name.decode("utf-16-le", "replace")
    return location, name.decode("cp1252", "replace")

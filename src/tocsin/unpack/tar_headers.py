"""The headers of tar archives: one block of 512 bytes, and what later formats put beside it.

`tarfile` is not used because hostile archives make it loop or raise at random, and because
it stops at the first damage, where this goes on to the next header that holds.

Source: POSIX.1-2001 `pax`, "ustar Interchange Format" and "pax Extended Header"; GNU tar
manual, "Basic Tar Format" and "Storing Sparse Files".
"""

from __future__ import annotations

import re
from typing import NamedTuple

BLOCK = 512
MOST_SEGMENTS = 100_000
"""Pieces of data in a sparse file; more is taken for damage."""

_CHECKSUM = slice(148, 156)
_NEGATIVE = 0xFF
_BINARY = 0x80

Segment = tuple[int, int]
"""Offset in the file and number of bytes, of a piece that is not a hole."""


class Header(NamedTuple):
    """A header block whose checksum holds.

    Attributes:
        name: name with its prefix.
        size: bytes of data that follow, or None when the field makes no sense.
        kind: type flag, one byte.
    """

    name: bytes
    size: int | None
    kind: bytes


def read_header(block: bytes) -> Header | None:
    """Read a header block, or return None when it is none."""
    if len(block) < BLOCK or not _checksum_holds(block):
        return None
    name = _text(block[:100])
    if block[257:263] == b"ustar\0" and block[345]:
        name = _text(block[345:500]) + b"/" + name
    return Header(name=name, size=read_number(block[124:136]), kind=block[156:157])


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _checksum_holds(block: bytes) -> bool:
    """Whether the sum of all bytes is the stated one, taken unsigned or, as some did, signed."""
    field = block[_CHECKSUM]
    if not field.strip(b" \0"):
        return False
    stated = read_number(field)
    if stated is None:
        return False
    rest = block[:148] + block[156:]
    unsigned = sum(rest) + 8 * ord(" ")
    if stated == unsigned:
        return True
    return stated == unsigned - 256 * sum(byte >> 7 for byte in rest)


def read_number(field: bytes) -> int | None:
    """Read a numeric field.

    Args:
        field: octal digits with blanks or NUL around them, or the binary form.

    Returns:
        The value, or None when it is negative or no number.

    Source: GNU tar manual, "Extensions".
    """
    if field[0] == _NEGATIVE:
        return None
    if field[0] & _BINARY:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    match = re.fullmatch(rb"[ \0]*([0-7]*)(?:[ \0].*)?", field, re.DOTALL)
    if match is None:
        return None
    return int(match[1] or b"0", 8)


class Extended(NamedTuple):
    """What extended headers say about the member behind them.

    Attributes:
        name: its name, or None.
        size: bytes of data that follow, or None.
        real_size: bytes of the file with its holes, or None when it is not sparse.
        segments: pieces of a sparse file, or None when they are not given here.
        map_in_data: whether the pieces are listed in front of the data.
    """

    name: bytes | None = None
    size: int | None = None
    real_size: int | None = None
    segments: tuple[Segment, ...] | None = None
    map_in_data: bool = False


def read_extended(payload: bytes, before: Extended) -> Extended:
    """Read the records of a pax header; those that make no sense are passed over.

    Args:
        payload: the header's data.
        before: what is known already, from a global header or a GNU long name.
    """
    numbers: list[int] = []
    found = before
    for key, value in _records(payload):
        if key in (b"path", b"GNU.sparse.name"):
            if key == b"GNU.sparse.name" or not found.real_size:
                found = found._replace(name=value)
        elif key == b"GNU.sparse.map":
            found = found._replace(segments=_pair(_decimals(value.split(b","))))
        elif key == b"GNU.sparse.major":
            found = found._replace(map_in_data=value == b"1")
        elif (number := _decimal(value)) is None:
            continue
        elif key == b"size":
            found = found._replace(size=number)
        elif key in (b"GNU.sparse.size", b"GNU.sparse.realsize"):
            found = found._replace(real_size=number)
        elif key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            numbers.append(number)
    if numbers:
        found = found._replace(segments=_pair(numbers))
    return found


def _records(payload: bytes) -> list[tuple[bytes, bytes]]:
    """Split `LENGTH KEY=VALUE NEWLINE` records; stops at the first that does not fit."""
    records = []
    at = 0
    while at < len(payload):
        digits, blank, _ = payload[at : at + 12].partition(b" ")
        length = _decimal(digits)
        if not blank or length is None or not len(digits) + 2 < length <= len(payload) - at:
            break
        key, equals, value = payload[at + len(digits) + 1 : at + length - 1].partition(b"=")
        if equals:
            records.append((key, value))
        at += length
    return records


def _decimal(text: bytes) -> int | None:
    return int(text) if 0 < len(text) <= 20 and text.isdigit() else None


def _decimals(texts: list[bytes]) -> list[int]:
    numbers = []
    for text in texts[: 2 * MOST_SEGMENTS]:
        number = _decimal(text)
        if number is None:
            break
        numbers.append(number)
    return numbers


def _pair(numbers: list[int]) -> tuple[Segment, ...]:
    return tuple(zip(numbers[0::2], numbers[1::2], strict=False))


class SparseMap(NamedTuple):
    """The pieces of a sparse file, and where their data begins."""

    segments: tuple[Segment, ...]
    real_size: int
    start: int


def read_gnu_map(data: bytes, at: int) -> SparseMap:
    """Read the map of a header of type `S` and of the blocks that continue it.

    Args:
        data: the archive.
        at: where the header begins.

    Source: GNU tar manual, "Old GNU Format".
    """
    fields = data[at + 386 : at + 482]
    more = data[at + 482 : at + 483] not in (b"", b"\0")
    real_size = read_number(data[at + 483 : at + 495]) or 0
    at += BLOCK
    segments = _gnu_segments(fields)
    while more and len(segments) < MOST_SEGMENTS and at + BLOCK <= len(data):
        segments += _gnu_segments(data[at : at + 504])
        more = data[at + 504] != 0
        at += BLOCK
    return SparseMap(tuple(segments), real_size, at)


def _gnu_segments(fields: bytes) -> list[Segment]:
    segments = []
    for at in range(0, len(fields) - 23, 24):
        offset = read_number(fields[at : at + 12])
        size = read_number(fields[at + 12 : at + 24])
        if not fields[at] or offset is None or size is None:
            break
        segments.append((offset, size))
    return segments


def read_map_in_data(data: bytes, start: int, end: int, real_size: int) -> SparseMap:
    """Read the map that stands in front of a member's data, one decimal number a line.

    Source: GNU tar manual, "PAX Format, Version 1.0".
    """
    head = data[start : min(end, start + 64)]
    count_text, newline, _ = head.partition(b"\n")
    count = _decimal(count_text)
    if count is None or not newline or count > MOST_SEGMENTS:
        return SparseMap((), real_size, start)
    limit = start + len(count_text) + 1 + count * 2 * 21
    lines = data[start : min(end, limit)].split(b"\n", 2 * count + 1)[: 2 * count + 1]
    used = sum(len(line) + 1 for line in lines)
    return SparseMap(
        _pair(_decimals(lines[1:])), real_size, start + (used + BLOCK - 1) // BLOCK * BLOCK
    )

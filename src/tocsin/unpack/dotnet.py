"""Resources of .NET programs, and what is in a `.resources` file.

Source: ECMA-335 II.24 and II.25.3.3 (CLI header); the resource format by .NET's reference
source, `ResourceReader`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from struct import error, unpack_from

from tocsin.errors import FormatError
from tocsin.formats.dotnet import resources_span
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.parts import Parts
from tocsin.unpack.stream import Interrupted, copy

_MAGIC = b"\xce\xca\xef\xbe"
_MOST_RESOURCES = 100_000
_LONGEST_NAME = 256
_BYTES, _STREAM = 0x20, 0x21
_TEXT = 1
_FILLED = re.compile(rb"[^\x00]")
_LARGEST_FIXED = 0x10
"""Greatest code of a type with a value of fixed size (TimeSpan)."""


class DotNetUnpacker:
    """Unpacks the resources of .NET programs and the values of `.resources` files."""

    types = frozenset({"DOTNET", "NET_RESOURCES"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        parts = Parts(budget)
        if data.startswith(_MAGIC):
            yield from _values(data, parts)
            return
        span = resources_span(data)
        if span is None:
            raise FormatError("not a .NET program with resources")
        yield from _manifest(data, *span, parts)


def _manifest(data: bytes, at: int, end: int, parts: Parts) -> Iterator[Member | Skipped]:
    """Resources stand one after the other, each behind its length, from multiples of eight."""
    base, stated, end = at, end, min(end, len(data))
    while at + 4 <= end:
        parts.budget.check_time()
        size = int.from_bytes(data[at : at + 4], "little")
        if not size:
            at = _next(data, base, at, end)
            continue
        name = f"resource at {at - base:#x}"
        yield from parts.member(name, _cut(data, at + 4, at + 4 + size), min(size, end - at))
        at = base + (at + 4 + size - base + 7 & ~7)
    if stated > len(data) and at < stated:
        yield parts.skip("", Reason.DAMAGED, "its resources are cut off")


def _next(data: bytes, base: int, at: int, end: int) -> int:
    """The next place where a length that is not zero may stand."""
    filled = _FILLED.search(data, at, end)
    if filled is None:
        return end
    place = base + (filled.start() - base & ~7)
    return place if filled.start() < place + 4 else place + 8


def _cut(data: bytes, start: int, end: int) -> Iterator[bytes]:
    yield from copy(data, start, min(end, len(data)))
    if end > len(data):
        raise Interrupted(Reason.DAMAGED, "truncated")


def _values(data: bytes, parts: Parts) -> Iterator[Member | Skipped]:
    """Values of a resource file: bytes, streams, texts and serialised objects such as images."""
    try:
        names, types, start = _directory(data)
    except (error, ValueError, IndexError) as caught:
        raise FormatError("a resource file whose directory makes no sense") from caught
    places = sorted(place for _name, place in names)
    following = dict(pairwise([*places, len(data) - start]))
    for name, place in names:
        parts.budget.check_time()
        at = start + place
        end = min(start + following[place], len(data))
        if at >= end:
            continue
        try:
            kind, at = _packed(data, at)
            if kind == _TEXT:
                _length, at = _packed(data, at)
        except (IndexError, ValueError):
            continue
        if _TEXT < kind <= _LARGEST_FIXED or (types and kind == 0):
            continue
        if kind in (_BYTES, _STREAM):
            size = int.from_bytes(data[at : at + 4], "little")
            at += 4
            end = min(at + size, end)
        if at < end:
            yield from parts.member(name, copy(data, at, end), end - at)


def _directory(data: bytes) -> tuple[list[tuple[str, int]], int, int]:
    """Names and places of values, number of types, and where the values begin.

    Raises:
        struct.error: it is cut off.
        ValueError: it contradicts itself.
        IndexError: it is cut off.
    """
    (skip,) = unpack_from("<I", data, 8)
    at = 12 + skip
    _version, count, types = unpack_from("<III", data, at)
    at += 12
    if count > _MOST_RESOURCES or types > _MOST_RESOURCES:
        raise ValueError("too many")
    for _ in range(types):
        size, at = _packed(data, at)
        at += size
    at = at + 7 & ~7
    at += 4 * count
    offsets = unpack_from(f"<{count}I", data, at)
    at += 4 * count
    (start,) = unpack_from("<I", data, at)
    base = at + 4
    names: list[tuple[str, int]] = []
    for offset in offsets:
        size, place = _packed(data, base + offset)
        name = data[place : place + min(size, _LONGEST_NAME)].decode("utf-16-le", "replace")
        (value,) = unpack_from("<I", data, place + size)
        names.append((name, value))
    return names, types, start


def _packed(data: bytes, at: int) -> tuple[int, int]:
    """A number in seven bits a byte, and the place behind it.

    Raises:
        IndexError: it is cut off.
        ValueError: it has more than five bytes.
    """
    value = 0
    for shift in range(0, 35, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than five bytes")


UNPACKER = DotNetUnpacker()

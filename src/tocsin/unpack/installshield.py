"""InstallShield's self-extracting programs: the files behind the program.

There are three generations: a list in plain text, `InstallShield` with veiled files, and
`ISSetupStream`. Cabinets (`ISc(`) among the files have their list in another file beside
them, so they are opened here, and do not come out themselves; a MSI package is a file like
any other.

Source: the descriptions of ISx, ISSetupStream extractors and Unpacker (all public).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tocsin.errors import FormatError
from tocsin.formats.installers import (
    INSTALLSHIELD,
    INSTALLSHIELD_STREAM,
    installshield_place,
)
from tocsin.unpack.installshield_cab import CABINET, Cabinets
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.stream import Interrupted, Meta, copy, report, skipped, take
from tocsin.unpack.zlib_codec import inflate, looks_like_zlib

_HEADER_BYTES = 46
_NAME_BYTES = 260
_ENTRY_BYTES = 312
_STREAM_ENTRY_BYTES = 24
_STREAM_TIMES_BYTES = 24
_LONGEST_NAME = 2048
_VEILED = 6
_IN_BLOCKS = 4
_BLOCK = 1024
_VEIL = b"\x13\x35\x86\x07"
_UNVEILED = bytes(~(byte << 4 | byte >> 4) & 0xFF for byte in range(256))

_PLAIN_ENTRY = re.compile(rb"([^\0]{1,512})\0([^\0]{1,512})\0([^\0]{0,64})\0([0-9]{1,10})\0")
_WIDE_TEXT = rb"((?:(?!\0\0)..){0,512})\0\0"
_WIDE_ENTRY = re.compile(_WIDE_TEXT * 3 + rb"((?:[0-9]\0){1,10})\0\0", re.DOTALL)


class _File(NamedTuple):
    """One file behind the program, as it is stored."""

    name: bytes
    start: int
    size: int
    flags: int = 0
    packed: bool = False


class InstallShieldUnpacker:
    """Unpacks self-extracting programs of InstallShield, and its cabinets."""

    types = frozenset({"INSTALLSHIELD", "ISHIELD_MSI", "INSTALLSHIELD_CAB"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        cabinets = Cabinets()
        if data.startswith(CABINET):
            cabinets.add(b"data1.cab", data, 0, len(data))
            yield from cabinets.members(budget, 0)
            return
        start = installshield_place(data)
        if start is None:
            raise FormatError("not InstallShield: no list of files follows the program")
        position = 0
        for file in _files(data, start):
            budget.check_time()
            position += 1
            for item in _member(data, file, position, budget):
                if isinstance(item, Member) and item.data.startswith(CABINET):
                    cabinets.add(file.name, item.data, 0, item.size)
                else:
                    yield item
        yield from cabinets.members(budget, position)


def _files(data: bytes, start: int) -> Iterator[_File]:
    if data.startswith(INSTALLSHIELD, start):
        return _veiled_files(data, start)
    if data.startswith(INSTALLSHIELD_STREAM, start):
        return _stream_files(data, start)
    return _listed_files(data, start)


def _listed_files(data: bytes, start: int) -> Iterator[_File]:
    """Files each with a line of text before it; in newer programs behind their number."""
    entry, at, width = _PLAIN_ENTRY, start, 1
    if _PLAIN_ENTRY.match(data, start) is None:
        entry, at, width = _WIDE_ENTRY, start + 4, 2
    while (found := entry.match(data, at)) is not None:
        size = int(found[4][::width])
        name = found[2].decode("utf-16-le", "replace").encode() if width == 2 else found[2]
        yield _File(name, found.end(), size)
        at = found.end() + size


def _veiled_files(data: bytes, start: int) -> Iterator[_File]:
    count = int.from_bytes(data[start + 14 : start + 16], "little")
    at = start + _HEADER_BYTES
    for _ in range(count):
        row = data[at : at + _ENTRY_BYTES]
        if len(row) < _ENTRY_BYTES:
            yield _File(b"", at, _ENTRY_BYTES)
            return
        name = row[:_NAME_BYTES].partition(b"\0")[0]
        size = int.from_bytes(row[268:272], "little")
        flags = int.from_bytes(row[260:264], "little")
        at += _ENTRY_BYTES
        yield _File(name, at, size, flags, row[280:282] != b"\0\0")
        at += size


def _stream_files(data: bytes, start: int) -> Iterator[_File]:
    count = int.from_bytes(data[start + 14 : start + 16], "little")
    with_times = int.from_bytes(data[start + 16 : start + 20], "little") > 3
    at = start + _HEADER_BYTES
    for _ in range(count):
        row = data[at : at + _STREAM_ENTRY_BYTES]
        length = int.from_bytes(row[:4], "little")
        if len(row) < _STREAM_ENTRY_BYTES or length > _LONGEST_NAME:
            yield _File(b"", at, len(data) - at + 1)
            return
        at += _STREAM_ENTRY_BYTES + (_STREAM_TIMES_BYTES if with_times else 0)
        name = data[at : at + length].decode("utf-16-le", "replace").rstrip("\0").encode()
        at += length
        size = int.from_bytes(row[10:14], "little")
        packed = int.from_bytes(row[22:24], "little") == 1
        yield _File(name, at, size, int.from_bytes(row[4:8], "little"), packed)
        at += size


def _member(data: bytes, file: _File, position: int, budget: Budget) -> Iterator[Member | Skipped]:
    end = min(file.start + file.size, len(data))
    name = file.name.decode("utf-8", "surrogateescape")
    meta = Meta(name, file.size, max(0, end - file.start), position)
    if not budget.fits_file(end - file.start):
        bound = budget.limits.max_file_size
        yield skipped(meta, Reason.LIMIT, f"more than {bound} bytes (--max-file-size)")
        return
    budget.charge_file()
    yield from report(meta, take(_content(data, file, end), budget))


def _content(data: bytes, file: _File, end: int) -> Iterator[bytes]:
    if file.flags & _VEILED:
        plain = _unveil(data[file.start : end], file.name, in_blocks=bool(file.flags & _IN_BLOCKS))
        start, end_of_plain = 0, len(plain)
    else:
        plain, start, end_of_plain = data, file.start, end
    if looks_like_zlib(plain, start) and (file.packed or file.flags & _VEILED):
        yield from inflate(plain, start, end_of_plain)
        return
    yield from copy(plain, start, end_of_plain)
    if file.start + file.size > len(data):
        raise Interrupted(Reason.DAMAGED, "truncated")


def _unveil(data: bytes, name: bytes, *, in_blocks: bool) -> bytes:
    """Undo the veil: halves of bytes swapped, inverted, and the file's name over them."""
    if not name or not data:
        return data
    seed = bytes(byte ^ _VEIL[place % 4] for place, byte in enumerate(name))
    if in_blocks:
        seed = (seed * (_BLOCK // len(seed) + 1))[:_BLOCK]
    key = (seed * (len(data) // len(seed) + 1))[: len(data)]
    swapped = int.from_bytes(data.translate(_UNVEILED), "little")
    return (swapped ^ int.from_bytes(key, "little")).to_bytes(len(data), "little")


UNPACKER = InstallShieldUnpacker()

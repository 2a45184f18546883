"""InstallShield's own cabinets: `data1.hdr` lists what `data1.cab`, `data2.cab` ... hold.

Where there is no list, the files are cut out of the data one after the other: each is a row of
deflated pieces, and only a file's last piece unpacks to less than a full block.

Source: the format as `unshield` documents and reads it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from tocsin.unpack.deflate import DEFLATE
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.stream import Interrupted, Meta, copy, decompress, report, skipped, take

CABINET = b"ISc("

_COMMON = struct.Struct("<4sIIII")
_OLD_VOLUME = struct.Struct("<8sIIIIIIII")
_VOLUME = struct.Struct("<8sIIQQQQQQ")
_OLD_FILE = struct.Struct("<IIHII20xI")
_FILE = struct.Struct("<HQQQ16x16xIH12xIIBH")
_CABINET_NUMBER = re.compile(rb"([0-9]{1,4})\.cab\Z")
_LONGEST_NAME = 1024

_SPLIT, _VEILED, _PACKED, _INVALID = 1, 2, 4, 8
_LINKED_BEFORE = 1
_FULL_PIECE = 0x8000
_NEW_LAYOUT = 6
_WIDE_NAMES = 17


class _Span(NamedTuple):
    """A file that lies in other bytes."""

    data: bytes
    start: int
    end: int


class _Volume(NamedTuple):
    """One cabinet with data.

    Attributes:
        span: where it lies.
        first_byte: where its data begin, counted from its own begin.
        first: number of the first file in it, likewise `last`; the piece of each in this
            volume follows as offset and packed size.
    """

    span: _Span
    first_byte: int
    first: int
    last: int
    first_piece: tuple[int, int]
    last_piece: tuple[int, int]

    @property
    def has_data(self) -> bool:
        """Whether data lie in it; those of a mere list begin at its end."""
        return 0 < self.first_byte < self.span.end - self.span.start


class _Entry(NamedTuple):
    """One file of the list."""

    name: str
    number: int
    flags: int
    size: int
    packed_size: int
    offset: int
    volume: int
    is_link: bool


class Cabinets:
    """The cabinets and lists of one installer."""

    def __init__(self) -> None:
        self._volumes: dict[int, _Volume] = {}
        self._list: _Span | None = None
        self._major = 0

    def add(self, name: bytes, data: bytes, start: int, end: int) -> None:
        """Take note of a cabinet or a list.

        Args:
            name: its name, which numbers it: `data2.cab`.
            data: bytes that hold it.
            start: where it begins.
            end: where it ends.
        """
        span = _Span(data, start, min(end, len(data)))
        if start + _COMMON.size > span.end:
            return
        _, version, _, _, descriptor_size = _COMMON.unpack_from(data, start)
        self._major = _major(version)
        if descriptor_size and self._list is None:
            self._list = span
        number = _CABINET_NUMBER.search(name.lower())
        volume = self._read_volume(span)
        if number is not None and volume is not None and volume.has_data:
            self._volumes.setdefault(int(number[1]), volume)

    def _read_volume(self, span: _Span) -> _Volume | None:
        layout = _VOLUME if self._major >= _NEW_LAYOUT else _OLD_VOLUME
        at = span.start + _COMMON.size
        if at + layout.size > span.end:
            return None
        place, first, last, *pieces = layout.unpack_from(span.data, at)
        first_byte = int.from_bytes(place, "little")
        return _Volume(
            span, first_byte, first, last, (pieces[0], pieces[2]), (pieces[3], pieces[5])
        )

    def members(self, budget: Budget, position: int) -> Iterator[Member | Skipped]:
        """Take out the files. A list without any cabinet, a file of its own, has none.

        Args:
            budget: what is charged.
            position: how many members came before.
        """
        if self._list is None:
            yield from self._unlisted(budget, position)
            return
        empty = True
        missing: set[int] = set()
        for entry in self._entries(self._list):
            empty = False
            budget.check_time()
            if entry.flags & _INVALID or entry.is_link or not entry.offset or not entry.size:
                continue
            position += 1
            meta = Meta(entry.name, entry.size, entry.packed_size, position)
            if entry.volume not in self._volumes:
                if entry.volume not in missing and self._volumes:
                    detail = f"it and others lie in data{entry.volume}.cab, which is another file"
                    yield skipped(meta, Reason.UNSUPPORTED, detail)
                missing.add(entry.volume)
                continue
            budget.charge_file()
            yield from report(meta, take(self._content(entry, budget), budget))
        if empty:
            yield from self._unlisted(budget, position)

    # --- the list ---------------------------------------------------------------------------

    def _entries(self, span: _Span) -> Iterator[_Entry]:
        data, start, end = span
        base = start + int.from_bytes(data[start + 12 : start + 16], "little")
        if base + 0x30 > end:
            return
        table = base + int.from_bytes(data[base + 12 : base + 16], "little")
        directories, count, second = (
            int.from_bytes(data[base + at : base + at + 4], "little") for at in (0x1C, 0x28, 0x2C)
        )
        names = _Names(data, table, end, wide=self._major >= _WIDE_NAMES)
        for index in range(min(count, max(0, end - table) // 4)):
            if self._major < _NEW_LAYOUT:
                row = names.number(directories + index)
                at = table + row
                if at + _OLD_FILE.size > end:
                    return
                name, folder, flags, size, packed, offset = _OLD_FILE.unpack_from(data, at)
                volume, is_link = 1, False
            else:
                at = table + second + index * _FILE.size
                if at + _FILE.size > end:
                    return
                flags, size, packed, offset, name, folder, *links, volume = _FILE.unpack_from(
                    data, at
                )
                is_link = bool(links[2] & _LINKED_BEFORE)
            full_name = names.text(name)
            if folder < directories and (folder_name := names.text(names.number(folder))):
                full_name = f"{folder_name}\\{full_name}"
            yield _Entry(full_name, index, flags, size, packed, offset, volume, is_link)

    # --- the data ---------------------------------------------------------------------------

    def _content(self, entry: _Entry, budget: Budget) -> Iterator[bytes]:
        raw = self._raw(entry, budget)
        if not entry.flags & _PACKED:
            yield from copy(raw, 0, len(raw))
        else:
            at = 0
            while at + 2 <= len(raw):
                size = int.from_bytes(raw[at : at + 2], "little")
                yield from decompress(DEFLATE, raw, at + 2, min(at + 2 + size, len(raw)))
                at += 2 + size
        if len(raw) < (entry.packed_size if entry.flags & _PACKED else entry.size):
            raise Interrupted(Reason.DAMAGED, "truncated")

    def _raw(self, entry: _Entry, budget: Budget) -> bytes:
        """The packed bytes of a file, joined from its volumes and unveiled."""
        left = entry.packed_size if entry.flags & _PACKED else entry.size
        if not budget.fits_file(left):
            bound = budget.limits.max_file_size
            raise Interrupted(Reason.LIMIT, f"more than {bound} bytes (--max-file-size)")
        pieces = []
        number, offset = entry.volume, entry.offset
        while left > 0 and number in self._volumes:
            volume = self._volumes[number]
            size = left
            if entry.flags & _SPLIT:
                if number == entry.volume and entry.number == volume.last:
                    offset, size = volume.last_piece
                elif entry.number == volume.first:
                    offset, size = volume.first_piece
            at = volume.span.start + offset
            piece = volume.span.data[at : min(at + min(size, left), volume.span.end)]
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
            number += 1
            if not entry.flags & _SPLIT:
                break
        raw = b"".join(pieces)
        return _unveil(raw) if entry.flags & _VEILED else raw

    def _unlisted(self, budget: Budget, position: int) -> Iterator[Member | Skipped]:
        """Files of cabinets whose list is elsewhere, cut where a piece is not full."""
        for number, volume in sorted(self._volumes.items()):
            data, start, end = volume.span
            at = start + volume.first_byte
            while at + 2 < end:
                budget.check_time()
                position += 1
                budget.charge_file()
                pieces = _Pieces(data, at, end)
                taken = take(pieces, budget)
                meta = Meta(f"data{number}.cab/{position}", 0, pieces.at - at, position)
                if taken.reason is Reason.DAMAGED:
                    detail = "the list of its files is another file, and they are not deflated"
                    yield skipped(meta, Reason.UNSUPPORTED, detail)
                    break
                yield from report(meta, taken)
                if taken.reason is not None:
                    break
                at = pieces.at


class _Pieces:
    """The pieces of one file whose length is not known.

    Attributes:
        at: where the next file begins, once all pieces came out.
    """

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self._data = data
        self._end = end
        self.at = at

    def __iter__(self) -> Iterator[bytes]:
        while self.at + 2 < self._end:
            size = int.from_bytes(self._data[self.at : self.at + 2], "little")
            start = self.at + 2
            if not size or start + size > self._end:
                raise Interrupted(Reason.DAMAGED, "truncated")
            produced = 0
            for chunk in decompress(DEFLATE, self._data, start, start + size):
                produced += len(chunk)
                yield chunk
            self.at = start + size
            if produced < _FULL_PIECE:
                return


class _Names:
    """The texts that a list refers to."""

    def __init__(self, data: bytes, table: int, end: int, *, wide: bool) -> None:
        self._data = data
        self._table = table
        self._end = end
        self._wide = wide

    def number(self, index: int) -> int:
        """An entry of the table of offsets, 0 where there is none."""
        at = self._table + 4 * index
        return int.from_bytes(self._data[at : at + 4], "little") if at + 4 <= self._end else 0

    def text(self, offset: int) -> str:
        """The text that stands at an offset from the table."""
        start = self._table + offset
        head = self._data[start : min(start + _LONGEST_NAME, self._end)]
        if not self._wide:
            return head.partition(b"\0")[0].decode("utf-8", "surrogateescape")
        return head.decode("utf-16-le", "replace").partition("\0")[0]


def _major(version: int) -> int:
    """The version of InstallShield that a cabinet's header names."""
    if version >> 24 == 1:
        return version >> 12 & 0xF
    number = version & 0xFFFF
    return number // 100 if number else 0


_ROTATED = bytes(((byte ^ 0xD5) >> 2 | (byte ^ 0xD5) << 6) & 0xFF for byte in range(256))
_VEIL_PERIOD = 0x47
_DIFFERENCES = tuple(
    bytes((_ROTATED[byte] - place) & 0xFF for byte in range(256)) for place in range(_VEIL_PERIOD)
)


def _unveil(data: bytes) -> bytes:
    """Undo the veil: each byte changed, rotated, and its place modulo 71 taken from it."""
    out = bytearray(data)
    for place in range(min(_VEIL_PERIOD, len(data))):
        out[place::_VEIL_PERIOD] = data[place::_VEIL_PERIOD].translate(_DIFFERENCES[place])
    return bytes(out)

"""Compound files: storages and streams in one file, as Office, MSI, MSG and Visio use them.

Own, because a mail gateway needs it fast and bounded: a chain of sectors is walked once, runs
of neighbours are cut out as slices, and nothing follows a loop. A damaged file gives whatever
its tables still lead to.

Source: MS-CFB.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from tocsin.errors import FormatError
from tocsin.unpack.interface import Budget, Reason
from tocsin.unpack.stream import OUTPUT_CHUNK, Interrupted

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_HEADER = Struct("<24x H H H H H 6x I I I I I I I I I")
"""Versions, byte order and shifts (offset 24); counts and first sectors (offset 40)."""
_HEADER_BYTES = 512
_DIFAT_AT = 76
_DIFAT_ENTRIES = 109

_ENTRY = Struct("<64s H B x I I I 36x I Q")
_ENTRY_BYTES = 128

_MOST_ENTRIES = 200_000

_UNUSED, _STORAGE, _STREAM, _ROOT = 0, 1, 2, 5
_END = 0xFFFFFFFE
_DEEPEST = 24
"""Storages of a path that are written out; Office nests four or so."""

_BETWEEN_CHECKS = 4096
_BATCH = 512
"""Runs joined before they are handed on: in a fragmented file a run is one sector."""


class Entry(NamedTuple):
    """A stream.

    Attributes:
        number: its place in the directory.
        storage: place of the storage that holds it; 0 for the root, -1 for none.
        name: its name in the directory, control characters included.
        start: first sector.
        size: bytes.
    """

    number: int
    storage: int
    name: str
    start: int
    size: int


class CompoundFile:
    """The directory of a compound file, and its streams on request.

    Args:
        data: the file.
        budget: asked for the time in long loops.

    Attributes:
        streams: streams that hold bytes, in the directory's order.
        damage: what is wrong with the tables, or empty.

    Raises:
        FormatError: there is no header to begin with.
    """

    def __init__(self, data: bytes, budget: Budget) -> None:
        if not data.startswith(MAGIC) or len(data) < _HEADER_BYTES:
            raise FormatError("not a compound file: it has no header")
        self._data = data
        self._budget = budget
        (
            _minor, major, _order, shift, mini_shift, _dirs, fat_count, first_dir, _transaction,
            self._cutoff, first_mini, _mini_count, first_difat, difat_count,
        ) = _HEADER.unpack_from(data)  # fmt: skip
        if not 7 <= shift <= 20 or not 4 <= mini_shift < shift:
            raise FormatError(f"sectors of 2^{shift} and 2^{mini_shift} bytes")
        self._shift, self._mini_shift = shift, mini_shift
        self._first = max(_HEADER_BYTES, 1 << shift)
        self._sectors = max(0, len(data) - self._first + (1 << shift) - 1) >> shift
        self._old = major < 4
        self.damage = ""
        self._fat = self._read_fat(fat_count, first_difat, difat_count)
        self._first_mini = first_mini
        self._mini_fat: array[int] | None = None
        self._mini_stream = b""
        self._storages: dict[int, tuple[str, int]] = {}
        self._root = (0, 0)
        self.streams: list[Entry] = []
        self._by_storage: dict[int, dict[str, Entry]] = {}
        self._read_directory(first_dir)

    def _read_fat(self, count: int, at: int, chained: int) -> array[int]:
        """The table of successors, as far as it can matter for a file of this length."""
        per_sector = 1 << (self._shift - 2)
        needed = (self._sectors + per_sector - 1) // per_sector
        table = _numbers(self._data[_DIFAT_AT : _DIFAT_AT + 4 * _DIFAT_ENTRIES])
        seen: set[int] = set()
        while len(table) < needed and at < self._sectors and at not in seen:
            seen.add(at)
            sector = _numbers(self._sector(at))
            if len(sector) < per_sector:
                break
            at = sector.pop()
            table.extend(sector)
        parts = []
        for number in table[:needed]:
            if number >= self._sectors:
                break
            parts.append(self._sector(number))
        if len(parts) < min(needed, count):
            self.damage = "its table of sectors is cut off"
        return _numbers(b"".join(parts))

    def _sector(self, number: int) -> bytes:
        at = self._first + (number << self._shift)
        return self._data[at : at + (1 << self._shift)]

    def _chain(self, table: array[int], start: int, most: int) -> tuple[list[int], bool]:
        """Sectors of a chain, at most so many, and whether it goes round in a circle."""
        chain: list[int] = []
        end = len(table)
        while start < end and len(chain) < most:
            chain.append(start)
            start = table[start]
        if start < self._sectors and start >= end and len(chain) < most and table is self._fat:
            chain.append(start)
        return chain, len(set(chain)) != len(chain)

    def _read_directory(self, first: int) -> None:
        chain, circle = self._chain(self._fat, first, self._sectors)
        if circle:
            chain = list(dict.fromkeys(chain))
            self.damage = "its directory goes round in a circle"
        blob = b"".join(map(self._sector, chain))
        last = self._fat[chain[-1]] if chain and chain[-1] < len(self._fat) else 0
        if not circle and (last != _END or len(blob) < len(chain) << self._shift):
            self.damage = self.damage or "its directory is cut off"
        if len(blob) > _MOST_ENTRIES * _ENTRY_BYTES:
            self.damage = f"more than {_MOST_ENTRIES} entries in its directory"
            blob = blob[: _MOST_ENTRIES * _ENTRY_BYTES]
        blob = blob[: len(blob) // _ENTRY_BYTES * _ENTRY_BYTES]
        entries = list(_ENTRY.iter_unpack(blob))
        holder = self._tree(entries)
        for number, (raw, length, kind, _left, _right, _child, start, size) in enumerate(entries):
            if number % _BETWEEN_CHECKS == 0:
                self._budget.check_time()
            if self._old:
                size &= 0xFFFFFFFF
            name = raw[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
            if kind in (_STORAGE, _ROOT):
                self._storages[number] = (name, holder[number])
            if kind == _ROOT and number == 0:
                self._root = (start, size)
                continue
            entry = Entry(number, holder[number], name, start, size)
            if size and (kind == _STREAM or (kind == _UNUSED and self._is_whole(entry))):
                self.streams.append(entry)

    def _tree(self, entries: list[tuple[bytes, int, int, int, int, int, int, int]]) -> array[int]:
        """For each entry the storage that holds it, or -1; each is visited once."""
        holder = array("l", [-1]) * len(entries)
        if not entries:
            return holder
        seen = bytearray(len(entries))
        seen[0] = 1
        waiting = [(entries[0][5], 0)]
        while waiting:
            number, storage = waiting.pop()
            if number >= len(entries) or seen[number]:
                continue
            seen[number] = 1
            holder[number] = storage
            _raw, _length, kind, left, right, child, _start, _size = entries[number]
            waiting += ((left, storage), (right, storage))
            if kind == _STORAGE:
                waiting.append((child, number))
        return holder

    def _is_whole(self, entry: Entry) -> bool:
        """Whether a stream that was marked as deleted is still there to its last byte."""
        if entry.size >= self._cutoff:
            wanted = (entry.size + (1 << self._shift) - 1) >> self._shift
            if wanted > self._sectors:
                return False
            chain, circle = self._chain(self._fat, entry.start, wanted)
            ends = chain and chain[-1] < len(self._fat) and self._fat[chain[-1]] == _END
            return bool(ends) and not circle and len(chain) == wanted
        try:
            return sum(map(len, self._mini_chunks(entry))) == entry.size
        except Interrupted:
            return False

    def end(self) -> int:
        """Where the last sector in use ends; what stands behind it belongs to no stream."""
        used = (len(self._fat.tobytes().rstrip(b"\xff")) + 3) // 4
        return min(int(self._first + (used << self._shift)), len(self._data))

    def streams_of(self, storage: int) -> dict[str, Entry]:
        """Streams of a storage by name; of several with one name the first."""
        if not self._by_storage:
            for entry in self.streams:
                self._by_storage.setdefault(entry.storage, {}).setdefault(entry.name, entry)
        return self._by_storage.get(storage, {})

    def storage_name(self, number: int) -> str:
        """Name of a storage in the directory."""
        return self._storages.get(number, ("", -1))[0]

    def folder(self, number: int) -> str:
        """Path of a storage, with a slash at its end; empty for the root."""
        parts: list[str] = []
        while number > 0 and len(parts) < _DEEPEST:
            name, number = self._storages.get(number, ("", -1))
            parts.append(name)
        return "".join(f"{part}/" for part in reversed(parts))

    def chunks(self, entry: Entry, most: int | None = None) -> Iterator[bytes]:
        """Bytes of a stream, or so many of its first.

        Raises:
            Interrupted: its chain ends before the stream does, or goes round in a circle.
        """
        if entry.size < self._cutoff:
            yield from self._mini_chunks(entry)
            return
        size = entry.size if most is None else min(entry.size, most)
        yield from self._pieces(self._fat, entry.start, size, self._shift)

    def read(self, entry: Entry, most: int) -> bytes:
        """The first bytes of a stream, as far as they can be had."""
        parts: list[bytes] = []
        size = 0
        try:
            for chunk in self.chunks(entry, most):
                parts.append(chunk)
                size += len(chunk)
                if size >= most:
                    break
        except Interrupted:
            pass
        return b"".join(parts)[:most]

    def _mini_chunks(self, entry: Entry) -> Iterator[bytes]:
        if self._mini_fat is None:
            chain, _circle = self._chain(self._fat, self._first_mini, self._sectors)
            self._mini_fat = _numbers(b"".join(map(self._sector, dict.fromkeys(chain))))
            start, size = self._root
            parts: list[bytes] = []
            try:
                parts.extend(
                    self._pieces(self._fat, start, min(size, len(self._data)), self._shift)
                )
            except Interrupted:
                self.damage = self.damage or "the stream of small streams is cut off"
            self._mini_stream = b"".join(parts)
        yield from self._pieces(self._mini_fat, entry.start, entry.size, self._mini_shift)

    def _pieces(self, table: array[int], start: int, size: int, shift: int) -> Iterator[bytes]:
        """Cut a chain out of the file, or of the stream of small streams, run by run."""
        if shift == self._shift:
            source, base = self._data, self._first
        else:
            source, base = self._mini_stream, 0
        wanted = (size + (1 << shift) - 1) >> shift
        chain, circle = self._chain(table, start, min(wanted, len(source)))
        if circle:
            chain = list(dict.fromkeys(chain))
        left = size
        batch: list[bytes] = []
        for first, count in _runs(chain):
            at = base + (first << shift)
            length = min(count << shift, left)
            if length > OUTPUT_CHUNK:
                yield b"".join(batch)
                batch.clear()
                for place in range(at, at + length, OUTPUT_CHUNK):
                    piece = source[place : min(place + OUTPUT_CHUNK, at + length)]
                    left -= len(piece)
                    yield piece
                continue
            piece = source[at : at + length]
            left -= len(piece)
            batch.append(piece)
            if len(batch) >= _BATCH:
                yield b"".join(batch)
                batch.clear()
        yield b"".join(batch)
        if left:
            what = "its sectors go round in a circle" if circle else "truncated"
            raise Interrupted(Reason.DAMAGED, what)


def _runs(chain: list[int]) -> Iterator[tuple[int, int]]:
    """Neighbours taken together: first sector and number of sectors."""
    if not chain:
        return
    first = before = chain[0]
    for sector in chain[1:]:
        if sector != before + 1:
            yield first, before - first + 1
            first = sector
        before = sector
    yield first, before - first + 1


def _numbers(raw: bytes) -> array[int]:
    """Little-endian numbers of four bytes."""
    numbers = array("I")
    numbers.frombytes(raw[: len(raw) // 4 * 4])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers

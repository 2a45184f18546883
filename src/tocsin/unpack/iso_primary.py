"""Files of an ISO 9660 image that stand in its primary tree and in no Joliet tree.

An image may hold several trees over the same files: the primary one, whose names Rock Ridge
lengthens, and Joliet's. 7-Zip shows one, Joliet's where there is one; Linux mounts the primary
one where it has Rock Ridge. What only the primary tree leads to is handed out here.

Source: ECMA-119 8.4 (volume descriptors), 9.1 (directory records); Joliet specification 1.0;
Rock Ridge Interchange Protocol 1.12, 4.1.4 (NM).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tocsin.formats.images import SECTOR, VOLUME_DESCRIPTORS, is_joliet
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.parts import Parts
from tocsin.unpack.stream import Interrupted, copy

_PRIMARY, _SUPPLEMENTARY, _END = 1, 2, 255
_MOST_DESCRIPTORS = 64
_ROOT_RECORD = 156
_SMALLEST_RECORD = 34
_IS_DIRECTORY, _GOES_ON = 0x02, 0x80

Extents = tuple[tuple[int, int], ...]
"""Where a file's bytes lie: first byte and number of bytes of each piece."""


class _Record(NamedTuple):
    """One row of a directory."""

    name: str
    start: int
    size: int
    flags: int


class IsoPrimaryUnpacker:
    """Unpacks what 7-Zip does not show of an image with a Joliet tree."""

    types = frozenset({"ISO9660_PRIMARY"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        del passwords
        shown: set[Extents] = set()
        for descriptor in _descriptors(data):
            if is_joliet(data, descriptor):
                shown.update(extents for _, extents in _Tree(data, budget).files(descriptor))
        parts = Parts(budget)
        for descriptor in _descriptors(data):
            if data[descriptor] != _PRIMARY:
                continue
            tree = _Tree(data, budget)
            for name, extents in tree.files(descriptor):
                if extents not in shown:
                    shown.add(extents)
                    size = sum(count for _, count in extents)
                    yield from parts.member(name, _bytes(data, extents), size, size=size)
            if tree.overfull:
                yield parts.skip("directories", Reason.LIMIT, "directories over one another")


def _descriptors(data: bytes) -> Iterator[int]:
    """Where the volume descriptors stand that lead to files."""
    for number in range(_MOST_DESCRIPTORS):
        at = VOLUME_DESCRIPTORS + number * SECTOR
        if not data.startswith(b"CD001", at + 1) or data[at] == _END:
            return
        if data[at] in (_PRIMARY, _SUPPLEMENTARY):
            yield at


class _Tree:
    """The directories below one volume descriptor, each read once.

    Args:
        data: the image.
        budget: for the time.

    Attributes:
        overfull: whether directories were left out because they lie over one another.
    """

    def __init__(self, data: bytes, budget: Budget) -> None:
        self._data = data
        self._budget = budget
        self._credit = 2 * len(data)
        self.overfull = False

    def files(self, descriptor: int) -> Iterator[tuple[str, Extents]]:
        """Every file that has bytes: its path, and where they lie."""
        block = int.from_bytes(self._data[descriptor + 128 : descriptor + 130], "little") or SECTOR
        root = _record(self._data, descriptor + _ROOT_RECORD, block)
        if root is None:
            return
        seen = {root.start}
        todo = [("", root)]
        while todo:
            path, folder = todo.pop()
            pieces: list[tuple[int, int]] = []
            for record in self._records(folder, block):
                name = f"{path}{record.name}"
                if record.flags & _IS_DIRECTORY:
                    if record.start not in seen:
                        seen.add(record.start)
                        todo.append((f"{name}/", record))
                    continue
                pieces.append((record.start, record.size))
                if not record.flags & _GOES_ON:
                    if any(size for _, size in pieces):
                        yield name, tuple(pieces)
                    pieces = []
            if pieces:
                yield f"{path}unfinished", tuple(pieces)

    def _records(self, folder: _Record, block: int) -> Iterator[_Record]:
        self._budget.check_time()
        end = min(folder.start + folder.size, len(self._data))
        self._credit -= max(0, end - folder.start)
        if self._credit < 0:
            self.overfull = True
            return
        at = folder.start
        while at < end:
            length = self._data[at]
            if not length:  # no record crosses the end of a sector
                at += SECTOR - (at - folder.start) % SECTOR
                continue
            record = _record(self._data, at, block)
            if record is not None:
                yield record
            at += length


def _record(data: bytes, at: int, block: int) -> _Record | None:
    length = data[at] if at < len(data) else 0
    if length < _SMALLEST_RECORD or at + length > len(data):
        return None
    extra = data[at + 1]  # blocks of an extended attribute record before the bytes
    start = (int.from_bytes(data[at + 2 : at + 6], "little") + extra) * block
    size = int.from_bytes(data[at + 10 : at + 14], "little")
    return _Record(_name(data[at : at + length]), start, size, data[at + 25])


def _name(record: bytes) -> str:
    """A file's name: Rock Ridge's, or the record's own."""
    count = record[32]
    own = record[33 : 33 + count]
    at = 33 + count + (1 - count % 2)
    longer = b""
    while at + 4 <= len(record) and record[at + 2] >= 4:
        if record.startswith(b"NM", at):
            longer += record[at + 5 : at + record[at + 2]]
        at += record[at + 2]
    return (longer or own.partition(b";")[0]).decode("utf-8", "surrogateescape")


def _bytes(data: bytes, extents: Extents) -> Iterator[bytes]:
    for start, size in extents:
        yield from copy(data, start, min(start + size, len(data)))
        if start + size > len(data):
            raise Interrupted(Reason.DAMAGED, "truncated")


UNPACKER = IsoPrimaryUnpacker()

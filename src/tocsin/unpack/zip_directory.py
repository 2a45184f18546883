"""Where the members of a zip file lie: its central directory, and what hides beside it.

`zipfile` refuses whole files for one odd field and believes the central directory alone,
while programs that unpack zip files disagree about which structure to believe. This reads
both and lists every place where some program would find a member.

Source: APPNOTE 6.3, sections 4.3 to 4.5.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

LOCAL_SIGNATURE = b"PK\x03\x04"
_CENTRAL_SIGNATURE = b"PK\x01\x02"
_END_SIGNATURE = b"PK\x05\x06"
_END64_SIGNATURE = b"PK\x06\x06"
_LOCATOR64_SIGNATURE = b"PK\x06\x07"

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")

_ZIP64_EXTRA = 1
_IN_ZIP64 = 0xFFFFFFFF
_MOST_END_RECORDS = 64
_MOST_DESCRIPTORS = 200_000
_PLAUSIBLE_LOCAL = re.compile(rb"PK\x03\x04....(?:[\x00-\x14]|[\x5d-\x63])\x00", re.DOTALL)
"""A local header of a method in use: four bytes alone prove little. No program minds the
version."""

_LEAST_ENTRIES_READ = 100_000
_DIRECTORIES_READ = 4
_MOST_OTHERS = 1_000_000
_MOST_SHIFTS = 4
"""How much is read of directories that contradict each other."""

_HEADERS_BETWEEN_CHECKS = 1024

ENCRYPTED = 0x0001
DESCRIPTOR = 0x0008
STRONGLY_ENCRYPTED = 0x0040


_LONGEST_COMMENT = 1024
"""Bytes of an archive's comment; in a longer one something may hide."""


class Entry(NamedTuple):
    """A member as one header describes it.

    Attributes:
        name: name as stored.
        flags: general purpose bit flag.
        method: compression method.
        time: time of modification as DOS writes it; part of the password check.
        crc: CRC-32 of the member.
        packed_size: bytes in the archive as stated.
        size: bytes unpacked as stated.
        offset: where the local header begins in the file.
        position: place in the central directory counted from 1.
        extra: further fields, as stored.
        comment: bytes of its comment.
    """

    name: bytes
    flags: int
    method: int
    time: int
    crc: int
    packed_size: int
    size: int
    offset: int
    position: int
    extra: bytes = b""
    comment: int = 0


class Local(NamedTuple):
    """A local header: what it says, and where the data behind it begins."""

    entry: Entry
    start: int


def read_local(data: bytes, offset: int, position: int) -> Local | None:
    """Read the local header at a position, or None when there is none.

    Source: APPNOTE 4.3.7.
    """
    if offset < 0 or offset + _LOCAL.size > len(data):
        return None
    (signature, _version, flags, method, time, _date, crc, packed, size, name_size, extra_size) = (
        _LOCAL.unpack_from(data, offset)
    )
    if signature != LOCAL_SIGNATURE:
        return None
    at = offset + _LOCAL.size
    name = data[at : at + name_size]
    extra = data[at + name_size : at + name_size + extra_size]
    size, packed, _ = _widen(extra, size, packed, 0)
    entry = Entry(name, flags, method, time, crc, packed, size, offset, position, extra)
    return Local(entry, at + name_size + extra_size)


def _widen(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Replace the fields that did not fit by those of the zip64 extra field.

    Source: APPNOTE 4.5.3.
    """
    values = [size, packed, offset]
    if _IN_ZIP64 not in values:
        return size, packed, offset
    at = 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, at)
        at += 4
        if tag == _ZIP64_EXTRA:
            field = extra[at : at + length]
            for index, value in enumerate(values):
                if value == _IN_ZIP64 and len(field) >= 8:
                    values[index] = int.from_bytes(field[:8], "little")
                    field = field[8:]
            break
        at += length
    return values[0], values[1], values[2]


class Directories(NamedTuple):
    """What every directory lists that some program may believe.

    Attributes:
        entries: those of the directory that most programs believe, in its order.
        others: what other directories list besides, where a local header proves it.
        too_many: whether there is more than was looked at.
        end: where the last directory ends, with the records that close it.
    """

    entries: list[Entry]
    others: list[Entry]
    too_many: bool = False
    end: int = 0


def read_central(data: bytes, most: int | None, alive: Callable[[], None]) -> Directories:
    """Read the central directories.

    Of several end records the last one whose directory holds an entry counts. Bytes in front
    of the archive, which make every stated position too small, are allowed for. Whatever else
    may pass for a directory is read as well: a decoy must not hide the true one.

    Args:
        data: the file.
        most: entries to read at most, or None for all.
        alive: called now and then; may raise to stop.
    """
    return _Reading(data, most, alive).all()


class _Reading:
    """The directories of one file while they are read."""

    def __init__(self, data: bytes, most: int | None, alive: Callable[[], None]) -> None:
        self._data = data
        self._most = most
        self._alive = alive
        self._left = max(_LEAST_ENTRIES_READ, (most or _MOST_OTHERS) * _DIRECTORIES_READ)
        self._entries: list[Entry] = []
        self._others: list[Entry] = []
        self._known: set[tuple[int, ...]] = set()
        self._read: set[tuple[int, int]] = set()
        self._spans: dict[int, int] = {}
        self._stored: list[Entry] | None = None
        self._shifts = [0]

    def all(self) -> Directories:
        data = self._data
        end = len(data)
        last = True
        for _ in range(_MOST_END_RECORDS):
            end = data.rfind(_END_SIGNATURE, 0, end)
            if end < 0:
                break
            comment = int.from_bytes(data[end + 20 : end + 22], "little")
            believed = last or end + _END.size + comment == len(data)
            for start, shift in _directory_starts(data, end):
                self._add(start, shift, None if believed else end)
            last = last and end + _END.size > len(data)
            end += len(_END_SIGNATURE) - 1
        self._runs()
        end = _behind_end_records(data, max(self._spans.values(), default=0))
        return Directories(self._entries, self._others, self._left <= 0, end)

    def _runs(self) -> None:
        """Read what no end record leads to."""
        data = self._data
        at = data.find(_CENTRAL_SIGNATURE)
        while at >= 0 and self._left > 0:
            behind = self._spans.get(at)
            if behind is None:
                for shift in self._shifts[:_MOST_SHIFTS]:
                    self._add(at, shift, at)
                behind = self._spans.get(at, at + 1)
            at = data.find(_CENTRAL_SIGNATURE, max(behind, at + 1))

    def _add(self, start: int, shift: int, inside: int | None) -> None:
        """Read one directory.

        Args:
            start: where it begins.
            shift: by how much its positions are off.
            inside: position by which to tell that it belongs to an archive that is a member,
                and comes out with it; None when it is to be read all the same.
        """
        if (start, shift) in self._read or self._left <= 0:
            return
        self._read.add((start, shift))
        if not self._data.startswith(_CENTRAL_SIGNATURE, max(start, 0)) or start < 0:
            return
        if inside is not None and self._is_in_member(start, inside):
            return
        self._alive()
        entries = list(islice(_central_entries(self._data, start, shift), self._most))
        self._left -= len(entries) + 1
        if not entries:
            return
        first = not self._entries
        if first:
            self._entries = entries
        for entry in entries:
            key = reading_of(entry)
            if first:
                self._known.add(key)
            elif key not in self._known and self._is_proved(entry):
                self._known.add(key)
                position = len(self._entries) + len(self._others) + 1
                self._others.append(entry._replace(position=position))
        if shift not in self._shifts:
            self._shifts.append(shift)
        size = sum(
            _CENTRAL.size + len(each.name) + len(each.extra) + each.comment for each in entries
        )
        self._spans[start] = start + size

    def _is_proved(self, entry: Entry) -> bool:
        if len(self._others) >= (self._most or _MOST_OTHERS):
            self._left = 0
            return False
        return self._data.startswith(LOCAL_SIGNATURE, entry.offset) and entry.offset >= 0

    def _is_in_member(self, start: int, end: int) -> bool:
        """Whether a listed member that is stored as it is holds a part of the file."""
        if not self._entries:
            return False
        if self._stored is None:
            stored = [each for each in self._entries if not (each.method or each.flags & ENCRYPTED)]
            self._stored = sorted(stored, key=_offset)
        number = bisect_left(self._stored, start, key=_offset) - 1
        if number < 0:
            return False
        entry = self._stored[number]
        local = read_local(self._data, entry.offset, entry.position)
        return local is not None and end < local.start + entry.packed_size


def _offset(entry: Entry) -> int:
    return entry.offset


def reading_of(entry: Entry) -> tuple[int, ...]:
    """What decides which bytes come out of a member."""
    return (entry.offset, entry.method, entry.flags, entry.packed_size, entry.size, entry.crc)


def holds_end_record(data: bytes) -> bool:
    """Whether there is an end record, as an archive without members has."""
    return _END_SIGNATURE in data


def _behind_end_records(data: bytes, at: int) -> int:
    """Where the records end that close a directory, and a comment of ordinary length."""
    if data.startswith(b"PK\6\6", at):
        at += 12 + int.from_bytes(data[at + 4 : at + 12], "little")
    if data.startswith(b"PK\6\7", at):
        at += 20
    if data.startswith(_END_SIGNATURE, at):
        comment = int.from_bytes(data[at + 20 : at + 22], "little")
        at += _END.size + (comment if comment <= _LONGEST_COMMENT else 0)
    return at


def _directory_starts(data: bytes, end: int) -> Iterator[tuple[int, int]]:
    """Where the directory of an end record may begin, and by how much positions are off.

    Source: APPNOTE 4.3.14 to 4.3.16.
    """
    if end + _END.size > len(data):
        return
    *_, size, offset, _comment = _END.unpack_from(data, end)
    places = [(end, size, offset), *_read_end64(data, end)]
    if _IN_ZIP64 in (size, offset):
        places.reverse()
    for after, length, at in places:
        yield at, 0
        yield after - length, after - length - at


def _read_end64(data: bytes, end: int) -> Iterator[tuple[int, int, int]]:
    """Position of each zip64 end record in front of an end record, its size and offset."""
    at = end - _LOCATOR64.size
    if at < 0:
        return
    signature, _disk, offset, _disks = _LOCATOR64.unpack_from(data, at)
    if signature != _LOCATOR64_SIGNATURE:
        return
    for place in dict.fromkeys((offset, at - _END64.size)):
        if 0 <= place <= len(data) - _END64.size:
            record = _END64.unpack_from(data, place)
            if record[0] == _END64_SIGNATURE:
                yield place, record[-2], record[-1]


def _central_entries(data: bytes, at: int, shift: int) -> Iterator[Entry]:
    """Read entries until something else comes; the stated number is not believed.

    Source: APPNOTE 4.3.12.
    """
    position = 0
    while 0 <= at <= len(data) - _CENTRAL.size:
        fields = _CENTRAL.unpack_from(data, at)
        if fields[0] != _CENTRAL_SIGNATURE:
            return
        (flags, method, time), (crc, packed, size) = fields[3:6], fields[7:10]
        name_size, extra_size, comment_size = fields[10:13]
        at += _CENTRAL.size
        name = data[at : at + name_size]
        extra = data[at + name_size : at + name_size + extra_size]
        size, packed, offset = _widen(extra, size, packed, fields[-1])
        position += 1
        offset += shift
        yield Entry(
            *(name, flags, method, time, crc, packed, size, offset, position, extra),
            comment=comment_size,
        )
        at += name_size + extra_size + comment_size


class Gaps:
    """Looks for local headers in the parts of a file that no listed member occupies."""

    def __init__(self, data: bytes, alive: Callable[[], None]) -> None:
        """Find all signatures a member without stated sizes may end at.

        Args:
            data: the file.
            alive: called now and then; may raise to stop.
        """
        self._data = data
        self._alive = alive
        self._seen = 0
        signatures = re.compile(rb"PK(?:\x07\x08|\x03\x04|\x01\x02)").finditer(data)
        self._marks = [m.start() for m in islice(signatures, _MOST_DESCRIPTORS)]

    def entries(self, start: int, end: int, position: int) -> Iterator[Entry]:
        """Find members in a part of the file.

        Args:
            start: where the part begins.
            end: where it ends.
            position: number of the first member found.

        Yields:
            Entries with the sizes found by looking, where the header states none.
        """
        data = self._data
        at = start
        while (match := _PLAUSIBLE_LOCAL.search(data, at, end)) is not None:
            self._seen += 1
            if self._seen % _HEADERS_BETWEEN_CHECKS == 0:
                self._alive()
            at = match.start() + len(LOCAL_SIGNATURE)
            local = read_local(data, match.start(), position)
            if local is not None and local.entry.name and local.start <= len(data):
                entry = self._measure(local)
                yield entry
                position += 1
                at = min(local.start + entry.packed_size, len(data))

    def _measure(self, local: Local) -> Entry:
        """Fill in what a header leaves to the data descriptor (APPNOTE 4.3.9)."""
        entry = local.entry
        if entry.packed_size or not entry.flags & DESCRIPTOR:
            return entry
        first = bisect_left(self._marks, local.start)
        for mark in self._marks[first : first + 16]:
            packed = mark - local.start
            record = self._data[mark : mark + 16]
            if record[:4] != b"PK\x07\x08":
                return entry._replace(packed_size=packed)
            if int.from_bytes(record[8:12], "little") == packed & 0xFFFFFFFF:
                crc = int.from_bytes(record[4:8], "little")
                size = int.from_bytes(record[12:16], "little")
                return entry._replace(crc=crc, packed_size=packed, size=size)
        return entry._replace(packed_size=len(self._data) - local.start)

"""What differs between two portable databases, found in memory that their size does not change.

Both are sorted, so group by group they are compared from the start on in large stretches; only
where they differ are lines looked at. The result goes into a delta as `delta_apply` describes.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tocsin.signatures.records import Source
from tocsin.updates.delta_apply import MAX_RUNS, Change, Run, removed_texts, renumbered
from tocsin.updates.delta_format import Writer, packed_varint
from tocsin.updates.delta_text import MAX_TEXT_BYTES, MAX_TEXTS, write_texts
from tocsin.updates.errors import DeltaError
from tocsin.updates.record_file import BLOCK, Group, RecordFile

_NUMBER = re.compile("[0-9]+")
_STRIDE = 256


class Made(NamedTuple):
    """A delta and what it does.

    Attributes:
        data: its bytes.
        added: records.
        removed: records.
    """

    data: bytes
    added: int
    removed: int


def compared(
    old: RecordFile, new: RecordFile, before: Sequence[Source], after: Sequence[Source]
) -> Made:
    """The delta from one database to another.

    Args:
        old: the one a device has.
        new: the one it is to get.
        before: the old one's sources.
        after: the new one's.

    Raises:
        DeltaError: one is damaged, or they differ too much for a delta.
    """
    sources = continued(before, after)
    groups = renumbered(old.groups(), sources)
    ahead = {group.prefix: group for group in new.groups()}
    found = _Found()
    for prefix in sorted(groups.keys() | ahead.keys()):
        found.group(old, groups.get(prefix), new, ahead.get(prefix), prefix)
    carried = {group.prefix for group in groups.values()}
    dropped = sum(
        old.lines(group.start, group.end) for group in old.groups() if group.prefix not in carried
    )
    writer = Writer()
    writer.raw(hashlib.sha256(old.header).digest())
    writer.block(new.header, old.header)
    shifts = ((number, number - place) for place, number in enumerate(sources))
    codes = (0 if number < 0 else 1 + (2 * by if by >= 0 else -2 * by - 1) for number, by in shifts)
    writer.block(b"".join(map(packed_varint, codes)))
    writer.block(b"".join(map(_packed, found.changes)))
    writer.numbers(found.gaps)
    writer.numbers([records - 1 for records in found.records])
    gone = zip(found.changes, found.runs, strict=True)
    write_texts(writer, found.texts, removed_texts(old, gone))
    return Made(writer.finish(), len(found.texts), sum(found.records) + dropped)


def continued(before: Sequence[Source], after: Sequence[Source]) -> list[int]:
    """For each old source which new one goes on with it, -1 for none.

    A source is itself, else the one of its name (tomorrow's digest is another), else the one
    whose name differs in numbers only (a version in it). Any answer makes a right delta; a good
    one makes a small delta.
    """
    numbers = [-1] * len(before)
    keys: tuple[Callable[[Source], object], ...] = (
        lambda source: source,
        lambda source: source.name,
        lambda source: _NUMBER.sub("#", source.name),
    )
    taken: set[int] = set()
    for key in keys:
        free = defaultdict(list)
        for number in reversed(range(len(after))):
            if number not in taken:
                free[key(after[number])].append(number)
        for place, source in enumerate(before):
            if numbers[place] < 0 and free[key(source)]:
                numbers[place] = free[key(source)].pop()
                taken.add(numbers[place])
    return numbers


def _packed(change: Change) -> bytes:
    counts = packed_varint(change.added) + packed_varint(change.runs)
    return packed_varint(len(change.prefix)) + change.prefix + counts


class _Found:
    """What differs so far; every list is bounded."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.texts: list[bytes] = []
        self.gaps: list[int] = []
        self.records: list[int] = []
        self.runs: list[list[Run]] = []
        self._bytes = 0

    def group(
        self, old: RecordFile, was: Group | None, new: RecordFile, now: Group | None, prefix: bytes
    ) -> None:
        """Compare one group; either database may lack it."""
        runs: list[Run] = []
        texts = len(self.texts)
        empty = Group(prefix, 0, 0)
        start = was.start if was else 0
        for line in _differing(
            _Lines(old, was or empty, prefix), _Lines(new, now or empty, prefix)
        ):
            if isinstance(line, bytes):
                self._add(line[len(prefix) : -1])
            elif runs and runs[-1][1] == line[0]:
                runs[-1] = (runs[-1][0], line[1])
                self.records[-1] += 1
            else:
                self.gaps.append(line[0] - (runs[-1][1] if runs else start))
                self.records.append(1)
                runs.append(line)
                if len(self.gaps) > MAX_RUNS:
                    raise _too_different()
        if runs or len(self.texts) > texts:
            self.changes.append(Change(prefix, len(self.texts) - texts, len(runs)))
            self.runs.append(runs)

    def _add(self, text: bytes) -> None:
        self.texts.append(text)
        self._bytes += len(text) + 1
        if len(self.texts) > MAX_TEXTS or self._bytes > MAX_TEXT_BYTES:
            raise _too_different()


def _too_different() -> DeltaError:
    return DeltaError("the databases differ too much for a delta; publish this one in full")


class _Lines:
    """A window of whole lines that goes over a group, as they look in the new database.

    Attributes:
        data: whole lines.
        at: where in them the next one begins.
        place: where it begins in the file.
    """

    def __init__(self, file: RecordFile, group: Group, prefix: bytes) -> None:
        self.data = b""
        self.at = 0
        self.place = self._next = group.start
        self._file, self._end = file, group.end
        self._before, self._after = b"\n" + group.prefix, b"\n" + prefix
        self._longer = len(prefix) - len(group.prefix)

    def fill(self) -> bool:
        """Whether there is another line; reads on when the window is used up."""
        if self.at < len(self.data):
            return True
        size, cut = BLOCK, 0
        while not cut and self._next < self._end:
            block = self._file.read(self._next, min(size, self._end - self._next))
            cut = block.rfind(b"\n") + 1
            if not cut and len(block) < size:
                raise DeltaError(f"{self._file.name}: the last line does not end; it is damaged")
            size *= 2
        if not cut:
            return False
        self._next += cut
        self.data, self.at = block[:cut], 0
        if self._before != self._after:
            self.data = (b"\n" + self.data).replace(self._before, self._after)[1:]
        return True

    def line(self) -> bytes:
        """The next line with its newline."""
        return self.data[self.at : self.data.index(b"\n", self.at) + 1]

    def advance(self, size: int) -> None:
        """Go on by whole lines of so many bytes."""
        lines = self.data.count(b"\n", self.at, self.at + size) if self._longer else 0
        self.at += size
        self.place += size - lines * self._longer


def _differing(old: _Lines, new: _Lines) -> Iterator[bytes | Run]:
    """In order: a line that only the new one has, or the place of one that only the old one has."""
    while True:
        more_old, more_new = old.fill(), new.fill()
        if not (more_old or more_new):
            return
        if more_old and more_new:
            same = _same(old.data, old.at, new.data, new.at)
            whole = old.data.rfind(b"\n", old.at, old.at + same) + 1 - old.at
            if whole > 0:
                old.advance(whole)
                new.advance(whole)
                continue
        if more_old and (not more_new or old.line() < new.line()):
            start = old.place
            old.advance(len(old.line()))
            yield start, old.place
        else:
            line = new.line()
            new.advance(len(line))
            yield line


def _same(first: bytes, at: int, second: bytes, place: int) -> int:
    """How many bytes from two places on are the same, looked at in growing strides."""
    most = min(len(first) - at, len(second) - place)
    same, stride = 0, _STRIDE
    while same < most:
        stride = min(stride, most - same)
        a, b = at + same, place + same
        if first[a : a + stride] == second[b : b + stride]:
            same += stride
            stride *= 4
        else:
            return same + _first_difference(first, a, second, b, stride)
    return same


def _first_difference(first: bytes, at: int, second: bytes, place: int, size: int) -> int:
    """Where two stretches that do differ do so first."""
    low, high = 0, size
    while low + 1 < high:
        middle = (low + high) // 2
        if first[at + low : at + middle] == second[place + low : place + middle]:
            low = middle
        else:
            high = middle
    return low

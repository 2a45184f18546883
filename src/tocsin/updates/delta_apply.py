"""From the old database and a delta to the new database's bytes, piece by piece.

What is in a delta, in this order (`delta_format` has varints, blocks and columns):

    SHA-256 of the old database's header line, 32 bytes
    new header line: a block, the old one its dictionary
    sources: a block of varints, one for each of the old database's in order;
        0 when none of the new ones continues it, else 1 + the zigzag of (new number - old)
    changed groups: a block; in the order of prefixes the prefix's length, the prefix, records
        added and runs removed
    runs: a column of bytes between a run and the one before (or the group's start), and a
        column of records in it less one
    texts added: see `delta_text`; the dictionary is the runs of all groups but those of digests

A record's line begins with its source's number, and a new source renumbers those behind it; its
header has every source's digest, and a feed's differs every day. So a delta speaks of *groups*
(kind, source, flags) and says once for each source which number it gets: a line that differs
in nothing but the number costs nothing. Whoever sits in the new database under an old
source's number is then known without a word about its records.

Removals are places. Additions have none: they are sorted, the old group is sorted, so they are
looked for, which costs no byte and cannot be told wrongly. A group without changes is carried
over as it is. Nothing of this is trusted: the reader keeps to bounds, and whoever writes the
result compares its digest with the one that was signed.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tocsin.database.portable import MAGIC
from tocsin.updates.delta_format import Reader, damaged, unpacked_varint
from tocsin.updates.delta_text import MAX_DICTIONARY_BYTES, MAX_TEXTS, read_texts
from tocsin.updates.errors import DeltaError
from tocsin.updates.record_file import (
    MAX_GROUPS,
    MAX_HEADER_BYTES,
    MAX_PREFIX_BYTES,
    Group,
    RecordFile,
)

MAX_RUNS = 1 << 18
"""Places at which a delta may remove records."""

_MAX_GROUPS_BYTES = 16 << 20
_MAX_PLACE = (1 << 62) - 1
_DIGESTS = b"digest"

Run = tuple[int, int]
"""Place of the first record removed, and behind the last."""


class Change(NamedTuple):
    """What happens in one group.

    Attributes:
        prefix: of its lines in the new database.
        added: records.
        runs: stretches of removed records.
    """

    prefix: bytes
    added: int
    runs: int


def rebuilt(old: RecordFile, delta: bytes) -> Iterator[bytes]:
    """The new database's bytes, in pieces of at most some MiB.

    All of the delta is read and found to be well-formed before the first piece.

    Raises:
        DeltaError: the delta is damaged or for another database, or the old one is damaged.
    """
    reader = Reader(delta)
    if reader.raw(32) != hashlib.sha256(old.header).digest():
        raise DeltaError(
            f"{old.name}: the delta is for another database than this one; "
            "fetch the one for it, or the whole database"
        )
    header = reader.block(MAX_HEADER_BYTES, old.header)
    sources = _sources(reader.block(2 * MAX_GROUPS))
    changes = _changes(reader.block(_MAX_GROUPS_BYTES))
    groups = renumbered(old.groups(), sources)
    runs = _runs(reader, old, changes, groups)
    dictionary = removed_texts(old, zip(changes, runs, strict=True))
    texts = read_texts(reader, sum(change.added for change in changes), dictionary)
    reader.finish()
    yield MAGIC + header
    at = 0
    changed = {}
    for change, gone in zip(changes, runs, strict=True):
        changed[change.prefix] = (gone, texts[at : at + change.added])
        at += change.added
    for prefix in sorted(groups.keys() | changed.keys()):
        gone, added = changed.get(prefix, ([], []))
        yield from _group(old, groups.get(prefix), prefix, gone, added)


def renumbered(groups: Iterator[Group], sources: Sequence[int]) -> dict[bytes, Group]:
    """Groups of the old database by the prefix they have in the new one.

    Args:
        groups: the old database's.
        sources: new number for each old one, -1 for none.

    Raises:
        DeltaError: a group has no such source, or two become one.
    """
    result: dict[bytes, Group] = {}
    for group in groups:
        kind, number, flags = group.prefix.split(b"\t", 2)
        # More digits than any number of sources has are not read as one.
        if not number.isdigit() or len(number) > 9 or int(number) >= len(sources):
            raise DeltaError(
                f"a record's source is number {number[:12]!r}, but only {len(sources)} are known; "
                "the database or the delta is damaged"
            )
        source = sources[int(number)]
        if source >= 0:
            prefix = b"%b\t%d\t%b" % (kind, source, flags)
            if prefix in result:
                raise damaged()
            result[prefix] = group
    return result


def removed_texts(old: RecordFile, gone: Iterator[tuple[Change, list[Run]]]) -> bytes:
    """Removed records that added ones may resemble, up to a bound; digests resemble nothing."""
    parts, left = [], MAX_DICTIONARY_BYTES
    for change, runs in gone:
        if not change.prefix.partition(b"\t")[0].endswith(_DIGESTS):
            for start, end in runs:
                parts.append(old.read(start, min(end - start, left)))
                left -= len(parts[-1])
                if not left:
                    return b"".join(parts)
    return b"".join(parts)


def _sources(block: bytes) -> list[int]:
    numbers: list[int] = []
    at = 0
    while at < len(block):
        value, at = unpacked_varint(block, at, 4 * MAX_GROUPS)
        code = value - 1
        shift = code >> 1 if code & 1 == 0 else -(code >> 1) - 1
        number = len(numbers) + shift if value else -1
        if value and not 0 <= number < MAX_GROUPS:
            raise damaged()
        numbers.append(number)
    return numbers


def _changes(block: bytes) -> list[Change]:
    changes: list[Change] = []
    at = added = runs = 0
    while at < len(block):
        size, at = unpacked_varint(block, at, MAX_PREFIX_BYTES)
        prefix = block[at : at + size]
        change_added, at = unpacked_varint(block, at + size, MAX_TEXTS)
        change_runs, at = unpacked_varint(block, at, MAX_RUNS)
        added, runs = added + change_added, runs + change_runs
        if (changes and prefix <= changes[-1].prefix) or prefix.count(b"\t") != 3:
            raise damaged()
        if len(changes) == MAX_GROUPS or added > MAX_TEXTS or runs > MAX_RUNS:
            raise damaged()
        changes.append(Change(prefix, change_added, change_runs))
    return changes


def _runs(
    reader: Reader, old: RecordFile, changes: Sequence[Change], groups: dict[bytes, Group]
) -> list[list[Run]]:
    count = sum(change.runs for change in changes)
    gaps = iter(reader.numbers(count, _MAX_PLACE))
    records = iter(reader.numbers(count, _MAX_PLACE))
    result: list[list[Run]] = []
    for change in changes:
        runs: list[Run] = []
        if change.runs:
            group = groups.get(change.prefix)
            if group is None:
                raise damaged()
            at = group.start
            for _ in range(change.runs):
                start = at + next(gaps)
                if start >= group.end:
                    raise damaged()
                at = old.line_end(start, group.end, next(records) + 1)
                runs.append((start, at))
        result.append(runs)
    return result


def _group(
    old: RecordFile, group: Group | None, prefix: bytes, gone: list[Run], added: list[bytes]
) -> Iterator[bytes]:
    """One group's lines: what is kept, with what is added between."""
    if group is None:
        yield from (prefix + text + b"\n" for text in added)
        return
    runs = deque(gone)
    at = group.start
    for place, text in zip(_places(old, group, added), added, strict=True):
        yield from _kept(old, group.prefix, prefix, at, place, runs)
        yield prefix + text + b"\n"
        at = place
    yield from _kept(old, group.prefix, prefix, at, group.end, runs)


def _places(old: RecordFile, group: Group, texts: Sequence[bytes]) -> list[int]:
    """Where in a group texts would stand, ascending whatever their order is.

    The middle one is looked for first: it halves the stretch for those before and behind it.
    """
    places = [0] * len(texts)
    waiting = [(0, len(texts), group.start, group.end)] if texts else []
    while waiting:
        first, last, start, end = waiting.pop()
        middle = (first + last) // 2
        place = old.lower_bound(start, end, group.prefix + texts[middle] + b"\n")
        places[middle] = place
        if first < middle:
            waiting.append((first, middle, start, place))
        if middle + 1 < last:
            waiting.append((middle + 1, last, place, end))
    return places


def _kept(
    old: RecordFile, before: bytes, after: bytes, start: int, end: int, runs: deque[Run]
) -> Iterator[bytes]:
    """What stands between two places without what is removed, under the new prefix."""
    while runs and runs[0][0] < end:
        gone, back = runs[0]
        if start < gone:
            yield from _carried(old, before, after, start, gone)
        start = max(start, min(back, end))
        if back > end:
            return
        runs.popleft()
    if start < end:
        yield from _carried(old, before, after, start, end)


def _carried(old: RecordFile, before: bytes, after: bytes, start: int, end: int) -> Iterator[bytes]:
    """Whole lines with another prefix; blocks need not end where lines do."""
    if before == after:
        yield from old.blocks(start, end)
        return
    # In a text a newline is written otherwise, so this stands at the start of lines alone.
    mark, other = b"\n" + before, b"\n" + after
    skip, waiting = 1, b"\n"
    for block in old.blocks(start, end):
        waiting += block
        cut = waiting.rfind(b"\n", max(0, len(waiting) - len(mark) + 1))
        ready, waiting = (waiting, b"") if cut < 0 else (waiting[:cut], waiting[cut:])
        ready = ready.replace(mark, other)
        yield ready[skip:]
        skip = 0 if ready else skip
    yield waiting[skip:]

"""Objects hidden in others, found by their headers: programs, archives, slices for other CPUs.

A program that carries its like without any container around it - a dropper, a joined file, a
launcher that others are made from - says nothing about it in its own headers. Each object
comes out as long as its own headers say, so that its digest is the one it has alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct

# Loaded with this module, because a confined process may open no file when it is needed.
import hyperscan  # noqa: F401

from tocsin.errors import FormatError
from tocsin.formats.embedded import MOST_MARKS, find_marks, hidden_objects
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.stream import Meta, copy, report, skipped, take

_SLICE = Struct(">8xII4x")
_MOST_SLICES = 32


class EmbeddedUnpacker:
    """Takes out what stands inside or behind an object; and the slices of universal binaries."""

    types = frozenset({"EMBEDDED", "MACHO_UNIBIN"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        if data.startswith(b"\xca\xfe\xba\xbe"):
            yield from _slices(data, budget)
            return
        marks = find_marks(data)
        position = 0
        for hidden in hidden_objects(data, marks):
            budget.check_time()
            position += 1
            name = f"{hidden.start:#x}.{hidden.kind}"
            yield from _cut(data, name, hidden.start, hidden.end, position, budget)
        if marks.too_many:
            detail = f"only the first {MOST_MARKS} marks of hidden objects were looked at"
            yield Skipped("", Reason.LIMIT, detail)
        elif not position:
            raise FormatError("nothing is hidden in it")


def _slices(data: bytes, budget: Budget) -> Iterator[Member | Skipped]:
    """The slices a universal binary lists, those that it does not hold whole included.

    Source: Apple, `mach-o/fat.h`.
    """
    count = int.from_bytes(data[4:8], "big")
    if not 0 < count <= _MOST_SLICES:
        raise FormatError("not a universal binary: no slice is listed")
    for position in range(1, count + 1):
        budget.check_time()
        row = data[8 + (position - 1) * _SLICE.size :][: _SLICE.size]
        if len(row) < _SLICE.size:
            yield Skipped("", Reason.DAMAGED, "truncated list of slices", position=position)
            return
        offset, size = _SLICE.unpack(row)
        name = f"slice{position}"
        if offset + size <= len(data):
            yield from _cut(data, name, offset, offset + size, position, budget)
            continue
        for item in _cut(data, name, min(offset, len(data)), len(data), position, budget):
            if isinstance(item, Member):
                yield item._replace(complete=False, note="truncated")
            else:
                yield item


def _cut(
    data: bytes, name: str, start: int, end: int, position: int, budget: Budget
) -> Iterator[Member | Skipped]:
    meta = Meta(name, end - start, end - start, position)
    if not budget.fits_file(end - start):
        bound = budget.limits.max_file_size
        yield skipped(meta, Reason.LIMIT, f"more than {bound} bytes (--max-file-size)")
        return
    budget.charge_file()
    yield from report(meta, take(copy(data, start, end), budget))


UNPACKER = EmbeddedUnpacker()

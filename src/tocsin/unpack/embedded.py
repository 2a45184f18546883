"""Objects hidden in others, found by their headers: programs, archives, slices for other CPUs.

A program that carries its like without any container around it - a dropper, a joined file, a
launcher that others are made from - says nothing about it in its own headers. Each object
comes out as long as its own headers say, so that its digest is the one it has alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# Loaded with this module, because a confined process may open no file when it is needed.
import hyperscan  # noqa: F401

from tocsin.errors import FormatError
from tocsin.formats.embedded import MOST_MARKS, find_marks, hidden_objects
from tocsin.formats.macho import fat_slices
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.stream import Meta, copy, report, skipped, take


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
    slices = fat_slices(data)
    if not slices:
        raise FormatError("not a universal binary: no slice lies in the file")
    for position, (offset, size) in enumerate(slices, start=1):
        budget.check_time()
        yield from _cut(data, f"slice{position}", offset, offset + size, position, budget)


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

"""Packed Windows programs: emulated until they have unpacked themselves.

The programs that come out are rebuilt from memory (`pe_rebuild`). A program that looks packed
(`formats.packed`) and gives nothing is remarked on, and is no incomplete scan: the file itself
was scanned whole, and what clamscan cannot unpack it passes over in silence as well. Where
time, instructions or the emulator itself gave out, the scan is incomplete: there may be more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import NamedTuple
from weakref import WeakKeyDictionary

from tocsin.errors import FormatError
from tocsin.formats.packed import packer, surely_packed
from tocsin.unpack.emulate import TOO_LONG, Effort, Outcome, emulate
from tocsin.unpack.emulator_image import Image, read_image
from tocsin.unpack.emulator_pool import CpuLost, preload
from tocsin.unpack.interface import Budget, Member, Reason, Remark, Skipped, Trait
from tocsin.unpack.pe_rebuild import rebuild
from tocsin.unpack.stream import Meta, copy, report, take

_SECONDS = 8.0
"""Processor time for one program; a busy machine shall not find less."""

_SECONDS_IN_ALL = 24.0
"""Processor time for all programs inside one top-level object."""

_LEAST_SECONDS = 0.2

_SPENT: WeakKeyDictionary[Budget, float] = WeakKeyDictionary()
"""Seconds of emulation by budget, which there is one of for a top-level object."""


class _Found(NamedTuple):
    """Something to hand on."""

    name: str
    chunks: Iterator[bytes]


class PackedUnpacker:
    """Takes programs out of their packing."""

    types = frozenset({"PACKED"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped | Remark]:
        """Hand out what a program unpacked.

        Args:
            data: the program.
            budget: what may be used up.
            passwords: not used.

        Yields:
            The program as it was in memory, the last layer first, and programs that it had
            in memory of its own; a remark when there is none.

        Raises:
            LimitReached: a bound for the whole tree was hit.
        """
        del passwords
        try:
            image = read_image(data)
        except FormatError as error:
            yield _remark(data, str(error))
            return
        if _seconds_left(budget) < _LEAST_SECONDS:
            detail = f"packed, and {_SECONDS_IN_ALL:g} seconds of emulation are used up"
            yield Skipped("unpacked", Reason.LIMIT, detail)
            return
        try:
            outcome = _run(image, data, budget)
        except CpuLost as error:
            yield Skipped("unpacked", Reason.UNSUPPORTED, f"packed, not unpacked: {error}")
            return
        except FormatError as error:
            yield _remark(data, str(error))
            return
        position = 0
        for found in _found(image, outcome):
            position += 1
            budget.charge_file()
            meta = Meta(found.name, packed_size=len(data), position=position)
            yield from report(meta, take(found.chunks, budget))
        if outcome.stop is not None:
            raise outcome.stop
        if not position and outcome.end.startswith(TOO_LONG):
            yield Skipped("unpacked", Reason.LIMIT, f"packed, and unpacking takes {outcome.end}")
        elif not position and (outcome.unsure or surely_packed(data)):
            detail = f"packed, and could not be unpacked: {outcome.end}"
            yield Skipped("unpacked", Reason.UNSUPPORTED, detail)
        elif not position:
            yield _remark(data, f"nothing was written and executed: {outcome.end}")


def _seconds_left(budget: Budget) -> float:
    return min(_SECONDS, _SECONDS_IN_ALL - _SPENT.get(budget, 0.0))


def _run(image: Image, data: bytes, budget: Budget) -> Outcome:
    """Emulate a program in the time that is left."""
    spent, left = _SPENT.get(budget, 0.0), _seconds_left(budget)
    if image.wide:
        import_module("tocsin.unpack.emulator_x86_64")  # makes the processor

    start = time.thread_time()
    try:
        return emulate(image, data, budget.check_time, Effort(seconds=left))
    finally:
        _SPENT[budget] = spent + time.thread_time() - start


def _found(image: Image, outcome: Outcome) -> Iterator[_Found]:
    for number, dump in enumerate(outcome.dumps):
        name = "unpacked" if not number else f"unpacked.{number + 1}"
        yield _Found(name, rebuild(image, dump.memory, dump.entry))
    for address, block in outcome.blocks:
        yield _Found(f"memory.{address:x}", copy(block, 0, len(block)))


def _remark(data: bytes, reason: str) -> Remark:
    name = packer(data)
    by = f" by {name}" if name else ""
    return Remark(Trait.NOTE, f"looks packed{by}, could not be unpacked: {reason}")


preload("i686")  # while the process may still open files
UNPACKER = PackedUnpacker()

"""How common a few bytes are in benign files.

The table beside this module holds the four-byte sequences that stand in at least one of
eight ordinary files, with the share of files that hold them. `tools/measure_commonness.py`
wrote it from PE files, ELF files and texts. It is read only when an index is built.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from functools import cache
from importlib import resources
from itertools import accumulate, repeat

GRAM = 4
RUN_LEVEL = 100_000
"""Level of one byte repeated: a run of padding holds it at every place."""
SHORT_LEVEL = 400
"""Added for each byte that a sequence is shorter than four: two bytes are everywhere."""


@cache
def _table() -> dict[int, int]:
    packed = resources.files("tocsin.database").joinpath("commonness.bin").read_bytes()
    (count,) = struct.unpack_from(">I", packed)
    body = zlib.decompress(packed[4:])
    steps = bytearray(GRAM * count)
    for plane in range(GRAM):
        steps[plane::GRAM] = body[plane * count : (plane + 1) * count]
    numbers = array("I", bytes(steps))
    if sys.byteorder == "little":
        numbers.byteswap()
    return dict(zip(accumulate(numbers), body[GRAM * count :], strict=True))


def level(sequence: bytes, *, nocase: bool = False) -> int:
    """How common a byte sequence is: 0 rare, 255 in every file of some class, more when short.

    A sequence is as rare as the rarest four bytes in it.

    Args:
        sequence: the bytes.
        nocase: whether either case of a letter counts.
    """
    if len(sequence) < GRAM:
        return SHORT_LEVEL * (GRAM - len(sequence))
    if sequence.count(sequence[0]) == len(sequence):
        return RUN_LEVEL
    return min(gram_levels(sequence, nocase=nocase))


def gram_levels(sequence: bytes, *, nocase: bool = False) -> list[int]:
    """The level of each run of four bytes, in order."""
    levels = _plain_levels(sequence)
    if not nocase:
        return levels
    lower, upper = _plain_levels(sequence.lower()), _plain_levels(sequence.upper())
    return [max(found) for found in zip(levels, lower, upper, strict=True)]


def _plain_levels(sequence: bytes) -> list[int]:
    known = _table().get
    levels = [0] * (len(sequence) - GRAM + 1)
    for shift in range(min(GRAM, len(levels))):
        # Every fourth run of four bytes, all at once: they stand one behind the other.
        count = (len(sequence) - shift) // GRAM
        numbers = struct.unpack_from(f">{count}I", sequence, shift)
        levels[shift::GRAM] = map(known, numbers, repeat(0))
    return levels

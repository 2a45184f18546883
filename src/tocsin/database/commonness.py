"""How common a few bytes are in benign files.

The table beside this module holds the four-byte sequences that stand in at least one of
eight ordinary files, with the share of files that hold them. `tools/measure_commonness.py`
wrote it from PE files, ELF files and texts. It is read only when an index is built.
"""

from __future__ import annotations

import struct
import zlib
from functools import cache
from importlib import resources
from itertools import accumulate

GRAM = 4
RUN_LEVEL = 100_000
"""Level of one byte repeated: a run of padding holds it at every place."""
SHORT_LEVEL = 400
"""Added for each byte that a sequence is shorter than four: two bytes are everywhere."""


@cache
def _table() -> dict[bytes, int]:
    packed = resources.files("tocsin.database").joinpath("commonness.bin").read_bytes()
    (count,) = struct.unpack_from(">I", packed)
    body = zlib.decompress(packed[4:])
    planes = [body[plane * count : (plane + 1) * count] for plane in range(GRAM)]
    steps = bytearray(GRAM * count)
    for plane, values in enumerate(planes):
        steps[plane::GRAM] = values
    keys = accumulate(step for (step,) in struct.iter_unpack(">I", steps))
    sequences = (key.to_bytes(GRAM, "big") for key in keys)
    return dict(zip(sequences, body[GRAM * count :], strict=True))


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
    known = _table().get
    levels = [known(sequence[i : i + GRAM], 0) for i in range(len(sequence) - GRAM + 1)]
    if not nocase:
        return levels
    lower, upper = sequence.lower(), sequence.upper()
    return [
        max(found, known(lower[i : i + GRAM], 0), known(upper[i : i + GRAM], 0))
        for i, found in enumerate(levels)
    ]

"""The two keystreams that AutoIt hides its compiled scripts behind.

Neither keeps a secret: the keys are constants and lengths. The first is the Mersenne twister,
the second an additive lagged generator with rotations. Source: the descriptions of EA05 and
EA06 in public decompilers (AutoIt-Ripper, myAut2Exe).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from random import Random

_WORDS = 624
_MASK = 0xFFFFFFFF
_LONGEST_KEPT = 1 << 20
"""Bytes of the second keystream that are kept for the next file, all of which use the same."""


def _xor(data: bytes, key: bytes) -> bytes:
    mixed = int.from_bytes(data, "little") ^ int.from_bytes(key, "little")
    return mixed.to_bytes(len(data), "little")


def decrypt_ea05(data: bytes, seed: int) -> bytes:
    """Undo the cipher of EA05.

    Args:
        data: what is encrypted.
        seed: the key of this part.
    """
    if not data:
        return b""
    state = [seed & _MASK]
    for index in range(1, _WORDS):
        last = state[-1]
        state.append((1812433253 * (last ^ last >> 30) + index) & _MASK)
    twister = Random()  # noqa: S311 -- the generator the format uses
    twister.setstate((3, (*state, _WORDS), None))
    words = twister.getrandbits(32 * len(data)) >> 1
    return _xor(data, words.to_bytes(4 * len(data), "little")[::4])


def decrypt_ea06(data: bytes, seed: int, alive: Callable[[], None] = lambda: None) -> bytes:
    """Undo the cipher of EA06.

    Args:
        data: what is encrypted.
        seed: the key of this part.
        alive: called every few thousand bytes of keystream that are made.
    """
    size = 64
    while size < len(data):
        size *= 2
    key = _kept(seed, size) if size <= _LONGEST_KEPT else _generate(seed, len(data), alive)
    return _xor(data, key[: len(data)])


@lru_cache(maxsize=8)
def _kept(seed: int, size: int) -> bytes:
    return _generate(seed, size, lambda: None)


_RING = 17
_AT_ONCE = 10
"""Words made in one step, in lanes of 64 bits of one integer: none of them needs another."""
_LANES = sum(_MASK << 64 * lane for lane in range(_AT_ONCE))
_NEWER = 64 * (_RING - _AT_ONCE)
_WARM_UP = 9
_STEPS_A_BLOCK = 1000


def _generate(seed: int, count: int, alive: Callable[[], None]) -> bytes:
    """The first bytes of the keystream: the top byte of each second word after the warm-up."""
    row = [0] * _RING
    value = seed
    for index in range(_RING):
        value = 1 - value * 0x53A9B4FB & _MASK
        row[-index] = value
    # The generator walks a ring of 17 words backwards from the first. Unrolled to a row that
    # grows, each word is made of the one 17 before it and the one 10 before it.
    window = sum(word << 64 * lane for lane, word in enumerate(row))
    out = bytearray()
    first = _WARM_UP + 1
    while len(out) < count:
        alive()
        steps = []
        for _ in range(_STEPS_A_BLOCK):
            old, newer = window & _LANES, window >> _NEWER
            new = ((old << 9 | old >> 23) & _LANES) + ((newer << 13 | newer >> 19) & _LANES)
            new &= _LANES
            window = window >> 64 * _AT_ONCE | new << _NEWER
            steps.append(new.to_bytes(8 * _AT_ONCE, "little"))
        out += b"".join(steps)[8 * first + 3 :: 16]
        first = 0
    return bytes(out)

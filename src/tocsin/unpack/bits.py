"""Bits and prefix codes, for the methods no library of the standard installation decodes.

Deflate64 and implode are old, but Windows and clamscan unpack them, and therefore they are
places to hide in. They are decoded in Python: slowly, and the time limit applies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tocsin.unpack.interface import Reason
from tocsin.unpack.stream import OUTPUT_CHUNK, Interrupted

INVALID = 0
"""Table value of bits that begin no code; all others hold the code's length in 5 bits."""


class BitReader:
    """Reads bits, least significant first."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self._data = data
        self._end = end
        self._at = start
        self._bits = 0
        self._count = 0

    def _fill(self) -> None:
        piece = self._data[self._at : min(self._at + 6, self._end)]
        self._bits |= int.from_bytes(piece, "little") << self._count
        self._count += 8 * len(piece)
        self._at += len(piece)

    def take(self, count: int) -> int:
        """Take an unsigned number of that many bits.

        Raises:
            Interrupted: there are not as many bits left.
        """
        if self._count < count:
            self._fill()
            if self._count < count:
                raise Interrupted(Reason.DAMAGED, "truncated")
        value = self._bits & (1 << count) - 1
        self._bits >>= count
        self._count -= count
        return value

    def decode(self, table: Sequence[int], mask: int) -> int:
        """Take one symbol.

        Args:
            table: made by `code_table`.
            mask: index of its last value.

        Raises:
            Interrupted: the bits begin no code, or there are not as many left.
        """
        if self._count < 16:
            self._fill()
        value = table[self._bits & mask]
        length = value & 31
        if length > self._count:
            raise Interrupted(Reason.DAMAGED, "truncated")
        if value == INVALID:
            raise Interrupted(Reason.DAMAGED, "damaged (bits that are no code)")
        self._bits >>= length
        self._count -= length
        return value >> 5

    def align(self) -> None:
        """Pass over the bits up to the next byte."""
        rest = self._count % 8
        self._bits >>= rest
        self._count -= rest

    @property
    def position(self) -> int:
        """Position of the first byte of which no bit was taken."""
        return self._at - self._count // 8


def code_table(codes: Iterable[tuple[int, int, int]], longest: int) -> list[int]:
    """Make the table that `BitReader.decode` looks codes up in.

    Args:
        codes: symbol, code and its length in bits; the first bit of a code is its highest.
        longest: length of the longest code.
    """
    table = [INVALID] * (1 << longest)
    for symbol, code, length in codes:
        first = int(f"{code:0{length}b}"[::-1], 2)
        value = symbol << 5 | length
        for index in range(first, len(table), 1 << length):
            table[index] = value
    return table


class Window:
    """What was unpacked, as far back as a match may reach."""

    def __init__(self, reach: int) -> None:
        self.data = bytearray()
        self._reach = reach
        self._sent = 0

    @property
    def is_full(self) -> bool:
        """Whether there is a chunk to hand on."""
        return len(self.data) - self._sent >= OUTPUT_CHUNK

    def copy(self, distance: int, length: int) -> None:
        """Repeat bytes; the match may reach into itself."""
        data = self.data
        if distance >= length:
            at = len(data) - distance
            data += data[at : at + length]
        else:
            pattern = data[-distance:]
            data += (pattern * (length // distance + 1))[:length]

    def drain(self) -> bytes:
        """Give what was not given yet, and forget what no match can reach."""
        chunk = bytes(self.data[self._sent :])
        if len(self.data) > self._reach:
            del self.data[: -self._reach]
        self._sent = len(self.data)
        return chunk

"""Archives that contain themselves, so that unpacking them has no end.

The data of such an archive is a program of two operations, in units of five bytes: L, which
prints what follows it (a stored block's head), and R, which prints again what was printed last
(a block with matches). Written as steps, with A and B for the sizes of the archive's head and
tail and one unit more:

    head  L(A) head L(A)   R(A)   L(1) R(A)   L(1) L(1)   L(4) R(A) L(1) L(1) L(4)   R(4)
    L(4) R(4) L(4) R(4) L(4)   R(4)   L(4) R(4) L() L() L(B)   R(4) L() L()
    L(B) R(B) tail   R(B)   tail

What the program prints is all of this, head and tail included: after each step the printed
part ends where a later step begins. Head and tail hold a CRC-32 of the whole. That depends on
its own bits linearly, so that it is found by solving 32 equations.

Source: R. Cox, "Zip Files All The Way Down" (2010), for the idea; RFC 1951 for the bits.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

_UNIT = 5
_HEAD = 60
"""Bytes a head must have, so that repeating it and one unit takes a unit."""


class _Bits:
    """Writes bits, least significant first, as deflate asks for."""

    def __init__(self) -> None:
        self.value = self.count = 0

    def put(self, value: int, width: int) -> None:
        self.value |= value << self.count
        self.count += width

    def put_code(self, code: int, width: int) -> None:
        self.put(int(f"{code:0{width}b}"[::-1], 2), width)


def _literal(size: int) -> bytes:
    """L: the head of a stored block, not the last one."""
    return struct.pack("<BHH", 0, size, size ^ 0xFFFF)


def _length_code(length: int) -> tuple[int, int, int]:
    """Symbol, extra bits and their value. Source: RFC 1951, 3.2.5."""
    if length <= 10:
        return 254 + length, 0, 0
    extra = (length - 3).bit_length() - 3
    return 257 + 4 * extra + ((length - 3) >> extra), extra, (length - 3) & ((1 << extra) - 1)


def _match(bits: _Bits, length: int, distance: int) -> None:
    symbol, extra, value = _length_code(length)
    if symbol < 280:
        bits.put_code(symbol - 256, 7)
    else:
        bits.put_code(symbol - 280 + 0b11000000, 8)
    bits.put(value, extra)
    rest = distance - 1
    extra = max(0, rest.bit_length() - 2)
    bits.put_code(2 * extra + (rest >> extra), 5)
    bits.put(rest & ((1 << extra) - 1), extra)


def _repeat(size: int, *, last: bool = False) -> bytes:
    """R: print again the last bytes, in exactly a unit."""
    for first in range(size, 2, -1):
        if first > 258 or 0 < size - first < 3:
            continue
        for padding in (False, True):
            bits = _Bits()
            if padding:  # an empty block
                bits.put(0b010, 3)
                bits.put(0, 7)
            bits.put(0b010 | last, 3)
            _match(bits, first, size)
            if first < size:
                _match(bits, size - first, size)
            bits.put(0, 7)
            if bits.count == 8 * _UNIT or (last and 32 < bits.count < 8 * _UNIT):
                return bits.value.to_bytes(_UNIT, "little")
    raise AssertionError(f"{size} bytes cannot be repeated in a unit")


def _program(head: bytes, tail: bytes) -> bytes:
    assert len(head) == _HEAD
    one, four, nothing = _literal(_UNIT), _literal(4 * _UNIT), _literal(0)
    begin, again = _literal(len(head) + _UNIT), _repeat(len(head) + _UNIT)
    finish, ending = _literal(len(tail) + _UNIT), _repeat(len(tail) + _UNIT, last=True)
    repeat = _repeat(4 * _UNIT)
    return b"".join(
        (
            begin, head, begin, again, one, again, one, one, four, again, one, one, four, repeat,
            four, repeat, four, repeat, four, repeat, four, repeat, nothing, nothing, finish,
            repeat, nothing, nothing, finish, ending, tail, ending,
        )
    )  # fmt: skip


def _solved(make: Callable[[int], bytes]) -> bytes | None:
    """The archive whose CRC-32 is the one it states, or None when there is no such."""
    at_zero = zlib.crc32(make(0))
    rows: list[tuple[int, int]] = []
    for bit in range(32):
        effect = zlib.crc32(make(1 << bit)) ^ at_zero ^ (1 << bit)
        rows.append((effect, 1 << bit))
    target, solution = at_zero, 0
    pivots: list[tuple[int, int]] = []
    for effect, source in rows:
        for pivot, pivot_source in pivots:
            if effect ^ pivot < effect:
                effect, source = effect ^ pivot, source ^ pivot_source
        if effect:
            pivots.append((effect, source))
            pivots.sort(reverse=True)
    for pivot, source in pivots:
        if target ^ pivot < target:
            target, solution = target ^ pivot, solution ^ source
    return None if target else make(solution)


def gzip_quine() -> bytes:
    """A gzip file whose content is itself."""
    for letter in "abcdefghijklmnopqrstuvwxyz":
        name = f"{letter}.gz".encode().rjust(_HEAD - 11, b"q") + b"\0"
        head = b"\x1f\x8b\x08\x08\0\0\0\0\0\x03" + name
        size = len(head + _program(head, bytes(8))) + 8

        def make(crc: int, head: bytes = head, size: int = size) -> bytes:
            tail = struct.pack("<II", crc, size)
            return head + _program(head, tail) + tail

        found = _solved(make)
        if found is not None:
            return found
    raise AssertionError("no name has a solution")


def zip_quine() -> bytes:
    """A zip archive whose one member is itself."""
    for letter in "abcdefghijklmnopqrstuvwxyz":
        name = f"{letter}.zip".encode().rjust(_HEAD - 30, b"q")

        def parts(crc: int, packed: int, size: int, at: int, name: bytes = name) -> list[bytes]:
            fields = struct.pack("<4H3I", 0, 8, 0, 33, crc, packed, size)
            head = b"PK\x03\x04\x14\0" + fields + struct.pack("<HH", len(name), 0) + name
            entry = (
                b"PK\x01\x02\x14\0\x14\0" + fields + struct.pack("<HHHHHII", len(name), *[0] * 6)
            )
            entry += name
            end = b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, 1, 1, len(entry), at, 40) + bytes(40)
            return [head, entry + end]

        head, tail = parts(0, 0, 0, 0)
        packed = len(_program(head, tail))
        at = len(head) + packed
        size = at + len(tail)

        def make(crc: int, sizes: tuple[int, int, int] = (packed, size, at)) -> bytes:
            head, tail = parts(crc, *sizes)
            return head + _program(head, tail) + tail

        found = _solved(make)
        if found is not None:
            return found
    raise AssertionError("no name has a solution")

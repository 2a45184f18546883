"""Implode, the method of PKZIP before deflate.

Source: APPNOTE 6.3, section 5.3.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from tocsin.unpack.bits import BitReader, Window, code_table
from tocsin.unpack.interface import Reason
from tocsin.unpack.stream import Interrupted

_BIG_WINDOW = 0x0002
_LITERAL_CODE = 0x0004
_REACH = 64 * 128
_LONGEST_CODE = 16
_MASK = (1 << _LONGEST_CODE) - 1
_MORE_LENGTH = 63
_SYMBOLS_A_STEP = 20_000


class _Codes(NamedTuple):
    """The tables of a member; the one of literals may be missing."""

    literals: list[int] | None
    lengths: list[int]
    distances: list[int]
    low_bits: int


def _read_code(bits: BitReader, symbols: int) -> list[int]:
    """Read how long the codes are and number them from the last and longest on."""
    lengths: list[int] = []
    for _ in range(bits.take(8) + 1):
        length, count = bits.take(4) + 1, bits.take(4) + 1
        lengths += [length] * count
    if len(lengths) != symbols:
        raise Interrupted(Reason.DAMAGED, "damaged (wrong number of codes)")
    code = step = last = 0
    codes = []
    for symbol in sorted(range(symbols), key=lambda s: (lengths[s], s), reverse=True):
        code += step
        if lengths[symbol] != last:
            last = lengths[symbol]
            step = 1 << _LONGEST_CODE - last
        if code > _MASK:
            raise Interrupted(Reason.DAMAGED, "damaged (more codes than bits allow)")
        codes.append((symbol, code >> _LONGEST_CODE - last, last))
    return code_table(codes, _LONGEST_CODE)


def explode(
    data: bytes, start: int, end: int, flags: int, size: int
) -> Generator[bytes, None, int]:
    """Decompress one member.

    Args:
        data: bytes that hold it.
        start: where it begins.
        end: where its input ends at the latest.
        flags: general purpose bit flag; tells the size of the window and the number of codes.
        size: bytes to come out: the format has no mark of its end.

    Yields:
        What comes out, in chunks, some of which may be empty.

    Returns:
        The position after the data.

    Raises:
        Interrupted: the data is damaged or cut off; what came out has been yielded.
    """
    bits = BitReader(data, start, end)
    window = Window(_REACH)
    window.data += bytes(_REACH)
    window.drain()
    try:
        codes = _Codes(
            literals=_read_code(bits, 256) if flags & _LITERAL_CODE else None,
            lengths=_read_code(bits, 64),
            distances=_read_code(bits, 64),
            low_bits=7 if flags & _BIG_WINDOW else 6,
        )
        while size > 0:
            size -= _symbols(bits, codes, window, size)
            yield window.drain()
    except Interrupted:
        yield window.drain()
        raise
    return bits.position


def _symbols(bits: BitReader, codes: _Codes, window: Window, most: int) -> int:
    """Decode some symbols; returns the number of bytes that came out."""
    produced = 0
    shortest = 2 if codes.literals is None else 3
    for _ in range(_SYMBOLS_A_STEP):
        if produced >= most or window.is_full:
            break
        if bits.take(1):
            literals = codes.literals
            byte = bits.take(8) if literals is None else bits.decode(literals, _MASK)
            window.data.append(byte)
            produced += 1
            continue
        low = bits.take(codes.low_bits)
        distance = bits.decode(codes.distances, _MASK) << codes.low_bits | low
        length = bits.decode(codes.lengths, _MASK)
        if length == _MORE_LENGTH:
            length += bits.take(8)
        length = min(length + shortest, most - produced)
        window.copy(distance + 1, length)
        produced += length
    return produced

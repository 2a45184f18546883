"""Deflate64, the method Windows uses for big files and zlib does not know.

It differs from deflate in a window of 64 KiB, two more distance codes and one length code
that takes 16 more bits.

Source: RFC 1951; APPNOTE 6.3, section 5.5.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import cache
from typing import NamedTuple

from tocsin.unpack.bits import BitReader, Window, code_table
from tocsin.unpack.interface import Reason
from tocsin.unpack.stream import Interrupted

_WINDOW = 65536
_END_OF_BLOCK = 256
_SYMBOLS_A_STEP = 20_000
_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)


def _spread(start: int, alike: int, first: int, extras: int) -> list[tuple[int, int]]:
    """Bases and extra bits of codes: `first` codes of no extra bits, then `alike` of each."""
    pairs = [(start + index, 0) for index in range(first)]
    base = start + first
    for bits in range(1, extras + 1):
        for _ in range(alike):
            pairs.append((base, bits))
            base += 1 << bits
    return pairs


_LENGTHS = [*_spread(3, 4, 8, 5), (3, 16)]
_DISTANCES = _spread(1, 2, 4, 14)


class _Code(NamedTuple):
    table: list[int]
    mask: int


def _make_code(lengths: list[int]) -> _Code:
    """Number the codes of given lengths.

    Source: RFC 1951, 3.2.2.
    """
    longest = max(lengths, default=0)
    codes = []
    code = 0
    for length in range(1, longest + 1):
        for symbol, its_length in enumerate(lengths):
            if its_length == length:
                codes.append((symbol, code, length))
                code += 1
        if code > 1 << length:
            raise Interrupted(Reason.DAMAGED, "damaged (more codes than bits allow)")
        code <<= 1
    return _Code(code_table(codes, longest), (1 << longest) - 1)


@cache
def _fixed_codes() -> tuple[_Code, _Code]:
    lengths = [8] * 144 + [9] * 112 + [7] * 24 + [8] * 8
    return _make_code(lengths), _make_code([5] * 32)


def _read_codes(bits: BitReader) -> tuple[_Code, _Code]:
    """Read the codes of a block.

    Source: RFC 1951, 3.2.7.
    """
    literals, distances, given = bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4
    lengths = [0] * 19
    for index in _ORDER[:given]:
        lengths[index] = bits.take(3)
    table, mask = _make_code(lengths)
    lengths = []
    while len(lengths) < literals + distances:
        symbol = bits.decode(table, mask)
        if symbol < 16:
            lengths.append(symbol)
        elif symbol == 16:
            if not lengths:
                raise Interrupted(Reason.DAMAGED, "damaged (nothing to repeat)")
            lengths += lengths[-1:] * (3 + bits.take(2))
        elif symbol == 17:
            lengths += [0] * (3 + bits.take(3))
        else:
            lengths += [0] * (11 + bits.take(7))
    return _make_code(lengths[:literals]), _make_code(lengths[literals : literals + distances])


def inflate64(data: bytes, start: int, end: int) -> Generator[bytes, None, int]:
    """Decompress one stream.

    Args:
        data: bytes that hold the stream.
        start: where it begins.
        end: where its input ends at the latest.

    Yields:
        What comes out, in chunks, some of which may be empty.

    Returns:
        The position after the stream.

    Raises:
        Interrupted: the stream is damaged or cut off; what came out has been yielded.
    """
    bits = BitReader(data, start, end)
    window = Window(_WINDOW)
    try:
        last = 0
        while not last:
            last, kind = bits.take(1), bits.take(2)
            yield from _block(bits, kind, window)
    except Interrupted:
        yield window.drain()
        raise
    yield window.drain()
    return bits.position


def _block(bits: BitReader, kind: int, window: Window) -> Generator[bytes, None, None]:
    if kind == 0:
        _copy_stored(bits, window)
    elif kind == 3:
        raise Interrupted(Reason.DAMAGED, "damaged (block of an unknown kind)")
    else:
        literals, distances = _fixed_codes() if kind == 1 else _read_codes(bits)
        while not _symbols(bits, literals, distances, window):
            yield window.drain() if window.is_full else b""
    yield window.drain() if window.is_full else b""


def _copy_stored(bits: BitReader, window: Window) -> None:
    bits.align()
    size, complement = bits.take(16), bits.take(16)
    if size ^ complement != 0xFFFF:
        raise Interrupted(Reason.DAMAGED, "damaged (length of a stored block)")
    for _ in range(size):
        window.data.append(bits.take(8))


def _symbols(bits: BitReader, literals: _Code, distances: _Code, window: Window) -> bool:
    """Decode some symbols of a block; returns whether it ended."""
    data = window.data
    for _ in range(_SYMBOLS_A_STEP):
        symbol = bits.decode(literals.table, literals.mask)
        if symbol < _END_OF_BLOCK:
            data.append(symbol)
            continue
        if symbol == _END_OF_BLOCK:
            return True
        length = _number(bits, _LENGTHS, symbol - _END_OF_BLOCK - 1)
        distance = _number(bits, _DISTANCES, bits.decode(distances.table, distances.mask))
        if distance > len(data):
            raise Interrupted(Reason.DAMAGED, "damaged (match before the beginning)")
        window.copy(distance, length)
        if window.is_full:
            break
    return False


def _number(bits: BitReader, pairs: list[tuple[int, int]], index: int) -> int:
    if index >= len(pairs):
        raise Interrupted(Reason.DAMAGED, "damaged (code that is not in use)")
    base, extra = pairs[index]
    return base + bits.take(extra) if extra else base

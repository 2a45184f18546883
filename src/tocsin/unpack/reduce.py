"""Reduce: the zip method of 1988, with its four factors.

Two layers, one in the other: each byte is written as its place among those that often follow
the byte before it, and what comes out repeats earlier bytes where a mark says so.

Source: APPNOTE 6.3, section 5.1 (sections 5.2 of older versions).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from tocsin.unpack.bits import BitReader, Window
from tocsin.unpack.stream import Interrupted

_MARK = 144
_REACH = 4096
_STEP = 16 * 1024


def expand(
    data: bytes, start: int, end: int, factor: int, size: int
) -> Generator[bytes, None, int]:
    """Decompress one member.

    Args:
        data: bytes that hold it.
        start: where it begins.
        end: where its input ends at the latest.
        factor: 1 to 4.
        size: bytes to come out: the format has no mark of its end.

    Yields:
        What comes out, in chunks, some of which may be empty.

    Returns:
        The position after the data.

    Raises:
        Interrupted: the data is cut off; what came out has been yielded.
    """
    bits = BitReader(data, start, end)
    window = Window(_REACH)
    window.data += bytes(_REACH)
    window.drain()
    left = size
    try:
        symbols = _bytes(bits, _followers(bits)) if size else iter(())
        while left > 0:
            most = min(left, _STEP)
            left -= _repeat(symbols, window, factor, most, left)
            yield window.drain()
    except Interrupted:
        yield window.drain()
        raise
    return bits.position


def _followers(bits: BitReader) -> list[bytes]:
    """The bytes that often follow each byte; they are written for the last byte first."""
    sets = [bytes(bits.take(8) for _ in range(bits.take(6))) for _ in range(256)]
    sets.reverse()
    return sets


def _bytes(bits: BitReader, followers: list[bytes]) -> Iterator[int]:
    """The inner layer, byte after byte."""
    widths = [max(1, (len(each) - 1).bit_length()) for each in followers]
    last = 0
    take = bits.take
    while True:
        often = followers[last]
        if not often or take(1):
            last = take(8)
        else:
            place = take(widths[last])
            last = often[place] if place < len(often) else 0
        yield last


def _repeat(symbols: Iterator[int], window: Window, factor: int, enough: int, most: int) -> int:
    """The outer layer: give at least `enough` bytes and at most `most`; returns how many."""
    shift = 8 - factor
    mask = (1 << shift) - 1
    produced = 0
    while produced < enough:
        byte = next(symbols)
        if byte != _MARK:
            window.data.append(byte)
            produced += 1
            continue
        value = next(symbols)
        if not value:
            window.data.append(_MARK)
            produced += 1
            continue
        length = value & mask
        if length == mask:
            length += next(symbols)
        distance = ((value >> shift) << 8) + next(symbols) + 1
        length = min(length + 3, most - produced)
        window.copy(distance, length)
        produced += length
    return produced

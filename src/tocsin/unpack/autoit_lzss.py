"""The compression of AutoIt's compiled scripts: literals and matches in a stream of bits.

Source: the descriptions of EA05 and EA06 in public decompilers (AutoIt-Ripper, myAut2Exe).
"""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.unpack.bits import Window
from tocsin.unpack.interface import Reason
from tocsin.unpack.stream import Interrupted

_REACH = 1 << 15
_SYMBOLS_A_STEP = 20_000
_LENGTHS = ((2, 3), (3, 6), (5, 13), (8, 44))
"""Bits of a match's length and what is added to them; all bits set lead to the next row."""
_MORE = 255
_FIRST_OF_MORE = 299


def expand(data: bytes, start: int, size: int, literal_bit: int) -> Iterator[bytes]:
    """Decompress one stream.

    Args:
        data: bytes that hold it.
        start: where its bits begin.
        size: bytes it shall give.
        literal_bit: the bit that begins a literal: 0 in EA05, 1 in EA06.

    Yields:
        What comes out, in chunks, some of which may be empty.

    Raises:
        Interrupted: the stream is damaged or cut off; all bytes before that place have been
            yielded.
    """
    window = Window(_REACH)
    steps = _steps(data, start, size, literal_bit, window)
    while True:
        try:
            next(steps)
        except StopIteration:
            yield window.drain()
            return
        except Interrupted:
            yield window.drain()
            raise
        yield window.drain() if window.is_full else b""


def _steps(data: bytes, start: int, size: int, literal_bit: int, window: Window) -> Iterator[None]:
    """Fill the window; stops now and then to be asked whether there is time left."""
    out = window.data
    bits = count = 0
    at, end = start, len(data)
    left, symbols = size, 0
    while left > 0:
        if count < 64:
            piece = data[at : at + 32]
            bits = (bits & (1 << count) - 1) << 8 * len(piece) | int.from_bytes(piece, "big")
            count += 8 * len(piece)
            at += len(piece)
        symbols += 1
        if symbols % _SYMBOLS_A_STEP == 0:
            yield
        if not count:
            raise Interrupted(Reason.DAMAGED, "truncated")
        if bits >> count - 1 & 1 == literal_bit:
            count -= 9
            if count < 0:
                raise Interrupted(Reason.DAMAGED, "truncated")
            out.append(bits >> count & 0xFF)
            left -= 1
            continue
        count -= 16
        distance = bits >> count & 0x7FFF if count >= 0 else 0
        length = 0
        for width, base in _LENGTHS:
            count -= width
            if count < 0:
                raise Interrupted(Reason.DAMAGED, "truncated")
            field = bits >> count & (1 << width) - 1
            length = base + field
            if field != (1 << width) - 1:
                break
        else:
            length = _FIRST_OF_MORE
            field = _MORE
            while field == _MORE:
                if count < 8:
                    if at >= end:
                        raise Interrupted(Reason.DAMAGED, "truncated")
                    bits = (bits & (1 << count) - 1) << 8 | data[at]
                    count += 8
                    at += 1
                count -= 8
                field = bits >> count & 0xFF
                length += field
                if length > left:
                    break
        if not 0 < distance <= len(out):
            raise Interrupted(Reason.DAMAGED, "damaged (a match before the first byte)")
        length = min(length, left)
        # A long match is written piece by piece, so that a bound can stop it.
        while length:
            piece_length = min(length, 1 << 16)
            window.copy(distance, piece_length)
            length -= piece_length
            left -= piece_length
            if window.is_full:
                yield

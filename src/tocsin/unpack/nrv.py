"""The compression of UPX besides LZMA: NRV2B, NRV2D and NRV2E, bits in words of 32.

Source: the UCL library's description of its streams; measured on files of UPX 4.0.1.
"""

from __future__ import annotations

from collections.abc import Callable

from tocsin.errors import FormatError

NRV2B, NRV2D, NRV2E = 2, 5, 8
_FAR = {NRV2B: 0xD00, NRV2D: 0x500, NRV2E: 0x500}
"""Distance from which on a match is one byte longer than it says."""

_END = 0xFFFFFFFF
_MOST_BITS = 1 << 34
_PULSE = 0xFFFF


def expand(data: bytes, size: int, method: int, check_time: Callable[[], None]) -> bytes:
    """Decompress.

    Args:
        data: the stream.
        size: bytes that come out.
        method: `NRV2B`, `NRV2D` or `NRV2E`.
        check_time: called now and then; may raise.

    Raises:
        FormatError: the stream is damaged.
    """
    try:
        return _expand(data, size, method, check_time)
    except IndexError as error:
        raise FormatError("an NRV stream ends early") from error


def _expand(data: bytes, size: int, method: int, check_time: Callable[[], None]) -> bytes:
    out = bytearray()
    at, word, left = 0, 0, 0
    last, far = 1, _FAR[method]
    rounds = 0

    def bit() -> int:
        nonlocal at, word, left
        if not left:
            if at + 4 > len(data):
                raise IndexError
            word = int.from_bytes(data[at : at + 4], "little")
            at += 4
            left = 32
        left -= 1
        return word >> left & 1

    while True:
        rounds += 1
        if not rounds & _PULSE:
            check_time()
        if bit():
            out.append(data[at])
            at += 1
            if len(out) > size:
                raise FormatError("an NRV stream is longer than it should be")
            continue
        distance = 1
        while True:
            distance = distance * 2 + bit()
            if bit():
                break
            if method != NRV2B:
                distance = (distance - 1) * 2 + bit()
            if distance > _MOST_BITS:
                raise FormatError("an NRV stream is damaged")
        length = 0
        if distance == 2:
            distance = last
            length = bit() if method != NRV2B else 0
        else:
            distance = (distance - 3) * 256 + data[at]
            at += 1
            if distance == _END:
                break
            if method != NRV2B:
                length = ~distance & 1
                distance >>= 1
            distance += 1
            last = distance
        length = _length(bit, method, length) + (distance > far) + 1
        start = len(out) - distance
        if start < 0 or len(out) + length > size:
            raise FormatError("an NRV stream is damaged")
        piece = out[start : start + length]
        out += piece * (length // len(piece)) + piece[: length % len(piece)]
    return bytes(out)


def _length(bit: Callable[[], int], method: int, first: int) -> int:
    """Bytes of a match, less one and less one for a far one."""
    if method == NRV2E:
        if first:
            return 1 + bit()
        if bit():
            return 3 + bit()
        return _gamma(bit) + 3
    length = (bit() if method == NRV2B else first) * 2 + bit()
    return length or _gamma(bit) + 2


def _gamma(bit: Callable[[], int]) -> int:
    value = 1
    while True:
        value = value * 2 + bit()
        if bit():
            return value
        if value > _MOST_BITS:
            raise FormatError("an NRV stream is damaged")

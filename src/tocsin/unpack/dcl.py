"""The Data Compression Library's imploding: method 10 of zip, which is not its method 6.

Source: Ben Rudiak-Gould's description of the format (comp.compression, 2001); the lengths of
its codes are constants of the format.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import lru_cache

from tocsin.unpack.bits import BitReader, Window, code_table
from tocsin.unpack.interface import Reason
from tocsin.unpack.stream import Interrupted

_REACH = 4096
_LONGEST = 13
_MASK = (1 << _LONGEST) - 1
_END = 519
_SYMBOLS_A_STEP = 4096

# How long the codes are, in runs: the low half of a byte is a length, the high half counts
# the further symbols that have it.
_LITERALS = bytes.fromhex(
    "0b7c08071c07bc0d4c040a080c0a0c0a08170809070607080706370817180c0b07090b0c060716050718060b"
    "09060716070b26070908190b080b090c080c05260526050b07050615060a350807180a1b2cfdfdfdfcfcfc0d"
    "0c2d0c2d0c3d0c2d2cad"
)
_LENGTHS = bytes.fromhex("022324352617")
_DISTANCES = bytes.fromhex("021435e6f797f8")
_BASES = (3, 2, 4, 5, 6, 7, 8, 9, 10, 12, 16, 24, 40, 72, 136, 264)
_EXTRA_BITS = (0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8)


@lru_cache(maxsize=3)
def _table(runs: bytes) -> Sequence[int]:
    """Number the codes from the shortest on; every bit is written turned over."""
    lengths = [run & 15 for run in runs for _ in range((run >> 4) + 1)]
    code = previous = 0
    codes = []
    for symbol in sorted(range(len(lengths)), key=lambda each: (lengths[each], each)):
        length = lengths[symbol]
        code <<= length - previous
        previous = length
        codes.append((symbol, code ^ ((1 << length) - 1), length))
        code += 1
    return code_table(codes, _LONGEST)


def explode_dcl(data: bytes, start: int, end: int) -> Generator[bytes, None, int]:
    """Decompress one stream.

    Args:
        data: bytes that hold it.
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
    coded, low_bits = bits.take(8), bits.take(8)
    if coded > 1 or not 4 <= low_bits <= 6:
        raise Interrupted(Reason.DAMAGED, "damaged (no stream begins here)")
    window = Window(_REACH)
    try:
        while _symbols(bits, window, _table(_LITERALS) if coded else None, low_bits):
            yield window.drain()
    except Interrupted:
        yield window.drain()
        raise
    yield window.drain()
    return bits.position


def _symbols(
    bits: BitReader, window: Window, literals: Sequence[int] | None, low_bits: int
) -> bool:
    """Decode some symbols; whether there are more."""
    lengths, distances = _table(_LENGTHS), _table(_DISTANCES)
    for _ in range(_SYMBOLS_A_STEP):
        if window.is_full:
            break
        if not bits.take(1):
            byte = bits.take(8) if literals is None else bits.decode(literals, _MASK)
            window.data.append(byte)
            continue
        symbol = bits.decode(lengths, _MASK)
        length = _BASES[symbol] + bits.take(_EXTRA_BITS[symbol])
        if length == _END:
            return False
        low = 2 if length == 2 else low_bits
        distance = (bits.decode(distances, _MASK) << low) + bits.take(low) + 1
        if distance > len(window.data):
            raise Interrupted(Reason.DAMAGED, "damaged (a match before the beginning)")
        window.copy(distance, length)
    return True

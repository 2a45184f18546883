"""Zstandard: frames one after the other, joined to one object.

The frames' ends are found here by their blocks' headers, so that a cut off file is told from a
whole one; the library decodes them.

Source: RFC 8878.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

import zstandard

from tocsin.errors import FormatError
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.stream import (
    DECODER_MEMORY,
    OUTPUT_CHUNK,
    Interrupted,
    Meta,
    behind,
    report,
    take,
)

_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"
_SIZES = (0, 2, 4, 8)
_DICTIONARY_SIZES = (0, 1, 2, 4)
_RLE, _RESERVED = 1, 3
_BLOCKS_BETWEEN_SIGNS = 4096


class ZstdUnpacker:
    """Unpacks Zstandard; a window beyond `DECODER_MEMORY` is refused."""

    types = frozenset({"ZSTD"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`; there is one member, and what stands behind it."""
        if not data.startswith(_MAGIC) and data[1:4] != _SKIPPABLE:
            raise FormatError("not Zstandard: it does not begin with a frame")
        budget.charge_file()
        notes: list[str] = []
        ends: list[int] = []
        taken = take(_all(data, notes, ends), budget)
        yield from report(Meta(name="", packed_size=len(data)), taken, notes)
        for end in ends:
            yield from behind(data, end, 2, budget)


def _all(data: bytes, notes: list[str], ends: list[int]) -> Iterator[bytes]:
    end = yield from frames(data, 0, len(data))
    ends.append(end)
    if data.count(0, end) != len(data) - end:
        notes.append(f"{len(data) - end} bytes follow the last frame")


def frames(data: bytes, start: int, end: int) -> Generator[bytes, None, int]:
    """Decompress all frames.

    Args:
        data: bytes that hold them.
        start: where the first begins.
        end: where their input ends at the latest.

    Yields:
        What comes out, in chunks, some of which may be empty.

    Returns:
        The position after the last frame.

    Raises:
        Interrupted: a frame is damaged, cut off, or needs too much memory.
    """
    at = start
    while at < end:
        head = data[at : min(at + 8, end)]
        if head[1:4] == _SKIPPABLE and head[0] >> 4 == 5:
            at += 8 + int.from_bytes(head[4:8], "little")
            yield b""
        elif head[:4] == _MAGIC:
            at = yield from _frame(data, at, end)
        elif at == start:
            raise Interrupted(Reason.DAMAGED, "damaged (no frame begins here)")
        else:
            break
    return min(at, end)


def _frame(data: bytes, start: int, end: int) -> Generator[bytes, None, int]:
    behind = yield from _end_of_frame(data, start, end)
    decoder = zstandard.ZstdDecompressor(max_window_size=DECODER_MEMORY)
    source = memoryview(data)[start : end if behind is None else behind]
    with decoder.stream_reader(source) as reader:
        while True:
            try:
                chunk = reader.read1(OUTPUT_CHUNK)
            except zstandard.ZstdError as error:
                raise _fault(error) from None
            if not chunk:
                break
            yield chunk
    if behind is None:
        raise Interrupted(Reason.DAMAGED, "truncated")
    return behind


def _fault(error: Exception) -> Interrupted:
    text = str(error).lower()
    if "too much memory" in text:
        detail = f"its window needs more than {DECODER_MEMORY} bytes of memory"
        return Interrupted(Reason.LIMIT, detail)
    if "dictionary" in text:
        return Interrupted(Reason.UNSUPPORTED, "packed with a dictionary that is elsewhere")
    return Interrupted(Reason.DAMAGED, f"damaged ({error})")


def _end_of_frame(data: bytes, start: int, end: int) -> Generator[bytes, None, int | None]:
    """Position behind a frame, or None when it is cut off (RFC 8878, 3.1.1)."""
    descriptor = data[start + 4] if start + 4 < end else 0
    single = descriptor >> 5 & 1
    at = start + 5 + (not single) + _DICTIONARY_SIZES[descriptor & 3]
    at += _SIZES[descriptor >> 6] or single
    blocks = 0
    while at + 3 <= end:
        block = int.from_bytes(data[at : at + 3], "little")
        kind = block >> 1 & 3
        at += 3 + (1 if kind == _RLE else block >> 3)
        if block & 1 or kind == _RESERVED:
            at += 4 * (descriptor >> 2 & 1)
            return at if at <= end else None
        blocks += 1
        if blocks % _BLOCKS_BETWEEN_SIGNS == 0:
            yield b""
    return None


UNPACKER = ZstdUnpacker()

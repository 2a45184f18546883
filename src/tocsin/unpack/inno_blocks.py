"""How an Inno Setup program stores its description and its data.

The description is a row of streams, each cut to blocks of 4 KiB with a check value before each
block. The data are chunks, each compressed by one of four methods that its first bytes tell.

Source: the structure as innoextract and innounp describe it.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from tocsin.unpack.interface import Reason
from tocsin.unpack.stream import DECODER_MEMORY, OUTPUT_CHUNK, Interrupted
from tocsin.unpack.zlib_codec import ZLIB, looks_like_zlib

_BLOCK = 4096
_HEADER = 9
_CHECK = 4
_INPUT = 64 * 1024
_LZMA_PROPERTIES = 5
_UNKNOWN_SIZE = b"\xff" * 8
_LARGEST_LZMA2_PROPERTY = 40
_ERRORS = (lzma.LZMAError, zlib.error, OSError, EOFError, ValueError)


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def stream_at(data: bytes, start: int) -> tuple[Iterator[bytes], int]:
    """One stream of the description.

    Args:
        data: the object.
        start: where its header stands.

    Returns:
        Its content in chunks, and the position behind it.

    Raises:
        Interrupted: no header stands there.
    """
    head = data[start : start + _HEADER]
    if len(head) < _HEADER or zlib.crc32(head[4:]) != int.from_bytes(head[:4], "little"):
        raise Interrupted(Reason.DAMAGED, "the description's header does not fit its check value")
    size = int.from_bytes(head[4:8], "little")
    end = start + _HEADER + size
    packed = _joined(data, start + _HEADER, min(end, len(data)))
    chunks = _decode(_lzma1(packed), packed, _LZMA_PROPERTIES) if head[8] else iter((packed,))
    return (chunks if end <= len(data) else _cut(chunks)), end


def _cut(chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield from chunks
    raise Interrupted(Reason.DAMAGED, "truncated")


def _joined(data: bytes, start: int, end: int) -> bytes:
    """The blocks of a stream without their check values."""
    step = _BLOCK + _CHECK
    return b"".join(data[at + _CHECK : min(at + step, end)] for at in range(start, end, step))


def chunk_content(data: bytes, start: int, end: int, *, packed: bool) -> Iterator[bytes]:
    """The content of a chunk of data.

    Args:
        data: bytes that hold it.
        start: where it begins, behind its mark.
        end: where it ends.
        packed: whether it is compressed.

    Raises:
        Interrupted: it is damaged or cut off.
    """
    if not packed:
        for at in range(start, end, OUTPUT_CHUNK):
            yield data[at : min(at + OUTPUT_CHUNK, end)]
        return
    if data.startswith(b"BZh", start):
        yield from _decode(bz2.BZ2Decompressor(), data, start, end)
    elif looks_like_zlib(data, start):
        yield from _decode(ZLIB.make(), data, start, end)
    elif data[start : start + 1] <= bytes([_LARGEST_LZMA2_PROPERTY]):
        yield from _decode(_lzma2(data[start : start + 1]), data, start + 1, end)
    else:
        head = data[start : start + _LZMA_PROPERTIES]
        yield from _decode(_lzma1(head), data, start + _LZMA_PROPERTIES, end)


def _lzma1(head: bytes) -> _Decoder:
    decoder = lzma.LZMADecompressor(format=lzma.FORMAT_ALONE, memlimit=DECODER_MEMORY)
    try:
        decoder.decompress(head[:_LZMA_PROPERTIES] + _UNKNOWN_SIZE, 0)
    except lzma.LZMAError as error:
        raise _fault(error) from None
    return decoder


def _lzma2(head: bytes) -> _Decoder:
    """Source: the .xz file format, 5.3.1, for the size of the dictionary."""
    if not head:
        raise Interrupted(Reason.DAMAGED, "truncated")
    size = min((2 | head[0] & 1) << head[0] // 2 + 11, 0xFFFFFFFF)
    if size > DECODER_MEMORY:
        detail = f"its dictionary needs more than {DECODER_MEMORY} bytes of memory"
        raise Interrupted(Reason.LIMIT, detail)
    chain = [{"id": lzma.FILTER_LZMA2, "dict_size": size}]
    return lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=chain)


def _decode(decoder: _Decoder, data: bytes, start: int, end: int | None = None) -> Iterator[bytes]:
    """Feed a decoder until its input is used up: a stream here may have no end of its own."""
    end = len(data) if end is None else end
    at = start
    while not decoder.eof:
        piece = b""
        if decoder.needs_input:
            if at >= end:
                return
            piece = data[at : min(at + _INPUT, end)]
            at += len(piece)
        try:
            chunk = decoder.decompress(piece, OUTPUT_CHUNK)
        except _ERRORS as error:
            raise _fault(error) from None
        yield chunk


def _fault(error: Exception) -> Interrupted:
    if "memory usage limit" in str(error).lower():
        detail = f"its dictionary needs more than {DECODER_MEMORY} bytes of memory"
        return Interrupted(Reason.LIMIT, detail)
    return Interrupted(Reason.DAMAGED, f"damaged ({error})")


# --- the filter ---------------------------------------------------------------------------

_FILTERED_BLOCK = 0x10000
_CALL = re.compile(rb"[\xe8\xe9]")


def undo_call_filter(chunks: Iterator[bytes], *, toggles: bool) -> Iterator[bytes]:
    """Turn the targets of calls and jumps back from places in the file to distances.

    Args:
        chunks: a file as it was compressed.
        toggles: whether the highest byte was inverted for backward jumps (from 5.3.9 on).
    """
    pending = bytearray()
    done = 0
    for chunk in chunks:
        pending += chunk
        whole = len(pending) - len(pending) % _FILTERED_BLOCK
        for at in range(0, whole, _FILTERED_BLOCK):
            yield _unfilter(pending[at : at + _FILTERED_BLOCK], done, toggles=toggles)
            done += _FILTERED_BLOCK
        del pending[:whole]
        if not whole:
            yield b""
    yield _unfilter(pending, done, toggles=toggles)


def _unfilter(block: bytearray, offset: int, *, toggles: bool) -> bytes:
    search: Callable[[bytearray, int], re.Match[bytes] | None] = _CALL.search
    last = len(block) - 4
    found = search(block, 0)
    while found is not None and found.start() < last:
        at = found.start() + 1
        if block[at + 3] in (0x00, 0xFF):
            place = int.from_bytes(block[at : at + 3], "little")
            distance = place - (offset + at + 4) & 0xFFFFFF
            block[at : at + 3] = distance.to_bytes(3, "little")
            if toggles and distance & 0x800000:
                block[at + 3] ^= 0xFF
        found = search(block, at + 4)
    return bytes(block)

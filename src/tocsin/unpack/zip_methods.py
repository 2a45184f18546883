"""How the data of a zip member is packed: one generator of chunks for each method.

Decoders are imported when a member needs them, because most archives hold deflate only and
start-up time counts. A stream that knows its own end is read to that end, whatever size the
headers state: they are the easiest thing to falsify.

Source: APPNOTE 6.3, sections 4.4.5 and 5.8.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator

from tocsin.unpack.interface import Reason
from tocsin.unpack.stream import DECODER_MEMORY, Codec, Interrupted, copy, decompress
from tocsin.unpack.zip_directory import Entry

Chunks = Generator[bytes, None, int]
"""Chunks of a member; returns the position after its data."""

AES = 99
STORED = 0
DEFLATED = 8

METHOD_NAMES = {
    94: "mp3",
    96: "jpeg",
    97: "wavpack",
}
"""Names for reports of the methods there may be no decoder for."""

_LZMA_END_MARKED = 0x0002
_UNKNOWN_SIZE = 0xFFFFFFFFFFFFFFFF


def _stored(data: bytes, start: int, entry: Entry) -> Chunks:
    end = start + entry.packed_size
    yield from copy(data, start, min(end, len(data)))
    if end > len(data):
        raise Interrupted(Reason.DAMAGED, "truncated")
    return end


def _deflated(data: bytes, start: int, entry: Entry) -> Chunks:
    from tocsin.unpack.deflate import DEFLATE

    return decompress(DEFLATE, data, start, len(data))


def _deflated64(data: bytes, start: int, entry: Entry) -> Chunks:
    from tocsin.unpack.deflate64 import inflate64

    return inflate64(data, start, len(data))


def _imploded(data: bytes, start: int, entry: Entry) -> Chunks:
    from tocsin.unpack.implode import explode

    return explode(data, start, len(data), entry.flags, entry.size)


def _imploded_dcl(data: bytes, start: int, entry: Entry) -> Chunks:
    from tocsin.unpack.dcl import explode_dcl

    return explode_dcl(data, start, min(start + entry.packed_size, len(data)))


def _bzip2(data: bytes, start: int, entry: Entry) -> Chunks:
    from tocsin.unpack.bzip2 import BZIP2

    return decompress(BZIP2, data, start, len(data))


def _lzma(data: bytes, start: int, entry: Entry) -> Chunks:
    """LZMA behind a header of its own, turned into the header `lzma` knows.

    Source: APPNOTE 5.8.8.
    """
    import lzma

    if start + 4 > len(data):
        raise Interrupted(Reason.DAMAGED, "truncated")
    _version, properties_size = struct.unpack_from("<HH", data, start)
    body = start + 4 + properties_size
    properties = data[start + 4 : body]
    if len(properties) != 5:
        raise Interrupted(Reason.DAMAGED, "damaged (LZMA properties are not 5 bytes)")
    size = _UNKNOWN_SIZE if entry.flags & _LZMA_END_MARKED else entry.size
    header = properties + size.to_bytes(8, "little")

    def make() -> lzma.LZMADecompressor:
        decoder = lzma.LZMADecompressor(format=lzma.FORMAT_ALONE, memlimit=DECODER_MEMORY)
        decoder.decompress(header)
        return decoder

    codec = Codec(make=make, errors=(lzma.LZMAError, EOFError, ValueError))
    return (yield from decompress(codec, data, body, len(data)))


def _xz(data: bytes, start: int, entry: Entry) -> Chunks:
    from tocsin.unpack.xz import XZ

    return decompress(XZ, data, start, min(start + entry.packed_size, len(data)))


def _zstd(data: bytes, start: int, entry: Entry) -> Chunks:
    from tocsin.unpack.zstd import frames

    end = min(start + entry.packed_size, len(data))
    return frames(data, start, end)


def _reduced(data: bytes, start: int, entry: Entry) -> Chunks:
    from tocsin.unpack.reduce import expand

    end = min(start + entry.packed_size, len(data))
    return expand(data, start, end, entry.method - 1, entry.size)


METHODS: dict[int, Callable[[bytes, int, Entry], Chunks]] = {
    STORED: _stored,
    DEFLATED: _deflated,
    2: _reduced,
    3: _reduced,
    4: _reduced,
    5: _reduced,
    6: _imploded,
    9: _deflated64,
    10: _imploded_dcl,
    12: _bzip2,
    14: _lzma,
    20: _zstd,
    93: _zstd,
    95: _xz,
}
"""Compression method to its chunks."""

BY_LIBRARY = frozenset({1, 98})
"""Methods that 7-Zip's library reads: shrink and PPMd."""


def method_name(method: int) -> str:
    """The method in words, for a report."""
    name = METHOD_NAMES.get(method)
    return f"compression method {method}" + (f" ({name})" if name else "")

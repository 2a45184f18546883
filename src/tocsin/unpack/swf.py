"""Flash films: the film inside a packed one.

What comes out is the film as it would be unpacked, its header rewritten, as clamscan makes it.

Source: Adobe, SWF File Format Specification 19, chapter 2.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Sequence

from tocsin.errors import FormatError
from tocsin.unpack.deflate import DEFLATE
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.stream import DECODER_MEMORY, Codec, Interrupted, Meta, decompress, report, take

_HEADER = 8
_ZLIB_HEADER = 2
_LZMA_START = 12
_LZMA_BODY = 17
_UNKNOWN_SIZE = b"\xff" * 8


class SwfUnpacker:
    """Unpacks films packed with zlib or LZMA; one that is not packed has nothing inside."""

    types = frozenset({"SWF"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`; there is one member at most."""
        kind = data[:3]
        if kind not in (b"FWS", b"CWS", b"ZWS"):
            raise FormatError("not a Flash film: it does not begin with FWS, CWS or ZWS")
        if kind == b"FWS":
            return
        budget.charge_file()
        notes: list[str] = []
        taken = take(_film(data, notes), budget)
        yield from report(Meta(name="film.swf", packed_size=len(data)), taken, notes)


def _film(data: bytes, notes: list[str]) -> Iterator[bytes]:
    stated = int.from_bytes(data[4:_HEADER], "little")
    yield b"FWS" + data[3:_HEADER]
    size = _HEADER
    for chunk in _body(data, max(0, stated - _HEADER)):
        size += len(chunk)
        yield chunk
    if size != stated:
        notes.append(f"{stated} bytes are stated")


def _body(data: bytes, stated: int) -> Iterator[bytes]:
    if data[:1] == b"C":
        yield from decompress(DEFLATE, data, _HEADER + _ZLIB_HEADER, len(data))
        return
    properties = data[_LZMA_START:_LZMA_BODY]
    if len(properties) < _LZMA_BODY - _LZMA_START:
        raise Interrupted(Reason.DAMAGED, "truncated")

    def make() -> lzma.LZMADecompressor:
        decoder = lzma.LZMADecompressor(format=lzma.FORMAT_ALONE, memlimit=DECODER_MEMORY)
        decoder.decompress(properties + _UNKNOWN_SIZE)
        return decoder

    codec = Codec(make=make, errors=(lzma.LZMAError, EOFError, ValueError))
    left = stated
    for chunk in decompress(codec, data, _LZMA_BODY, len(data)):
        yield chunk[:left]
        left -= min(left, len(chunk))
        if not left:
            return


UNPACKER = SwfUnpacker()

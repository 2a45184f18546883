"""Brotli, in frames that say so.

A bare brotli stream begins with no mark, and almost any bytes decode to something, so a `.br`
file can be recognised by its name alone, which a scanner does not go by. What 7-Zip ZS and
`brotli-mt` write has a skippable frame in front of each stream, and that is a mark.

Source: RFC 7932; brotli-mt, `lib/brotli-mt.h`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import brotli

from tocsin.errors import FormatError
from tocsin.unpack.interface import Budget, Member, Skipped
from tocsin.unpack.stream import Codec, Meta, decompress, report, take

_HEAD = b"\x50\x2a\x4d\x18\x08\0\0\0"
_MARK = b"BR"
_HEADER_BYTES = 16


class _Decoder:
    """A decoder with the manners of `bz2.BZ2Decompressor`."""

    def __init__(self) -> None:
        self._decoder = brotli.Decompressor()
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        return bool(self._decoder.is_finished())

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out without more going in."""
        return bool(self._decoder.can_accept_more_data())

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take in `data`, give out about `max_length` bytes at most."""
        return bytes(self._decoder.process(data, output_buffer_limit=max_length))


_BROTLI = Codec(make=_Decoder, errors=(brotli.error,))


class BrotliUnpacker:
    """Unpacks framed brotli; all streams are joined."""

    types = frozenset({"BROTLI"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`; there is exactly one member."""
        if not _is_frame(data, 0):
            raise FormatError("not framed brotli")
        budget.charge_file()
        notes: list[str] = []
        taken = take(_frames(data, notes), budget)
        yield from report(Meta(name="", packed_size=len(data)), taken, notes)


def _is_frame(data: bytes, at: int) -> bool:
    return data.startswith(_HEAD, at) and data.startswith(_MARK, at + 12)


def _frames(data: bytes, notes: list[str]) -> Iterator[bytes]:
    at = 0
    while _is_frame(data, at):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        start = at + _HEADER_BYTES
        at = start + size
        yield from decompress(_BROTLI, data, start, min(at, len(data)))
    if at < len(data):
        notes.append(f"{len(data) - at} bytes follow the last frame")


UNPACKER = BrotliUnpacker()

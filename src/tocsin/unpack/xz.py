"""xz files: all streams of a file, joined to one object.

Unlike clamscan, which gives up on a cut off file, this hands on what came out before the
break: a download that was cut short still holds what it began to install.

Source: The .xz File Format, version 1.2.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Sequence

from tocsin.errors import FormatError
from tocsin.unpack.interface import Budget, Member, Skipped
from tocsin.unpack.stream import DECODER_MEMORY, Codec, Meta, behind, decompress, report, take

_MAGIC = b"\xfd7zXZ\x00"


def _make_decoder() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=DECODER_MEMORY)


XZ = Codec(make=_make_decoder, errors=(lzma.LZMAError, EOFError, ValueError))


class XzUnpacker:
    """Unpacks xz; a dictionary beyond `DECODER_MEMORY` is refused."""

    types = frozenset({"XZ"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`; there is one member, and what stands behind it."""
        if not data.startswith(_MAGIC):
            raise FormatError("not xz: it does not begin with fd 37 7a 58 5a 00")
        budget.charge_file()
        notes: list[str] = []
        ends: list[int] = []
        taken = take(_streams(data, notes, ends), budget)
        yield from report(Meta(name="", packed_size=len(data)), taken, notes)
        for end in ends:
            yield from behind(data, end, 2, budget)


def _streams(data: bytes, notes: list[str], ends: list[int]) -> Iterator[bytes]:
    at = 0
    while data.startswith(_MAGIC, at):
        at = yield from decompress(XZ, data, at, len(data))
        at = _skip_padding(data, at)
    ends.append(at)
    if at < len(data):
        notes.append(f"{len(data) - at} bytes follow the last stream")


def _skip_padding(data: bytes, at: int) -> int:
    """Position after the zero bytes that may stand between streams (format 2.2)."""
    following = data.find(_MAGIC, at)
    end = len(data) if following < 0 else following
    return end if data.count(0, at, end) == end - at else at


UNPACKER = XzUnpacker()

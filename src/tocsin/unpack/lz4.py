"""LZ4: frames of today and of before 2014, joined to one object.

Source: "LZ4 Frame Format Description" 1.6.3.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

import lz4.block
import lz4.frame

from tocsin.errors import FormatError
from tocsin.unpack.interface import MIB, Budget, Member, Reason, Skipped
from tocsin.unpack.stream import Codec, Interrupted, Meta, behind, decompress, report, take

_MAGIC = b"\x04\x22\x4d\x18"
_LEGACY = b"\x02\x21\x4c\x18"
_SKIPPABLE = b"\x2a\x4d\x18"
_LEGACY_BLOCK = 8 * MIB
_LARGEST_PACKED_BLOCK = _LEGACY_BLOCK + _LEGACY_BLOCK // 255 + 16


class _Decoder:
    """A decoder with the manners of `bz2.BZ2Decompressor`."""

    def __init__(self) -> None:
        self._decoder = lz4.frame.LZ4FrameDecompressor()

    @property
    def eof(self) -> bool:
        """Whether the frame has ended."""
        return bool(self._decoder.eof)

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out without more going in."""
        return bool(self._decoder.needs_input)

    @property
    def unused_data(self) -> bytes:
        """What lies behind the frame's end."""
        return bytes(self._decoder.unused_data or b"")

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take in `data`, give out at most `max_length` bytes."""
        return bytes(self._decoder.decompress(data, max_length))


_FRAME = Codec(make=_Decoder, errors=(RuntimeError, EOFError, ValueError))


class Lz4Unpacker:
    """Unpacks LZ4; frames that may be passed over are."""

    types = frozenset({"LZ4"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`; there is one member, and what stands behind it."""
        if data[:4] not in (_MAGIC, _LEGACY) and data[1:4] != _SKIPPABLE:
            raise FormatError("not LZ4: it does not begin with a frame")
        budget.charge_file()
        notes: list[str] = []
        ends: list[int] = []
        taken = take(_frames(data, notes, ends), budget)
        yield from report(Meta(name="", packed_size=len(data)), taken, notes)
        for end in ends:
            yield from behind(data, end, 2, budget)


def _frames(data: bytes, notes: list[str], ends: list[int]) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        mark = data[at : at + 4]
        if mark == _MAGIC:
            at = yield from decompress(_FRAME, data, at, len(data))
        elif mark == _LEGACY:
            at = yield from _legacy(data, at + 4)
        elif mark[1:] == _SKIPPABLE and mark[0] >> 4 == 5:
            at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
            yield b""
        else:
            break
    ends.append(at)
    if data.count(0, at) != max(0, len(data) - at):
        notes.append(f"{len(data) - at} bytes follow the last frame")


def _legacy(data: bytes, at: int) -> Generator[bytes, None, int]:
    """Blocks of eight MiB, until something that can be none."""
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        if not 0 < size <= _LARGEST_PACKED_BLOCK:
            return at
        packed = data[at + 4 : at + 4 + size]
        if len(packed) < size:
            raise Interrupted(Reason.DAMAGED, "truncated")
        try:
            yield lz4.block.decompress(packed, uncompressed_size=_LEGACY_BLOCK)
        except lz4.block.LZ4BlockError as error:
            raise Interrupted(Reason.DAMAGED, f"damaged ({error})") from None
        at += 4 + size
    if at < len(data):
        raise Interrupted(Reason.DAMAGED, "truncated")
    return at


UNPACKER = Lz4Unpacker()

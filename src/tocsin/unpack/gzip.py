"""gzip files: streams one after the other, joined to one object.

Joined because that is what `gzip -d` writes and what a detection is made for. The header is
read here and not by `zlib`, since a broken check value or trailing bytes must not cost the
data before them.

Source: RFC 1952.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Generator, Iterator, Sequence

from tocsin.errors import FormatError
from tocsin.unpack.deflate import DEFLATE
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.stream import Interrupted, Meta, behind, decompress, report, take

_MAGIC = b"\x1f\x8b"
_NOT_NUL = re.compile(rb"[^\0]")
_FIXED_HEADER = 10
_TRAILER = 8
_LONGEST_NAME = 4096

_HAS_HEADER_CRC = 0x02
_HAS_EXTRA = 0x04
_HAS_NAME = 0x08
_HAS_COMMENT = 0x10


class GzipUnpacker:
    """Unpacks gzip.

    Bytes after the last stream are no error but a member of their own; zero bytes, which tapes
    leave, are not even noted. The CRC is noted when it does not fit, and the data handed on.
    """

    types = frozenset({"GZ"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`; there is one member, and what stands behind it."""
        if data[:2] != _MAGIC:
            raise FormatError("not gzip: it does not begin with 1f 8b")
        budget.charge_file()
        streams = _Streams(data)
        taken = take(streams, budget)
        meta = Meta(name=streams.name, packed_size=len(data), crc=streams.crc)
        yield from report(meta, taken, streams.notes)
        if streams.end is not None:
            yield from behind(data, streams.end, 2, budget)


class _Streams:
    """All streams of a file, as chunks; collects remarks on the way.

    Attributes:
        name: file name the first header holds, or an empty string.
        crc: CRC-32 the trailer states, or None unless there is exactly one stream.
        notes: remarks that do not make the object incomplete.
        end: where the last stream ends, or None when that was not reached.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.name = ""
        self.crc: int | None = None
        self.notes: list[str] = []
        self.end: int | None = None

    def __iter__(self) -> Iterator[bytes]:
        data = self._data
        at, count = 0, 0
        while data[at : at + 2] == _MAGIC:
            body, name = _read_header(data, at)
            if not count:
                self.name = name
            count += 1
            at = yield from self._stream(body, first=count == 1)
            padded = _NOT_NUL.search(data, at)
            if padded is not None and data.startswith(_MAGIC, padded.start()):
                at = padded.start()  # Python's gzip goes on there
        self.end = at
        if data.count(0, at) != len(data) - at:
            self.notes.append(f"{len(data) - at} bytes follow the last stream")

    def _stream(self, body: int, *, first: bool) -> Generator[bytes, None, int]:
        data = self._data
        crc = 0
        chunks = decompress(DEFLATE, data, body, len(data))
        while True:
            try:
                chunk = next(chunks)
            except StopIteration as stop:
                end = int(stop.value)
                break
            crc = zlib.crc32(chunk, crc)
            yield chunk
        trailer = data[end : end + _TRAILER]
        if len(trailer) < _TRAILER:
            raise Interrupted(Reason.DAMAGED, "truncated")
        stated = int.from_bytes(trailer[:4], "little")
        self.crc = stated if first else None
        if stated != crc and not self.notes:
            self.notes.append("CRC-32 does not match")
        return end + _TRAILER


def _read_header(data: bytes, at: int) -> tuple[int, str]:
    """Read a stream's header.

    Returns:
        Position of the compressed data, and the file name or an empty string.

    Raises:
        Interrupted: the header is cut off or of an unknown method.

    Source: RFC 1952, 2.3.
    """
    fixed = data[at : at + _FIXED_HEADER]
    if len(fixed) < _FIXED_HEADER:
        raise Interrupted(Reason.DAMAGED, "truncated")
    method, flags = fixed[2], fixed[3]
    if method != 8:
        raise Interrupted(Reason.UNSUPPORTED, f"compression method {method}")
    at += _FIXED_HEADER
    if flags & _HAS_EXTRA:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    name = ""
    if flags & _HAS_NAME:
        end = _end_of_text(data, at)
        name = data[at : min(end, at + _LONGEST_NAME)].decode("utf-8", "surrogateescape")
        at = end + 1
    if flags & _HAS_COMMENT:
        at = _end_of_text(data, at) + 1
    if flags & _HAS_HEADER_CRC:
        at += 2
    return at, name


def _end_of_text(data: bytes, at: int) -> int:
    end = data.find(0, at)
    if end < 0:
        raise Interrupted(Reason.DAMAGED, "truncated")
    return end


UNPACKER = GzipUnpacker()

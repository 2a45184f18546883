"""zlib streams (RFC 1950) behind the interface the other decoders have."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from tocsin.unpack.deflate import DEFLATE
from tocsin.unpack.stream import Codec, decompress

_HEADER = 2


class _Zlib:
    """A decoder that passes over the header, and leaves the check value unread.

    A wrong check value must not cost the data before it.
    """

    def __init__(self) -> None:
        self._inner = DEFLATE.make()
        self._header = _HEADER

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return bool(self._header) or self._inner.needs_input

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        skip = min(self._header, len(data))
        self._header -= skip
        return self._inner.decompress(data[skip:], max_length)


ZLIB = Codec(make=_Zlib, errors=(zlib.error,))


def inflate(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """The content of a stream, in chunks.

    Args:
        data: bytes that hold it.
        start: where its header stands.
        end: where its input ends at the latest.

    Raises:
        Interrupted: it is damaged or cut off.
    """
    yield from decompress(ZLIB, data, start, end)


def looks_like_zlib(data: bytes, start: int) -> bool:
    """Whether the header of a zlib stream stands there (RFC 1950, 2.2)."""
    head = data[start : start + _HEADER]
    return len(head) == _HEADER and head[0] & 15 == 8 and int.from_bytes(head, "big") % 31 == 0

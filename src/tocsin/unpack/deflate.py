"""Raw deflate behind the interface the other decoders have.

gzip and zip both hold raw deflate data, and `zlib` names the same ideas differently from
`bz2` and `lzma`; the difference is removed here.
"""

from __future__ import annotations

import zlib

from tocsin.unpack.stream import Codec


class _Deflate:
    """A decoder for one raw deflate stream.

    Source: RFC 1951.
    """

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        tail = self._decoder.unconsumed_tail
        chunk = self._decoder.decompress(tail + data if tail else data, max_length)
        self.needs_input = len(chunk) < max_length and not self._decoder.unconsumed_tail
        return chunk


DEFLATE = Codec(make=_Deflate, errors=(zlib.error,))

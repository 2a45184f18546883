"""`ActiveMime`: how Word hides the macros of a document in XML or MHTML, `editdata.mso`.

Source: measured; the head is 50 bytes of which only the place of the data matters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tocsin.errors import FormatError
from tocsin.unpack.deflate import DEFLATE
from tocsin.unpack.interface import Budget, Member, Skipped
from tocsin.unpack.parts import Parts
from tocsin.unpack.stream import decompress

_MAGIC = b"ActiveMime"
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_HEAD_REACH = 1024
_ZLIB_HEADER = 2


class ActiveMimeUnpacker:
    """Unpacks ActiveMime."""

    types = frozenset({"ACTIVEMIME"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`; there is one member, a compound file."""
        if not data.startswith(_MAGIC):
            raise FormatError("not ActiveMime")
        found = _ZLIB.search(data, len(_MAGIC), _HEAD_REACH)
        if found is None:
            raise FormatError("ActiveMime without compressed data")
        start = found.start() + _ZLIB_HEADER
        chunks = decompress(DEFLATE, data, start, len(data))
        yield from Parts(budget).member("macros", chunks, len(data) - start)


UNPACKER = ActiveMimeUnpacker()

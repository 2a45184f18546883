"""XDP: forms in XML that carry a PDF in base64.

Source: Adobe XML Data Package Specification 2.0.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Iterator, Sequence

from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.stream import Interrupted, Meta, report, take

_CHUNK = re.compile(rb"<(?:[A-Za-z_][\w.-]{0,60}+:)?chunk(?:\s[^<>]{0,1000}+)?>([^<]*+)(<?)")
_NO_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
)
_PIECE = 256 * 1024


class XdpUnpacker:
    """Unpacks XDP: each chunk is an object. A form without one is none the worse for it."""

    types = frozenset({"XDP"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        for position, found in enumerate(_CHUNK.finditer(data), 1):
            budget.check_time()
            budget.charge_file()
            size = found.end(1) - found.start(1)
            meta = Meta(f"chunk {position}", packed_size=size, position=position)
            taken = take(_decoded(found[1], ended=bool(found[2])), budget)
            if taken.data or taken.reason is not None:
                yield from report(meta, taken)


def _decoded(text: bytes, *, ended: bool) -> Iterator[bytes]:
    """Decode base64, passing over what is no digit of it."""
    digits = text.translate(None, _NO_BASE64)
    whole = len(digits) // 4 * 4
    for at in range(0, whole, _PIECE):
        yield a2b_base64(digits[at : min(at + _PIECE, whole)])
    if len(digits) - whole > 1:
        yield a2b_base64(digits[whole:] + b"=" * (4 - len(digits) + whole))
    if not ended:
        raise Interrupted(Reason.DAMAGED, "truncated")


UNPACKER = XdpUnpacker()

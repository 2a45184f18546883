"""Kinds that mail brings along: S/MIME envelopes and the mail in which BinHex stands.

Source: RFC 5652, 3; X.690, 8.1.
"""

from __future__ import annotations

from collections.abc import Iterator

_SEQUENCE = 0x30
_IDENTIFIERS = (
    bytes.fromhex("06092a864886f70d0107"),
    bytes.fromhex("060b2a864886f70d0109100109"),
    bytes.fromhex("060b2a864886f70d0109100117"),
)
_ARMOUR = (b"-----BEGIN PKCS7-----", b"-----BEGIN CMS-----")


def envelope_kinds(data: bytes) -> Iterator[str]:
    """An envelope is a sequence whose first value says which of the envelopes it is."""
    if not data:
        return
    if data[0] == _SEQUENCE:
        length = data[1] if len(data) > 1 else 0
        if data.startswith(_IDENTIFIERS, 2 + (length & 0x7F if length > 0x80 else 0)):
            yield "PKCS7"
    elif data.startswith(_ARMOUR):
        yield "PKCS7"

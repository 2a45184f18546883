"""Signed, compressed and encrypted mail by S/MIME, and other files in its envelope (`.p7m`).

What is signed is inside the signature as a string, whole or in pieces; it is handed out.
What is encrypted is there and cannot be looked at.

Source: RFC 5652, 3 to 6; RFC 3274 (compressed data); RFC 5083 (authenticated, encrypted);
X.690, 8.1 (BER).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tocsin.errors import FormatError
from tocsin.unpack.deflate import DEFLATE
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.stream import Interrupted, Meta, copy, decompress, report, skipped, take

_PKCS7 = bytes.fromhex("2a864886f70d0107")
_SIGNED = _PKCS7 + b"\x02"
_ENVELOPED = _PKCS7 + b"\x03"
_SIGNED_AND_ENVELOPED = _PKCS7 + b"\x04"
_ENCRYPTED = _PKCS7 + b"\x06"
_COMPRESSED = bytes.fromhex("2a864886f70d0109100109")
_AUTH_ENVELOPED = bytes.fromhex("2a864886f70d0109100117")
_SECRET = {_ENVELOPED, _SIGNED_AND_ENVELOPED, _ENCRYPTED, _AUTH_ENVELOPED}

_OCTETS, _OID, _SEQUENCE = 0x04, 0x06, 0x30
_OCTETS_IN_PIECES, _TAGGED = 0x24, 0xA0
_PRIMITIVE_TAGGED = 0x80

_PIECES_BETWEEN_CHECKS = 1024
_ZLIB_HEADER = 2
_ARMOUR = re.compile(rb"-----BEGIN (?:PKCS7|CMS)-----\s*([A-Za-z0-9+/=\s]*)")


class _Value(NamedTuple):
    """One value of BER.

    Attributes:
        tag: its first byte.
        start: where its content begins.
        end: where its content ends; as far as the data goes where it does not say.
        open: whether its length is not stated, but ended by two zero bytes.
    """

    tag: int
    start: int
    end: int
    open: bool


def _value(data: bytes, at: int, end: int) -> _Value:
    """Read tag and length.

    Raises:
        FormatError: there is none.
    """
    head = data[at : min(at + 2, end)]
    if len(head) < 2:
        raise FormatError("PKCS #7: cut off")
    tag, length = head
    at += 2
    if length == 0x80:
        return _Value(tag, at, end, open=True)
    if length > 0x80:
        size = length & 0x7F
        if size > 8 or at + size > end:
            raise FormatError("PKCS #7: a length is out of range")
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    return _Value(tag, at, at + length, open=False)


def _enter(data: bytes, at: int, end: int, tag: int) -> _Value:
    value = _value(data, at, end)
    if value.tag != tag:
        raise FormatError(f"PKCS #7: tag {value.tag:#x} where {tag:#x} must be")
    return value._replace(end=min(value.end, end))


class Pkcs7Unpacker:
    """Hands out what is signed or compressed; a detached signature has nothing inside."""

    types = frozenset({"PKCS7"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        armour = _ARMOUR.match(data)
        if armour is not None:
            data = _without_armour(armour[1])
        outer = _enter(data, 0, len(data), _SEQUENCE)
        kind = _enter(data, outer.start, outer.end, _OID)
        name = data[kind.start : kind.end]
        if name in _SECRET:
            meta = Meta("content", packed_size=len(data), encrypted=True)
            yield skipped(meta, Reason.ENCRYPTED, "encrypted by S/MIME (PKCS #7)")
            return
        if name not in (_SIGNED, _COMPRESSED):
            return
        place = _content(data, kind.end, outer.end, budget)
        if place is None:
            return
        budget.charge_file()
        chunks = _strings(data, place, budget)
        if name == _COMPRESSED:
            packed = take(chunks, budget)
            chunks = decompress(DEFLATE, packed.data, _ZLIB_HEADER, len(packed.data))
        taken = take(chunks, budget)
        yield from report(Meta("content", packed_size=len(taken.data)), taken)


def _without_armour(text: bytes) -> bytes:
    characters = text.replace(b"=", b"").translate(None, b" \t\r\n")
    characters = characters[: len(characters) - (len(characters) % 4 == 1)]
    return binascii.a2b_base64(characters + b"=" * (-len(characters) % 4))


def _content(data: bytes, at: int, end: int, budget: Budget) -> _Value | None:
    """The string that is signed or compressed, or None when it is elsewhere."""
    body = _enter(data, at, end, _TAGGED)
    sequence = _enter(data, body.start, body.end, _SEQUENCE)
    at = sequence.start
    for _ in range(2):  # the version, and the set of digest or compression algorithms
        at = _behind(data, _value(data, at, sequence.end), sequence.end, budget)
    inner = _enter(data, at, sequence.end, _SEQUENCE)
    kind = _enter(data, inner.start, inner.end, _OID)
    if kind.end >= inner.end or data[kind.end] != _TAGGED:
        return None
    holder = _enter(data, kind.end, inner.end, _TAGGED)
    value = _value(data, holder.start, holder.end)
    return value if value.tag in (_OCTETS, _OCTETS_IN_PIECES) else None


def _behind(data: bytes, value: _Value, end: int, budget: Budget) -> int:
    """Where the next value begins; a value of open length is walked through, not entered."""
    if not value.open:
        return value.end
    depth, at, steps = 1, value.start, 0
    while depth:
        steps += 1
        if steps % _PIECES_BETWEEN_CHECKS == 0:
            budget.check_time()
        inner = _value(data, at, end)
        if inner.tag == 0 and inner.start == inner.end:
            depth -= 1
            at = inner.end
        elif inner.open:
            depth += 1
            at = inner.start
        else:
            at = inner.end
    return at


def _strings(data: bytes, value: _Value, budget: Budget) -> Iterator[bytes]:
    """The bytes of a string, which may be pieces inside pieces.

    Raises:
        Interrupted: it ends before its end.
    """
    end = min(value.end, len(data))
    if value.tag == _OCTETS:
        yield from copy(data, value.start, end)
        if value.end > end:
            raise Interrupted(Reason.DAMAGED, "truncated")
        return
    at, steps, depth = value.start, 0, 1
    while at < end:
        steps += 1
        if steps % _PIECES_BETWEEN_CHECKS == 0:
            budget.check_time()
        try:
            piece = _value(data, at, end)
        except FormatError as error:
            raise Interrupted(Reason.DAMAGED, str(error)) from None
        if piece.tag == _OCTETS_IN_PIECES:
            depth += piece.open
            at = piece.start
        elif piece.tag == _OCTETS:
            yield from copy(data, piece.start, min(piece.end, end))
            at = piece.end
        elif piece.tag == 0 and piece.start == piece.end:
            depth -= 1
            at = piece.end
            if value.open and depth == 0:
                return
        else:
            raise Interrupted(Reason.DAMAGED, f"a piece has tag {piece.tag:#x}")
    if value.open or value.end > end or at > end:
        raise Interrupted(Reason.DAMAGED, "truncated")


UNPACKER = Pkcs7Unpacker()

"""Installers of Symbian: of the old kind with a table of files, and of version 9.

Source: the format as published by users of it (EPOC release 5 and 6; the SIS file format of
Symbian OS 9.x, Symbian Ltd 2006).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from struct import Struct

from tocsin.errors import FormatError
from tocsin.unpack.deflate import DEFLATE
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.parts import Parts
from tocsin.unpack.stream import Interrupted, copy, decompress

_OLD_UID = b"\x19\x04\x00\x10"
_NEW_UID = b"\x7a\x1a\x20\x10"
_HEADER_BYTES = 100
_STORED = 8
_MOST_LANGUAGES = 128
_RELEASE_6 = 200

_SIMPLE, _BY_LANGUAGE, _OPTIONS, _IF, _ELSE_IF, _ELSE, _END = range(7)

_COMPRESSED = re.compile(rb"\x03\x00\x00\x00.{4}[\x00\x01]\x00\x00\x00(?=.{8})", re.DOTALL)
_COMPRESSED_HEAD = 20
_ZLIB_HEADER = 2


class SisUnpacker:
    """Unpacks Symbian installers."""

    types = frozenset({"SIS", "SIS9"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        parts = Parts(budget)
        if data.startswith(_NEW_UID):
            yield from _new(data, parts)
        elif len(data) >= _HEADER_BYTES and data.startswith(_OLD_UID, 8):
            yield from _old(data, parts)
        else:
            raise FormatError("not a Symbian installer")


def _old(data: bytes, parts: Parts) -> Iterator[Member | Skipped]:
    """Go through the records of files; a record of a kind unheard of ends them."""
    languages, count = Struct("<HH").unpack_from(data, 18)
    version, options = Struct("<IH").unpack_from(data, 32)
    (at,) = Struct("<I").unpack_from(data, 52)
    stored = bool(options & _STORED)
    if languages > _MOST_LANGUAGES:
        raise FormatError(f"{languages} languages")
    while count and at + 4 <= len(data):
        parts.budget.check_time()
        kind = _number(data, at)
        if kind in (_SIMPLE, _BY_LANGUAGE):
            copies = languages if kind == _BY_LANGUAGE else 1
            lengths, places = at + 28, at + 28 + 4 * copies
            name_size, name_at = _number(data, at + 20), _number(data, at + 24)
            name = data[name_at : name_at + min(name_size, 1024)].decode("utf-16-le", "replace")
            for number in range(copies):
                length = _number(data, lengths + 4 * number)
                place = _number(data, places + 4 * number)
                yield from _file(data, name, place, length, stored, parts)
            at += 28 + 8 * copies + (4 * copies + 8 if version >= _RELEASE_6 else 0)
            count -= 1
        elif kind == _OPTIONS:
            at += 8 + _number(data, at + 4) * 8 * languages + 16
        elif kind in (_IF, _ELSE_IF):
            at += 8 + _number(data, at + 4)
        elif kind in (_ELSE, _END):
            at += 4
        else:
            yield parts.skip("", Reason.DAMAGED, f"a record of kind {kind}")
            return
    if count:
        yield parts.skip("", Reason.DAMAGED, "its records are cut off")


def _file(
    data: bytes, name: str, place: int, length: int, stored: bool, parts: Parts
) -> Iterator[Member | Skipped]:
    end = min(place + length, len(data))
    if not length:
        return
    if stored:
        chunks = _stored(data, place, place + length)
    else:
        chunks = decompress(DEFLATE, data, place + _ZLIB_HEADER, end)
    yield from parts.member(name, chunks, length)


def _stored(data: bytes, start: int, end: int) -> Iterator[bytes]:
    yield from copy(data, start, min(end, len(data)))
    if end > len(data):
        raise Interrupted(Reason.DAMAGED, "truncated")


def _new(data: bytes, parts: Parts) -> Iterator[Member | Skipped]:
    """Take out every compressed field: the description of the package, and its files."""
    at = 16
    while (found := _COMPRESSED.search(data, at)) is not None:
        start = found.start()
        length = _number(data, start + 4)
        body = start + _COMPRESSED_HEAD
        end = min(start + 8 + length, len(data))
        stored = not data[start + 8]
        if length < 12 or start + 8 + length > len(data) or not (stored or _is_zlib(data, body)):
            parts.budget.check_time()
            at = start + 1
            continue
        chunks = (
            copy(data, body, end) if stored else decompress(DEFLATE, data, body + _ZLIB_HEADER, end)
        )
        yield from parts.member("", chunks, length)
        at = end


def _is_zlib(data: bytes, at: int) -> bool:
    head = data[at : at + _ZLIB_HEADER]
    return len(head) == _ZLIB_HEADER and head[0] & 15 == 8 and not (head[0] << 8 | head[1]) % 31


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


UNPACKER = SisUnpacker()

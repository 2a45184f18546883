"""TNEF, `winmail.dat`: what Outlook wraps a message in for its like.

Source: MS-OXTNEF.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct, error
from typing import NamedTuple

from tocsin.errors import FormatError
from tocsin.unpack import rtf_lz
from tocsin.unpack.interface import Budget, Item, Reason, Remark, Trait
from tocsin.unpack.parts import Parts
from tocsin.unpack.stream import Interrupted, copy

_MAGIC = b"\x78\x9f\x3e\x22"
_ATTRIBUTE = Struct("<BII")
_CHECKSUM = 2

_RENDERING, _TITLE, _DATA, _PROPERTIES = 0x69002, 0x18010, 0x6800F, 0x69005
_BODY, _MESSAGE_PROPERTIES = 0x2800C, 0x69003

_LONG_NAME, _OBJECT, _TEXT, _RTF, _HTML = 0x3707, 0x3701, 0x1000, 0x1009, 0x1013
_FIXED = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0xA: 4, 0xB: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_VARIABLE = (0x0D, 0x1E, 0x1F, 0x102)
_EMBEDDED = 0x0D
_INTERFACE_BYTES = 16


class _Property(NamedTuple):
    """A property of MAPI whose value is bytes."""

    number: int
    kind: int
    start: int
    end: int


class _Attachment(NamedTuple):
    """What is known of the attachment that is being read."""

    title: bytes = b""
    data: tuple[int, int] | None = None
    properties: tuple[int, int] | None = None


class TnefUnpacker:
    """Unpacks TNEF."""

    types = frozenset({"TNEF"})

    def members(self, data: bytes, budget: Budget, passwords: Sequence[bytes]) -> Iterator[Item]:
        """See `Unpacker.members`; bodies of the message are members too."""
        if not data.startswith(_MAGIC):
            raise FormatError("not TNEF")
        yield from _Stream(data, Parts(budget)).members()


class _Stream:
    """One TNEF stream while it is read."""

    def __init__(self, data: bytes, parts: Parts) -> None:
        self._data = data
        self._parts = parts
        self._current: _Attachment | None = None

    def members(self) -> Iterator[Item]:
        """Go from attribute to attribute."""
        data, at = self._data, 6
        while at + _ATTRIBUTE.size <= len(data):
            self._parts.budget.check_time()
            level, kind, size = _ATTRIBUTE.unpack_from(data, at)
            if level not in (1, 2):
                break
            start = at + _ATTRIBUTE.size
            at = start + size + _CHECKSUM
            yield from self._attribute(kind, start, start + size)
        yield from self._attachment()
        if at + _ATTRIBUTE.size <= len(data):
            yield Remark(Trait.NOTE, f"{len(data) - at} bytes follow the last attribute")

    def _attribute(self, kind: int, start: int, end: int) -> Iterator[Item]:
        if kind == _RENDERING:
            yield from self._attachment()
            self._current = _Attachment()
            return
        if kind == _BODY:
            stop = end - self._data.endswith(b"\0", start, end)
            yield from self._parts.member("body.txt", self._cut(start, stop), end - start)
        elif kind == _MESSAGE_PROPERTIES:
            yield from self._bodies(start, end)
        elif kind in (_TITLE, _DATA, _PROPERTIES):
            current = self._current or _Attachment()
            if kind == _TITLE:
                current = current._replace(title=self._data[start:end].rstrip(b"\0"))
            elif kind == _DATA:
                current = current._replace(data=(start, end))
            else:
                current = current._replace(properties=(start, end))
            self._current = current

    def _attachment(self) -> Iterator[Item]:
        """Hand out the attachment that was read, now that its long name is known."""
        current, self._current = self._current, None
        if current is None:
            return
        name = current.title.decode("utf-8", "surrogateescape")
        if current.properties is not None:
            for found in self._read(*current.properties):
                if found.number == _LONG_NAME:
                    name = self._text(found) or name
        if current.data is not None:
            start, end = current.data
            yield from self._parts.member(name, self._cut(start, end), end - start)
        for found in self._read(*(current.properties or (0, 0))):
            if found.number != _OBJECT:
                continue
            start = found.start + (_INTERFACE_BYTES if found.kind == _EMBEDDED else 0)
            yield from self._parts.member(name, self._cut(start, found.end), found.end - start)

    def _bodies(self, start: int, end: int) -> Iterator[Item]:
        for found in self._read(start, end):
            size = found.end - found.start
            if found.number == _RTF:
                raw = self._data[found.start : found.end]
                yield from self._parts.member("body.rtf", rtf_lz.decompress(raw), size)
            elif found.number == _HTML:
                chunks = self._cut(found.start, found.end)
                yield from self._parts.member("body.html", chunks, size)
            elif found.number == _TEXT:
                text = self._text(found).encode("utf-8", "surrogateescape")
                yield from self._parts.member("body.txt", text, size)

    def _text(self, found: _Property) -> str:
        raw = self._data[found.start : found.end]
        if found.kind == 0x1F:
            return raw.decode("utf-16-le", "replace").rstrip("\0")
        return raw.decode("utf-8", "surrogateescape").rstrip("\0")

    def _cut(self, start: int, end: int) -> Iterator[bytes]:
        yield from copy(self._data, start, min(end, len(self._data)))
        if end > len(self._data):
            raise Interrupted(Reason.DAMAGED, "truncated")

    def _read(self, start: int, end: int) -> Iterator[_Property]:
        """Values of bytes among the properties of MAPI; damage ends them.

        Source: MS-OXTNEF 2.1.3.4 and 2.1.3.5 (attMsgProps, attAttachment).
        """
        data, end = self._data, min(end, len(self._data))
        at = start + 4
        try:
            for _ in range(int.from_bytes(data[start:at], "little")):
                self._parts.budget.check_time()
                if at + 4 > end:
                    return
                kind, number = Struct("<HH").unpack_from(data, at)
                at = _behind_name(data, at + 4) if number >= 0x8000 else at + 4
                several = kind & 0x1000
                kind &= 0xFFF
                if kind not in _VARIABLE:
                    count = Struct("<I").unpack_from(data, at)[0] if several else 1
                    at += _FIXED[kind] * count + (4 if several else 0)
                    continue
                (count,) = Struct("<I").unpack_from(data, at)
                at += 4
                for _ in range(count):
                    (size,) = Struct("<I").unpack_from(data, at)
                    if at + 4 + size > end:
                        return
                    yield _Property(number, kind, at + 4, at + 4 + size)
                    at += 4 + (size + 3 & ~3)
        except (error, KeyError):
            return


def _behind_name(data: bytes, at: int) -> int:
    """Pass over the name of a named property."""
    (kind,) = Struct("<I").unpack_from(data, at + _INTERFACE_BYTES)
    (size,) = Struct("<I").unpack_from(data, at + _INTERFACE_BYTES + 4)
    at += _INTERFACE_BYTES + 8
    return at + (size + 3 & ~3) if kind else at


UNPACKER = TnefUnpacker()

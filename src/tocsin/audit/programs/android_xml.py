"""XML as Android packages hold it: compiled, with all its strings in one table.

Source: Android, `ResourceTypes.h`: ResChunk_header, ResStringPool_header, ResXMLTree_attrExt,
ResXMLTree_attribute, Res_value.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from tocsin.errors import FormatError

_CHUNK = Struct("<HHI")
_POOL = Struct("<IIIII")
_ELEMENT = Struct("<IIHHH")
_ATTRIBUTE = Struct("<IIIHBBI")
_XML, _STRINGS, _RESOURCES, _START = 0x0003, 0x0001, 0x0180, 0x0102
_UTF8 = 1 << 8
_NOTHING = 0xFFFFFFFF
_TYPE_STRING, _TYPE_NUMBERS = 0x03, range(0x10, 0x20)

MOST_STRINGS = 200_000
MOST_ELEMENTS = 50_000
_MOST_ATTRIBUTES = 100
_LONGEST = 2000

_KNOWN = {0x01010003: "name", 0x0101021B: "versionCode", 0x0101021C: "versionName"}
"""Attributes of Android's own, by their numbers: some packages leave their names out."""


class Element(NamedTuple):
    """The beginning of an element: its name, and its attributes without their namespaces."""

    name: str
    attributes: dict[str, str]


def is_compiled(data: bytes) -> bool:
    """Whether this is compiled XML."""
    return data[:4] == b"\x03\x00\x08\x00"


def elements(data: bytes) -> Iterator[Element]:
    """The elements in their order.

    Raises:
        FormatError: it is no compiled XML, or larger than a bound.
    """
    if not is_compiled(data):
        raise FormatError("not compiled XML")
    strings = _Strings(b"", 0)
    names: dict[int, str] = {}
    count = 0
    for kind, at, header, end in _chunks(data):
        if kind == _STRINGS:
            strings = _Strings(data[at:end], header)
        elif kind == _RESOURCES:
            numbers = range(at + header, end - 3, 4)
            for index, place in enumerate(numbers[:MOST_STRINGS]):
                number = int.from_bytes(data[place : place + 4], "little")
                if number in _KNOWN:
                    names[index] = _KNOWN[number]
        elif kind == _START:
            count += 1
            if count > MOST_ELEMENTS:
                raise FormatError(f"compiled XML: more than {MOST_ELEMENTS} elements")
            yield _element(data, at + header, end, strings, names)


def _chunks(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Kind, begin, size of the header and end of each chunk."""
    at = 8
    while at + 8 <= len(data):
        kind, header, size = _CHUNK.unpack_from(data, at)
        if header < 8 or size < header or at + size > len(data):
            return
        yield kind, at, header, at + size
        at += size


def _element(data: bytes, at: int, end: int, strings: _Strings, names: dict[int, str]) -> Element:
    if at + _ELEMENT.size > end:
        raise FormatError("compiled XML: an element is cut off")
    _namespace, name, start, size, count = _ELEMENT.unpack_from(data, at)
    attributes: dict[str, str] = {}
    for index in range(min(count, _MOST_ATTRIBUTES)):
        place = at + start + index * size
        if size < _ATTRIBUTE.size or place + _ATTRIBUTE.size > end:
            break
        _, key, raw, _, _, kind, value = _ATTRIBUTE.unpack_from(data, place)
        if raw != _NOTHING:
            text = strings.get(raw)
        elif kind == _TYPE_STRING:
            text = strings.get(value)
        elif kind in _TYPE_NUMBERS:
            text = str(value)
        else:
            continue
        attributes.setdefault(names.get(key) or strings.get(key), text)
    return Element(strings.get(name), attributes)


class _Strings:
    """A table of strings.

    Args:
        data: its chunk.
        header: bytes of the chunk's header.
    """

    def __init__(self, data: bytes, header: int) -> None:
        self._data = data
        self._header = header
        self._count = self._start = 0
        self._is_utf8 = False
        if len(data) >= 8 + _POOL.size:
            self._count, _, flags, self._start, _ = _POOL.unpack_from(data, 8)
            self._is_utf8 = bool(flags & _UTF8)

    def get(self, number: int) -> str:
        """A string by its number; empty where there is none."""
        place = self._header + 4 * number
        if number >= self._count or place + 4 > len(self._data):
            return ""
        at = self._start + int.from_bytes(self._data[place : place + 4], "little")
        if self._is_utf8:
            _, at = self._length8(at)
            size, at = self._length8(at)
            return self._data[at : at + min(size, _LONGEST)].decode("utf-8", "replace")
        size = int.from_bytes(self._data[at : at + 2], "little")
        at += 2
        if size & 0x8000:
            size = (size & 0x7FFF) << 16 | int.from_bytes(self._data[at : at + 2], "little")
            at += 2
        return self._data[at : at + 2 * min(size, _LONGEST)].decode("utf-16-le", "replace")

    def _length8(self, at: int) -> tuple[int, int]:
        size = int.from_bytes(self._data[at : at + 1], "little")
        if size & 0x80:
            more = int.from_bytes(self._data[at + 1 : at + 2], "little")
            return (size & 0x7F) << 8 | more, at + 2
        return size, at + 1

"""DER, read strictly: an element's tag, its content, and what it was read from.

Just enough for a signature's envelope; certificates are read by `cryptography`. Lengths are
definite and minimal, tags are of one byte, nothing is recursive.

Source: ITU-T X.690 (2021), sections 8.1 and 10.1.
"""

from __future__ import annotations

from typing import NamedTuple

INTEGER, OCTETS, OID, SEQUENCE, SET = 0x02, 0x04, 0x06, 0x30, 0x31
_MOST_ELEMENTS = 256


class NotDer(ValueError):
    """Bytes that are no DER, or not of the structure that is expected."""


class Element(NamedTuple):
    """One element.

    Attributes:
        tag: its first byte.
        content: without tag and length.
        whole: with them.
    """

    tag: int
    content: bytes
    whole: bytes

    def children(self) -> list[Element]:
        """The elements that a constructed one consists of.

        Raises:
            NotDer: it is not constructed, or they are malformed.
        """
        if not self.tag & 0x20:
            raise NotDer("an element that holds no others")
        found: list[Element] = []
        place = 0
        while place < len(self.content):
            element, place = _read(self.content, place)
            found.append(element)
            if len(found) > _MOST_ELEMENTS:
                raise NotDer("too many elements")
        return found


def read_der(data: bytes, tag: int = SEQUENCE) -> Element:
    """The one element that the bytes are.

    Raises:
        NotDer: they are none, or one of another tag.
    """
    element, end = _read(data, 0)
    if end != len(data) or element.tag != tag:
        raise NotDer("not the element that is expected")
    return element


def _read(data: bytes, place: int) -> tuple[Element, int]:
    if len(data) - place < 2:
        raise NotDer("an element ends too early")
    tag, length, start = data[place], data[place + 1], place + 2
    if tag & 0x1F == 0x1F:
        raise NotDer("a tag of several bytes")
    if length > 0x80:
        count = length & 0x7F
        digits = data[start : start + count]
        length = int.from_bytes(digits, "big")
        if count > 4 or len(digits) != count or digits[0] == 0 or length < 0x80:
            raise NotDer("a length that is not written as DER has it")
        start += count
    elif length == 0x80:
        raise NotDer("a length that is left open")
    if start + length > len(data):
        raise NotDer("an element ends too early")
    end = start + length
    return Element(tag, data[start:end], data[place:end]), end

"""Values of ASN.1 in the encoding that certificates and signatures use, one at a time.

Own, because signatures are hostile bytes: nothing here recurses, a value is read where it
stands, and no more of them than a bound. Apple's signatures state some lengths as open (BER),
so that is read too.

Source: X.690, 8.1 (tag, length), 8.19 (object identifier), 8.23 (strings), 10 (DER).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from tocsin.errors import FormatError

INTEGER, BITS, OCTETS, OID, UTF8, SEQUENCE, SET = 0x02, 0x03, 0x04, 0x06, 0x0C, 0x30, 0x31
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
OCTETS_IN_PIECES = 0x24
CONTEXT = 0xA0
"""Tag of `[0]` that holds other values; `[1]` is the next."""

MOST_VALUES = 50_000
"""Values that are stepped over in one place."""

_ENCODINGS = {UTF8: "utf-8", 0x1E: "utf-16-be", 0x1C: "utf-32-be"}


class Value(NamedTuple):
    """One value.

    Attributes:
        tag: its first byte.
        at: where it begins.
        start: where its content begins.
        end: where its content ends.
        after: where the next value begins.
    """

    tag: int
    at: int
    start: int
    end: int
    after: int


def read_value(data: bytes, at: int, end: int) -> Value:
    """The value that begins at a place.

    Raises:
        FormatError: none does, within the end.
    """
    if not 0 <= at <= end - 2 or end > len(data):
        raise FormatError("ASN.1: cut off")
    tag, length, start = data[at], data[at + 1], at + 2
    if tag & 0x1F == 0x1F:
        raise FormatError("ASN.1: a tag of several bytes")
    if length == 0x80:
        if not tag & 0x20:
            raise FormatError("ASN.1: an open length where none may be")
        stop = _closing(data, start, end)
        return Value(tag, at, start, stop, stop + 2)
    if length > 0x80:
        size = length & 0x7F
        if size > 8 or start + size > end:
            raise FormatError("ASN.1: a length is out of range")
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    if start + length > end:
        raise FormatError("ASN.1: a value is longer than what holds it")
    return Value(tag, at, start, start + length, start + length)


def _closing(data: bytes, at: int, end: int) -> int:
    """Where the two zero bytes stand that close a value of open length."""
    depth = 1
    for _ in range(MOST_VALUES):
        if at + 2 > end:
            break
        if data[at : at + 2] == b"\0\0":
            depth -= 1
            if not depth:
                return at
            at += 2
        elif data[at + 1] == 0x80:
            depth += 1
            at += 2
        else:
            at = read_value(data, at, end).after
    raise FormatError("ASN.1: a value of open length is not closed")


def inside(data: bytes, value: Value, most: int = MOST_VALUES) -> Iterator[Value]:
    """The values that a value holds.

    Raises:
        FormatError: one of them is broken, or there are more than `most`.
    """
    at = value.start
    for _ in range(most):
        if at >= value.end:
            return
        each = read_value(data, at, value.end)
        yield each
        at = each.after
    if at < value.end:
        raise FormatError(f"ASN.1: more than {most} values in one")


def first(data: bytes, value: Value) -> Value:
    """The first of the values that a value holds.

    Raises:
        FormatError: it holds none.
    """
    return read_value(data, value.start, value.end)


def whole(data: bytes, tag: int) -> Value:
    """The value that data begin with; what follows it does not matter.

    Raises:
        FormatError: it is of another tag, or broken.
    """
    value = read_value(data, 0, len(data))
    if value.tag != tag:
        raise FormatError(f"ASN.1: tag {value.tag:#x} where {tag:#x} must be")
    return value


def content(data: bytes, value: Value) -> bytes:
    """Bytes of a value, or of the pieces of a string in pieces, which are joined."""
    if value.tag != OCTETS_IN_PIECES:
        return data[value.start : value.end]
    return b"".join(data[each.start : each.end] for each in inside(data, value))


def encoded(data: bytes, value: Value) -> bytes:
    """A value with its tag and length."""
    return data[value.at : value.after]


def oid(data: bytes, value: Value) -> str:
    """An object identifier as `1.2.840…`.

    Raises:
        FormatError: it is none.
    """
    if value.tag != OID or not 0 < value.end - value.start <= 64:
        raise FormatError("ASN.1: no object identifier where one must be")
    numbers: list[int] = []
    number = 0
    for byte in data[value.start : value.end]:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    if not numbers:
        raise FormatError("ASN.1: an object identifier is cut off")
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def text(data: bytes, value: Value) -> str:
    """A string of any kind; what its encoding cannot mean is replaced."""
    return content(data, value).decode(_ENCODINGS.get(value.tag, "latin-1"), "replace")


def time(data: bytes, value: Value) -> datetime | None:
    """A time in UTC; None where it is written in a way that certificates may not use."""
    words = data[value.start : value.end].decode("latin-1").partition(".")[0].rstrip("Z")
    if value.tag == UTC_TIME and len(words) == 12:
        words = ("19" if words[:2] >= "50" else "20") + words
    if value.tag not in (UTC_TIME, GENERALIZED_TIME) or not (words.isdigit() and len(words) == 14):
        return None
    try:
        month, day, hour, minute, second = (int(words[at : at + 2]) for at in range(4, 14, 2))
        return datetime(int(words[:4]), month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None

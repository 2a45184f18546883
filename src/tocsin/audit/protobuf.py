"""Protocol Buffers' wire format: the fields of a message, without a schema.

As the encoding guide has it under "Message Structure".
"""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.audit.source import Unreadable

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message, in the order in which they stand.

    Args:
        data: of the message.

    Yields:
        Number of the field, and its value: an integer, or the bytes of a text or message.

    Raises:
        Unreadable: it is no message from some place on.
    """
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if not number:
            raise Unreadable("no protobuf message: a field without a number")
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
        elif wire in (_BYTES, _FIXED64, _FIXED32):
            if wire == _BYTES:
                length, at = _varint(data, at)
            else:
                length = 8 if wire == _FIXED64 else 4
            if length > end - at:
                raise Unreadable("the protobuf message ends in the middle; have it whole")
            yield number, data[at : at + length]
            at += length
        else:
            raise Unreadable(f"no protobuf message: a field of kind {wire}")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for index in range(_LONGEST_VARINT):
        if at >= len(data):
            raise Unreadable("the protobuf message ends in the middle; have it whole")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at
    raise Unreadable("no protobuf message: a number that does not end")

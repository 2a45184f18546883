"""One question for TXT records and its answer, as they stand in a DNS message.

Reads hostile bytes: whatever they are, a list of texts comes out or `SourceUnreachable`.

Source: RFC 1035, sections 3.3.14 (TXT) and 4.1 (messages), 4.1.4 (compression).
"""

from __future__ import annotations

import re
import struct

from tocsin.updates.sources.errors import SourceUnreachable

TXT, IN = 16, 1
TRUNCATED = 0x0200
LARGEST = 65535
_HEADER = struct.Struct("!6H")
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}\Z")
_MOST_RECORDS = 64
_MOST_LABELS = 127


class Truncated(SourceUnreachable):
    """The answer did not fit into a datagram; ask again over TCP."""


def write_question(name: str, number: int) -> bytes:
    """A message that asks for a name's TXT records.

    Args:
        name: dotted, ASCII.
        number: identifies the question, 0 to 65,535; unpredictable.

    Raises:
        SourceUnreachable: it is not a name that can be asked for.
    """
    labels = name.rstrip(".").split(".")
    if len(name) > 253 or not all(map(_LABEL.match, labels)):
        raise SourceUnreachable(f"{name!r} is not a name to ask a resolver for")
    wire = b"".join(bytes([len(label)]) + label.encode("ascii") for label in labels)
    recursion_desired = 0x0100
    head = _HEADER.pack(number, recursion_desired, 1, 0, 0, 0)
    return head + wire + b"\0" + struct.pack("!2H", TXT, IN)


def read_answer(data: bytes, question: bytes) -> list[str]:
    """The TXT records of an answer, each with its pieces joined.

    Args:
        data: the message.
        question: the message that it must answer.

    Raises:
        Truncated: it is cut off.
        SourceUnreachable: it answers something else, says that there is none, or is malformed.
    """
    try:
        return _read(data, question)
    except (struct.error, IndexError):
        raise SourceUnreachable("the resolver's answer ends too early") from None


def _read(data: bytes, question: bytes) -> list[str]:
    number, flags, questions, answers, _, _ = _HEADER.unpack_from(data)
    asked = question[_HEADER.size :]
    place = _HEADER.size + len(asked)
    echoed = data[_HEADER.size : place]
    if number != _HEADER.unpack_from(question)[0] or not flags & 0x8000:
        raise SourceUnreachable("the resolver's answer belongs to another question")
    if flags & 0x000F:
        raise SourceUnreachable(f"the resolver has no such name (code {flags & 0x000F})")
    if questions != 1 or echoed.lower() != asked.lower():
        raise SourceUnreachable("the resolver's answer belongs to another question")
    if flags & TRUNCATED:
        raise Truncated("the resolver's answer is cut off")
    texts = []
    for _ in range(min(answers, _MOST_RECORDS)):
        place = _skip_name(data, place)
        kind, group, _, length = struct.unpack_from("!2HIH", data, place)
        place += 10
        if place + length > len(data):
            raise SourceUnreachable("the resolver's answer ends too early")
        if (kind, group) == (TXT, IN):
            texts.append(_text(data[place : place + length]))
        place += length
    if not texts:
        raise SourceUnreachable("the resolver's answer holds no text")
    return texts


def _skip_name(data: bytes, place: int) -> int:
    """Where what follows a name begins; a pointer ends a name, so none is followed."""
    for _ in range(_MOST_LABELS + 1):
        length = data[place]
        if length >= 0xC0:
            return place + 2
        if length > 63:
            break
        place += length + 1
        if length == 0:
            return place
    raise SourceUnreachable("the resolver's answer holds no name where one must be")


def _text(data: bytes) -> str:
    pieces = []
    place = 0
    while place < len(data):
        length = data[place]
        if place + 1 + length > len(data):
            raise SourceUnreachable("the resolver's answer holds a text that does not end")
        pieces.append(data[place + 1 : place + 1 + length])
        place += 1 + length
    return b"".join(pieces).decode("latin-1")

"""What a worker that looks into files may say of them: components and gaps, bounded.

A worker parses hostile bytes, so what it says is hostile too: it is read by the types below or
refused, and the name of the file that it was given is not taken from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Annotated

import msgspec

from tocsin.audit.model import Component, Skipped, Trace
from tocsin.engine.messages import MOST_PIECE_BYTES
from tocsin.errors import ScanError
from tocsin.jurisdiction.vocabulary import MarkerKind

LONGEST_WORD = 2_000
"""Characters of a name, a value or a reason."""

LONGEST_PLACE = 16_000
"""Characters of a way down through archives."""

MOST_TRACES = 1_000

_TOGETHER = 200
"""Found things in one piece, at most."""

_ENOUGH = MOST_PIECE_BYTES // 4
"""Bytes after which a piece is sent off."""

_Word = Annotated[str, msgspec.Meta(max_length=LONGEST_WORD)]
_Place = Annotated[str, msgspec.Meta(max_length=LONGEST_PLACE)]


class WireTrace(msgspec.Struct, frozen=True, array_like=True):
    """A `Trace`."""

    kind: MarkerKind
    value: _Word
    where: _Word


class WireComponent(msgspec.Struct, frozen=True, array_like=True, tag="c"):
    """A `Component`; its place is what follows the file's own name."""

    place: _Place
    kind: Annotated[str, msgspec.Meta(max_length=64)]
    name: _Word
    version: _Word
    purl: _Word
    traces: Annotated[list[WireTrace], msgspec.Meta(max_length=MOST_TRACES)]
    embedded: bool | None
    made: date | None
    reference: _Word


class WireSkipped(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """A `Skipped`; the same."""

    place: _Place
    reason: _Word


_Found = WireComponent | WireSkipped
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Annotated[list[_Found], msgspec.Meta(max_length=_TOGETHER)])


def pack(found: Iterable[Component | Skipped], path: str) -> Iterator[bytes]:
    """Pieces to be said.

    Args:
        found: what was found in a file.
        path: the file; what every place begins with.
    """
    waiting: list[bytes] = []
    size = 0
    for each in found:
        packed = _encoder.encode(_wire(each, path))
        if waiting and (len(waiting) >= _TOGETHER or size + len(packed) > _ENOUGH):
            yield _joined(waiting)
            waiting, size = [], 0
        waiting.append(packed)
        size += len(packed)
    if waiting:
        yield _joined(waiting)


def _joined(items: list[bytes]) -> bytes:
    """A list of packed values (MessagePack specification, array 16)."""
    return b"\xdc" + len(items).to_bytes(2, "big") + b"".join(items)


def read(data: bytes, path: str) -> list[Component | Skipped]:
    """Read a piece.

    Args:
        data: what a worker said.
        path: the file that it was given.

    Raises:
        ScanError: it makes no sense, or is beyond a bound.
    """
    try:
        return [_value(each, path) for each in _decoder.decode(data)]
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ScanError(f"its worker's answer made no sense ({error})") from None


def _wire(each: Component | Skipped, path: str) -> _Found:
    place = _cut(each.place.removeprefix(path), LONGEST_PLACE)
    if isinstance(each, Skipped):
        return WireSkipped(place, _cut(each.reason))
    return WireComponent(
        place,
        _cut(each.kind, 64),
        _cut(each.name),
        _cut(each.version),
        _cut(each.purl),
        [
            WireTrace(trace.kind, _cut(trace.value), _cut(trace.where))
            for trace in each.traces[:MOST_TRACES]
        ],
        each.embedded,
        each.made,
        _cut(each.reference),
    )


def _cut(text: str, most: int = LONGEST_WORD) -> str:
    """Text that any encoding can hold, with its middle left out where it is too long."""
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= most:
        return text
    return text[: most // 2 - 1] + "…" + text[-(most // 2) :]


def _value(each: _Found, path: str) -> Component | Skipped:
    if isinstance(each, WireSkipped):
        return Skipped(path + each.place, each.reason)
    return Component(
        path + each.place,
        each.kind,
        each.name,
        each.version,
        each.purl,
        tuple(Trace(trace.kind, trace.value, trace.where) for trace in each.traces),
        each.embedded,
        each.made,
        each.reference,
    )

"""An event as the bytes that are kept, and the chain of digests that ties them together.

The bytes are canonical JSON in ASCII: the same event always gives the same ones, and a path
with undecodable bytes (`surrogateescape`) comes back as it was. An event's digest is taken
over the digest before it and its own bytes, its number among them; whoever changes, removes
or inserts one would have to make all later digests anew, and those that were forwarded
elsewhere would tell.
"""

from __future__ import annotations

import hashlib
import json
import math
import reprlib
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from tocsin.errors import JournalError
from tocsin.protect.journal.event import Event

MOST_BYTES = 1 << 16
"""Most bytes of one event; of a larger one the long parts are cut."""

START = hashlib.sha256(b"tocsin journal 1").digest()
"""What stands for the digest before the first event."""

_MOST_TEXT = 2048
_MOST_ITEMS = 50
_DEEPEST = 8
_DEFAULTS = {
    field.name: field.default for field in msgspec.structs.fields(Event) if field.name != "details"
}


class Row(NamedTuple):
    """An event as a row of the journal.

    Attributes:
        number: its place.
        time: seconds since 1970.
        kind: its family.
        severity: its rank.
        path: bytes of the path.
        action: bytes of the action.
        signatures: bytes of their names, one a line.
        content: canonical bytes of the event.
        digest: of those and all before.
    """

    number: int
    time: float
    kind: str
    severity: int
    path: bytes
    action: bytes
    signatures: bytes
    content: bytes
    digest: bytes


def pack(event: Event, number: int, previous: bytes) -> Row:
    """An event as the row with a number that follows the row with a digest."""
    content = canonical(event, number)
    return row_of(unpack(content, number), content, chained(previous, content))


def row_of(event: Event, content: bytes, digest: bytes) -> Row:
    """The row of an event whose bytes and digest are known."""
    return Row(
        event.number,
        event.time,
        event.kind.value,
        event.severity.rank,
        to_bytes(event.path),
        to_bytes(event.action),
        to_bytes("\n".join(event.signatures)),
        content,
        digest,
    )


def chained(previous: bytes, content: bytes) -> bytes:
    """The digest that follows another."""
    return hashlib.sha256(previous + content).digest()


def canonical(event: Event, number: int) -> bytes:
    """The bytes of an event, cut where it says more than can be kept."""
    values = _stated(event, number)
    content = _dump(values)
    if len(content) > MOST_BYTES:
        content = _dump(_cut(values, _MOST_TEXT))
    if len(content) > MOST_BYTES:  # many long names
        content = _dump(_cut({**values, "details": {"cut": True}}, _MOST_TEXT // 8))
    return content


def unpack(content: bytes, number: int) -> Event:
    """The event that bytes are.

    Raises:
        JournalError: they are none.
    """
    try:
        return msgspec.convert(json.loads(content), Event)
    except (ValueError, msgspec.ValidationError, RecursionError) as error:
        raise JournalError(f"event {number} of the journal is damaged: {error}") from None


def to_bytes(text: str) -> bytes:
    """Text that may hold undecodable bytes, as bytes."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _stated(event: Event, number: int) -> dict[str, Any]:
    """The fields of an event that are not their defaults, as plain values."""
    values = {
        name: _plain(getattr(event, name))
        for name, default in _DEFAULTS.items()
        if getattr(event, name) != default
    }
    values["number"] = number
    if not isinstance(values.get("time"), int | float):  # not a number: said, and kept sortable
        values["time"] = 0.0
    if event.details:
        values["details"] = _plain(event.details)
    return values


def _plain(value: Any, depth: int = 0) -> Any:
    """A value as JSON has it; nothing that was meant to be kept is refused for its type."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value) if -(1 << 63) <= value < 1 << 63 else hex(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "surrogateescape")
    if depth < _DEEPEST and isinstance(value, Mapping):
        return {_plain_key(key): _plain(held, depth + 1) for key, held in value.items()}
    if depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [_plain(held, depth + 1) for held in value]
    try:
        return reprlib.repr(value) if isinstance(value, Collection) else str(value)
    except Exception:  # whatever somebody's type does, the event is kept
        return f"<{type(value).__name__}>"


def _plain_key(key: Any) -> str:
    return key if isinstance(key, str) else str(_plain(key))


def _cut(value: Any, longest: int) -> Any:
    if isinstance(value, str) and len(value) > longest:
        return value[:longest] + "…"
    if isinstance(value, dict):
        return {_cut(k, 128): _cut(v, longest) for k, v in list(value.items())[:_MOST_ITEMS]}
    if isinstance(value, list):
        return [_cut(held, longest) for held in value[:_MOST_ITEMS]]
    return value


def _dump(values: dict[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

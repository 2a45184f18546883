"""Events and values as they go between processes: names need not be UTF-8, messages must be.

A path that is none travels as escapes for people and as bytes for whoever journals it.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from tocsin.protect.journal.event import Event

_BYTES = "path_bytes"
_NAMES = ("path", "message", "program", "object")


def sendable_event(event: Event) -> Event:
    """An event that can be sent: a name need not be UTF-8, what is sent must be."""
    try:
        event.path.encode()
        event.message.encode()
        event.program.encode()
        event.object.encode()
    except UnicodeEncodeError:
        changed = {name: sendable(getattr(event, name)) for name in _NAMES}
        details = {**event.details, _BYTES: os.fsencode(event.path).hex()}
        return msgspec.structs.replace(event, details=details, **changed)
    return event


def sendable(value: Any) -> Any:
    """Plain values, with what is no UTF-8 in them written as escapes."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return os.fsencode(value).decode("utf-8", "backslashreplace")
        return value
    if isinstance(value, dict):
        return {sendable(key): sendable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [sendable(each) for each in value]
    return value


def received_event(event: Event) -> Event:
    """The event that `sendable_event` made sendable, with its path as it was."""
    stated = event.details.get(_BYTES)
    if not isinstance(stated, str):
        return event
    try:
        path = os.fsdecode(bytes.fromhex(stated))
    except ValueError:
        return event
    details = {key: value for key, value in event.details.items() if key != _BYTES}
    return msgspec.structs.replace(event, path=path, details=details)

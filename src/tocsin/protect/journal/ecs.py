"""An event in the Elastic Common Schema, which many collectors of security events read."""

from __future__ import annotations

import base64
import os
import pwd
import socket
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from tocsin.protect.journal.content import to_bytes
from tocsin.protect.journal.event import Event, Kind, Severity
from tocsin.protect.journal.forward_text import valid
from tocsin.protect.journal.forward_webhook import valid_values
from tocsin.protect.journal.store import Entry
from tocsin.version import VERSION

ECS_VERSION = "8.11.0"

SEVERITIES = {Severity.INFO: 21, Severity.NOTICE: 47, Severity.WARNING: 73, Severity.ALARM: 99}
"""The numbers that Elastic's own detections use for low to critical."""

LEVELS = {
    Severity.INFO: "info",
    Severity.NOTICE: "notice",
    Severity.WARNING: "warning",
    Severity.ALARM: "alert",
}


class Classes(NamedTuple):
    """How the schema classes a family of events.

    Attributes:
        kind: `alert`, `event` or `state`.
        category: what it concerns.
        type: what happened to it.
    """

    kind: str
    category: tuple[str, ...]
    type: tuple[str, ...]


CLASSES = {
    Kind.DETECTION: Classes("alert", ("malware", "file"), ("info",)),
    Kind.ACTION: Classes("event", ("malware", "file"), ("change",)),
    Kind.SCAN: Classes("event", ("malware",), ("info",)),
    Kind.GUARD: Classes("event", ("host",), ("info",)),
    Kind.UPDATE: Classes("event", ("package",), ("change",)),
    Kind.FAILURE: Classes("event", ("host",), ("info",)),
    Kind.SETTING: Classes("event", ("configuration",), ("change",)),
    Kind.DAEMON: Classes("event", ("process",), ("info",)),
    Kind.TASK: Classes("event", ("process",), ("info",)),
}

_DELETING = ("deleted", "quarantined")


def ecs_document(entry: Entry, journal: str) -> dict[str, Any]:
    """An event as one document."""
    event = entry.event
    document: dict[str, Any] = {
        "@timestamp": _stamp(event.time),
        "ecs": {"version": ECS_VERSION},
        "message": valid(event.message),
        "log": {"level": LEVELS[event.severity]},
        "event": _event(entry, journal),
        "host": {"hostname": socket.gethostname(), "name": socket.gethostname().lower()},
        "agent": {"type": "tocsin", "version": VERSION},
        "observer": {"vendor": "tocsin", "product": "tocsin", "type": "edr", "version": VERSION},
    }
    if event.path:
        document["file"] = _file(event)
    elif event.sha256:
        document["file"] = {"hash": {"sha256": event.sha256}}
    if event.signatures:
        document["rule"] = {"name": [valid(name) for name in event.signatures]}
        document["rule"]["ruleset"] = "tocsin"
        if event.database:
            document["rule"]["version"] = valid(event.database)
        document["threat"] = {"indicator": _indicator(event)}
    if event.pid or event.program:
        document["process"] = _process(event)
    if event.uid >= 0:
        document["user"] = {"id": str(event.uid), **_named(event.uid)}
    own = {
        "origin": valid(event.origin),
        "object": valid(event.object),
        "verdict": event.verdict,
        "database": valid(event.database),
        "record": event.record,
        "details": valid_values(msgspec.to_builtins(event.details)),
    }
    if valid(event.path) != event.path:  # which bytes they were
        own["path_base64"] = base64.b64encode(to_bytes(event.path)).decode()
    document["tocsin"] = {name: value for name, value in own.items() if value not in ("", {})}
    return document


def _event(entry: Entry, journal: str) -> dict[str, Any]:
    event = entry.event
    classes = CLASSES[event.kind]
    types = list(classes.type)
    if event.kind is Kind.ACTION and event.action in _DELETING:
        types = ["deletion"]
    categories = classes.category
    if event.action == "denied":
        types = ["denied"]
        categories = (*categories, "intrusion_detection")
    return {
        "id": f"{journal}:{event.number}",
        "sequence": event.number,
        "kind": classes.kind if event.action != "denied" else "alert",
        "category": list(categories),
        "type": types,
        "action": event.action or event.kind.value,
        "severity": SEVERITIES[event.severity],
        "outcome": "failure" if event.kind is Kind.FAILURE else "success",
        "module": "tocsin",
        "dataset": "tocsin.events",
        "provider": valid(event.origin),
        "created": _stamp(event.time),
        "hash": entry.digest,
    }  # fmt: skip


def _file(event: Event) -> dict[str, Any]:
    path = valid(event.path)
    name = os.path.basename(path)
    held: dict[str, Any] = {"path": path, "name": name, "directory": os.path.dirname(path)}
    stem, dot, extension = name.rpartition(".")
    if dot and stem:
        held["extension"] = extension
    if event.size:
        held["size"] = event.size
    if event.sha256:
        held["hash"] = {"sha256": event.sha256}
    return held


def _indicator(event: Event) -> dict[str, Any]:
    indicator: dict[str, Any] = {"type": "file", "description": valid(event.signatures[0])}
    if event.sha256:
        indicator["file"] = {"hash": {"sha256": event.sha256}}
    return indicator


def _process(event: Event) -> dict[str, Any]:
    held: dict[str, Any] = {"pid": event.pid} if event.pid else {}
    if event.program:
        held["executable"] = valid(event.program)
        held["name"] = os.path.basename(held["executable"])
    return held


@lru_cache(maxsize=256)
def _named(uid: int) -> dict[str, str]:
    try:
        return {"name": pwd.getpwuid(uid).pw_name}
    except (KeyError, OverflowError):
        return {}


def _stamp(moment: float) -> str:
    at = datetime.fromtimestamp(max(0.0, min(moment, 253402300799.0)), UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

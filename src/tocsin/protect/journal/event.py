"""One thing that happened: the value that is journalled, shown and forwarded."""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec


class Kind(StrEnum):
    """What family an event is of."""

    DETECTION = "detection"
    ACTION = "action"
    SCAN = "scan"
    GUARD = "guard"
    UPDATE = "update"
    FAILURE = "failure"
    SETTING = "setting"
    DAEMON = "daemon"
    TASK = "task"


class Severity(StrEnum):
    """How much it matters; `rank` orders them."""

    INFO = "info"
    NOTICE = "notice"
    WARNING = "warning"
    ALARM = "alarm"

    @property
    def rank(self) -> int:
        """0 for info to 3 for an alarm."""
        return list(Severity).index(self)


class Event(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Something that happened.

    Attributes:
        kind: its family.
        severity: how much it matters.
        message: one line for people.
        origin: who says so: `daemon`, `guard`, `quarantine`, `cli`, `task:NAME`, …
        time: seconds since 1970, UTC.
        number: its place in the journal, from 1; 0 before it is written.
        path: the file concerned, undecodable bytes by `surrogateescape`.
        object: the way through the containers to what matched.
        signatures: names of what was found.
        verdict: of the scan.
        action: what was done: `denied`, `quarantined`, `restored`, `deleted`, `terminated`, …
        sha256: digest of the file.
        size: its bytes.
        database: identity of the database that was used.
        uid: of the user concerned, -1 when unknown.
        pid: of the process concerned, 0 when unknown.
        program: path of its executable.
        record: number of the quarantine record concerned.
        details: anything else, as plain values.
    """

    kind: Kind
    severity: Severity
    message: str
    origin: str
    time: float = msgspec.field(default_factory=time.time)
    number: int = 0
    path: str = ""
    object: str = ""
    signatures: tuple[str, ...] = ()
    verdict: str = ""
    action: str = ""
    sha256: str = ""
    size: int = 0
    database: str = ""
    uid: int = -1
    pid: int = 0
    program: str = ""
    record: str = ""
    details: dict[str, Any] = {}


def found_in(names: Sequence[str], path: str) -> str:
    """What was found where, as every event says it: `SIGNATURE in PATH`.

    Args:
        names: of all signatures, the one that counts first.
        path: where.
    """
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more} in {path}"

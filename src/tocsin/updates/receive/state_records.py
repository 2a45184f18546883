"""What a state holds: which database is in use, how it came, what was agreed to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

_Version = Annotated[int, msgspec.Meta(ge=1)]


class Installed(msgspec.Struct, frozen=True):
    """Which database is in use.

    Attributes:
        current: its version; 0 for none.
        previous: up to two that were in use before, the latest first.
        pinned: the version that is to stay; 0 for none.
        highest: the highest version that was ever in use.
        left: versions that the user went back from, and that only the user takes again.
    """

    current: Annotated[int, msgspec.Meta(ge=0)] = 0
    previous: tuple[_Version, ...] = ()
    pinned: Annotated[int, msgspec.Meta(ge=0)] = 0
    highest: Annotated[int, msgspec.Meta(ge=0)] = 0
    left: tuple[_Version, ...] = ()


class Received(msgspec.Struct, frozen=True):
    """How a version came.

    Attributes:
        version: of the database.
        sha256: of the plain database.
        length: in bytes.
        created: when the publisher built it, as the log entry says.
        received: when it came.
        source: mirror that the last part of it came from.
        way: `full` or `delta`.
        keyids: of the publisher's targets role when it came, with the threshold; see `verify`.
        root_version: of the root in force then.
    """

    version: _Version
    sha256: str
    length: int
    created: datetime
    received: datetime
    source: str
    way: str
    root_version: int
    keyids: tuple[str, ...] = ()


class Refused(msgspec.Struct, frozen=True):
    """Databases that did not pass their test on this device: SHA-256 and why."""

    databases: dict[str, str] = {}


class Agreed(msgspec.Struct, frozen=True):
    """A root that the user agreed to."""

    version: _Version
    sha256: str
    at: datetime


class Consent(msgspec.Struct, frozen=True):
    """Every root that the user agreed to."""

    roots: tuple[Agreed, ...] = ()


class LastRun(msgspec.Struct, frozen=True):
    """What the last run did.

    Attributes:
        at: when it ended.
        outcome: `updated`, `unchanged`, `waiting` or `failed`; `agreed` when the user has agreed
            since to what waited.
        text: what happened.
        confirmed: when the metadata was last found fresh; None for never.
        software: later version of the software that it had for this device then; empty for none.
    """

    at: datetime
    outcome: str
    text: str
    confirmed: datetime | None = None
    software: str = ""

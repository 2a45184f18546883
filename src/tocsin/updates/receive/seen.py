"""What a device remembers of its looks besides the metadata: into logs, and at other mirrors."""

from __future__ import annotations

from datetime import datetime

import msgspec


class LoggedWithdrawal(msgspec.Struct, frozen=True):
    """A withdrawal that the log has.

    Attributes:
        version: of the database.
        sha256: of the plain database.
        reason: why.
        since: from when on.
        index: its place in the log.
    """

    version: int
    sha256: str
    reason: str
    since: datetime
    index: int


class Place(msgspec.Struct, frozen=True):
    """How far a log was read: entries, and the byte in its last bundle where the next begins."""

    size: int = 0
    offset: int = 0


class Seen(msgspec.Struct, frozen=True):
    """What was looked at besides the metadata.

    Attributes:
        timestamp: version of the TUF timestamp at the last look into the log.
        looked: when that was; None for never.
        confirmed: when news came, or another mirror was last asked whether there are any.
        read: how far each log was read, by its origin.
        withdrawn: what logs say was pulled back; the last ones.
        in_use: why the version in use is pulled back, where there is no other; empty if it is not.
        roots: where in logs the entries of roots are: index by origin, by the root's SHA-256.
    """

    timestamp: int = 0
    looked: datetime | None = None
    confirmed: datetime | None = None
    read: dict[str, Place] = {}
    withdrawn: tuple[LoggedWithdrawal, ...] = ()
    in_use: str = ""
    roots: dict[str, dict[str, int]] = {}

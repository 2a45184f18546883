"""What passes between the supervisor and the processes that it forked."""

from __future__ import annotations

from typing import Any

import msgspec

from tocsin.protect.journal.event import Event


class DatabaseFacts(msgspec.Struct, frozen=True):
    """What is known of the database in use.

    Attributes:
        generation: counts up with each change.
        identity: the index's identity.
        signatures: number of signatures.
        newest: time of the newest source, seconds since 1970.
        since: when it was taken into use.
        trouble: why it is not the one that the settings name; empty when it is.
    """

    generation: int = 0
    identity: str = ""
    signatures: int = 0
    newest: float = 0.0
    since: float = 0.0
    trouble: str = ""

    @property
    def label(self) -> str:
        """In a few characters, as `VERSION` says it."""
        import time

        if not self.generation:
            return ""
        if not self.newest:
            return self.identity[:12] + "/unknown"
        day = time.strftime("%Y-%m-%d", time.gmtime(self.newest))
        return f"{self.identity[:12]}/{day}"


class HostNote(msgspec.Struct, frozen=True, tag="host"):
    """A new host: the two sockets of a port to it come along."""

    facts: DatabaseFacts


class HoldNote(msgspec.Struct, frozen=True, tag="hold"):
    """Ask nothing more of the host there is; another comes."""


class KeeperNote(msgspec.Struct, frozen=True, tag="keeper"):
    """A new keeper: the socket to it comes along."""


class StateNote(msgspec.Struct, frozen=True, tag="state"):
    """What the supervisor knows of the daemon, as plain values."""

    state: dict[str, Any]


class JournalNote(msgspec.Struct, frozen=True, tag="journal"):
    """Something happened that is to be journalled."""

    event: Event


class DatabaseNote(msgspec.Struct, frozen=True, tag="database"):
    """Another database is in use."""

    facts: DatabaseFacts


class TakeNote(msgspec.Struct, frozen=True, tag="take"):
    """Something was found and is to be taken into quarantine; its descriptor comes along.

    Attributes:
        path: where.
        report: as `Report.to_dict` gives it.
        origin: who found it.
    """

    path: bytes
    report: dict[str, Any]
    origin: str


class StopNote(msgspec.Struct, frozen=True, tag="stop"):
    """End in good order."""


ToChild = (
    HostNote | HoldNote | KeeperNote | StateNote | JournalNote | DatabaseNote | TakeNote | StopNote
)


class ReadyWish(msgspec.Struct, frozen=True, tag="ready"):
    """This process serves from now on."""


class ReloadWish(msgspec.Struct, frozen=True, tag="reload"):
    """Somebody wants the database looked at again."""

    who: str


class ShutdownWish(msgspec.Struct, frozen=True, tag="shutdown"):
    """Somebody who may wants the daemon to end."""

    who: str


class HappenedWish(msgspec.Struct, frozen=True, tag="happened"):
    """Something happened that is to be journalled, by the front if there is one."""

    event: Event


class ChildStateWish(msgspec.Struct, frozen=True, tag="child-state"):
    """What a process says of itself, as plain values."""

    state: dict[str, Any]


class TakeWish(msgspec.Struct, frozen=True, tag="take"):
    """The guard found something that the keeper is to take away; its descriptor comes along.

    Attributes:
        path: where.
        report: as `Report.to_dict` gives it.
        origin: who found it.
    """

    path: bytes
    report: dict[str, Any]
    origin: str


FromChild = ReadyWish | ReloadWish | ShutdownWish | HappenedWish | ChildStateWish | TakeWish

to_child: msgspec.msgpack.Decoder[ToChild] = msgspec.msgpack.Decoder(ToChild)
from_child: msgspec.msgpack.Decoder[FromChild] = msgspec.msgpack.Decoder(FromChild)

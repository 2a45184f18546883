"""What the user wants of an update, and what it came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tocsin.updates.layout import DatabaseTarget, Offered
from tocsin.updates.receive.choose import Choice
from tocsin.updates.receive.roots import Waiting
from tocsin.updates.receive.verify import Vouching


@dataclass(frozen=True)
class Wishes:
    """What the user wants of an update.

    Attributes:
        channel: `stable` or `fast`.
        max_checkpoint_age: seconds that the witnesses' word on the log's newest checkpoint may
            be old; 0 for any.
        at: time that everything is judged by; None for now.
        is_due: whether a version is for this device by then, by channel and ring.
        again: try versions again that did not pass their test here.
        rebuilders: of the user's, how many must have rebuilt a version and got the same bytes.
        due_at: when a version is for this device, by channel and ring; None for never.
        running: version of the software, so that a later one is said; empty: that is not asked.
    """

    is_due: Callable[[DatabaseTarget, str, bytes, datetime], bool]
    channel: str = "stable"
    max_checkpoint_age: int = 0
    at: datetime | None = None
    again: bool = False
    rebuilders: int = 0
    due_at: Callable[[Offered, str, bytes], datetime | None] = lambda *_: None
    running: str = ""

    def moment(self) -> datetime:
        """The time that counts."""
        return (self.at or datetime.now(UTC)).astimezone(UTC)


@dataclass
class Step:
    """One part of an update: how long it took, and what it asked for."""

    name: str
    milliseconds: float
    bytes: int
    requests: int


@dataclass
class Outcome:
    """What an update came to.

    Attributes:
        choice: what was decided.
        before: version that was in use.
        now: version that is.
        way: `delta`, `full`, `kept`, or empty when nothing changed.
        source: mirror that the database came from.
        vouching: who vouches for a new version.
        steps: parts, in order.
        failures: mirrors that were left aside, and why.
        remarks: what was wrong on the way although the update was made: a delta that was not the
            one that was signed.
        waiting: roots that wait for consent.
        software: later version of the software that is there for this device; empty for none.
    """

    choice: Choice
    before: int
    now: int
    way: str = ""
    source: str = ""
    vouching: Vouching | None = None
    steps: list[Step] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    software: str = ""

    @property
    def changed(self) -> bool:
        """Whether another version is in use now."""
        return self.before != self.now

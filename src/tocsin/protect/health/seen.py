"""What is known of this device when it is judged, and what a judgement is."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from tocsin.settings import Settings

STARTING_SECONDS = 60.0
"""How long what is not there yet may be on its way."""

DAY = 86400.0


class Level(StrEnum):
    """How good or bad something is; `rank` orders them."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ALARM = "alarm"

    @property
    def rank(self) -> int:
        """0 for what is well to 3 for an alarm."""
        return list(Level).index(self)


class Judgement(NamedTuple):
    """One thing that is so.

    Attributes:
        level: how good or bad that is.
        topic: what it is about: `daemon`, `database`, `guard`, `tasks`, …
        text: what is so.
        advice: what to do about it; empty when there is nothing to do.
    """

    level: Level
    topic: str
    text: str
    advice: str = ""


class Happened(NamedTuple):
    """What the journal holds of late.

    Attributes:
        day: detections within 24 hours.
        week: detections within 7 days.
        more: whether there may be more than could be counted.
        last: the newest detections, the newest first, as plain values.
        unresolved: paths at which something was found by the guard or a task within 24 hours
            and that were neither refused nor taken away.
        failures: alarms about this program itself within 24 hours, the newest first.
        number: of the newest event; 0 when it is not known.
    """

    day: int = 0
    week: int = 0
    more: bool = False
    last: tuple[dict[str, Any], ...] = ()
    unresolved: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    number: int = 0


class Stored(NamedTuple):
    """What is in quarantine.

    Attributes:
        objects: how many.
        size: bytes that they have in it.
        restorable: how many are no longer detected and may be put back, as far as is known.
    """

    objects: int
    size: int
    restorable: int = 0


class Task(NamedTuple):
    """How it stands with one task.

    Attributes:
        name: of the task.
        state: `waiting`, `running`, `paused`, …
        last: when it last ended, seconds since 1970; 0: never.
        next: when it is due; 0: only when it is asked for.
        found: files in which it found something the last time; None when that is not known.
        outcome: how it ended the last time, in a word or a sentence.
        trouble: why it did not do what it should; empty when it did.
        waits_for: why it is paused.
        files: at which it has looked in this run, or did in the last.
    """

    name: str
    state: str = "waiting"
    last: float = 0.0
    next: float = 0.0
    found: int | None = None
    outcome: str = ""
    trouble: str = ""
    waits_for: str = ""
    files: int = 0


class Updates(NamedTuple):
    """How it stands with updates that come from a publisher; moments are seconds since 1970.

    Attributes:
        trusted: whether somebody said whose updates are believed.
        every: seconds between two that the daemon makes by itself; 0: none.
        next: when it makes the next; 0: not planned.
        failures: of those in a row.
        version: in use; 0: none.
        pinned: version that is to stay; 0: none.
        created: when the publisher made that in use.
        checked: when this device last asked, and `outcome` and `text` what came of it.
        confirmed: when what is in use was last found to be the newest; 0: never.
        outcome: `updated`, `unchanged`, `waiting` or `failed`; empty: never asked.
        text: what happened, in words.
        waiting: version of a root that waits for the user's consent; 0: none.
        split: whether a log signed two histories.
        former: whether what protects is of a publisher before, until there is one of this.
        signatures: keys of the publisher's that signed what is in use.
        witnesses: that saw what is in use, of those whom the user trusts.
        quorum_met: whether they are enough; None when this user cannot tell.
        log: in which it stands.
        software: later version of the program that the last one saw; empty for none.
        software_failed: why that did not pass its test here; empty if it was not tried.
        trouble: why this cannot be told.
    """

    trusted: bool = False
    every: float = 0.0
    next: float = 0.0
    failures: int = 0
    version: int = 0
    pinned: int = 0
    created: float = 0.0
    checked: float = 0.0
    confirmed: float = 0.0
    outcome: str = ""
    text: str = ""
    waiting: int = 0
    split: bool = False
    former: bool = False
    signatures: int = 0
    witnesses: tuple[str, ...] = ()
    quorum_met: bool | None = None
    log: str = ""
    software: str = ""
    software_failed: str = ""
    trouble: str = ""


class Source(NamedTuple):
    """How it stands with a source that others publish; moments are seconds since 1970.

    Attributes:
        name: of it.
        signatures: of it that are in use.
        confirmed: when it last said that these are its newest; 0: nothing of it ever came.
        tried: when it was last asked; 0: never.
        trouble: what went wrong then; empty when nothing did.
        whole: whether every file that should be in use is there.
    """

    name: str
    signatures: int = 0
    confirmed: float = 0.0
    tried: float = 0.0
    trouble: str = ""
    whole: bool = True


class Seen(NamedTuple):
    """All that is known.

    Attributes:
        now: seconds since 1970.
        version: of this command.
        settings: as the file has them now.
        same_settings: whether that file seems to be the one that the daemon began with.
        daemon: what the daemon says of itself; None when it does not answer.
        unreachable: why it does not, and what to do.
        newest: time of the newest source of signatures, where no daemon says; 0: there is none.
        sources_trouble: why the sources cannot be read.
        tasks: how it stands with each.
        happened: of late; None when this user may not know.
        journal_trouble: why the journal cannot be read.
        stored: in quarantine; None when this user may not know.
        updates: how it stands with those.
        sources: that others publish, how it stands with each.
        sources_closed: why that cannot be told.
    """

    now: float
    version: str
    settings: Settings
    same_settings: bool = True
    daemon: dict[str, Any] | None = None
    unreachable: str = ""
    newest: float = 0.0
    sources_trouble: str = ""
    tasks: tuple[Task, ...] = ()
    happened: Happened | None = None
    journal_trouble: str = ""
    stored: Stored | None = None
    updates: Updates = Updates()
    sources: tuple[Source, ...] = ()
    sources_closed: str = ""


def age_words(seconds: float) -> str:
    """An age for people: `5 minutes`, `3 hours`, `12 days`."""
    for size, unit in ((DAY, "day"), (3600.0, "hour"), (60.0, "minute")):
        if seconds >= size:
            number = int(seconds // size)
            return f"{number:,} {unit}{'s' if number != 1 else ''}"
    return "less than a minute"


def database_time(seen: Seen) -> float:
    """Time of the newest source in use; 0 when it is not known."""
    if seen.daemon is None:
        return seen.newest
    return float(seen.daemon.get("database", {}).get("newest") or 0.0)


def forwarders(seen: Seen) -> list[tuple[str, int, str]]:
    """Name, events that it lacks, and trouble of each target that events are forwarded to."""
    found = []
    for name, state in (seen.daemon or {}).get("journal", {}).get("forward", {}).items():
        if isinstance(state, dict):
            behind = max(0, int(state.get("lag") or 0))
            trouble = str(state.get("last_error") or "") if state.get("failures") else ""
            found.append((str(name), behind, trouble))
    return found


def is_young(seen: Seen) -> bool:
    """Whether the daemon has only just begun."""
    started = float((seen.daemon or {}).get("started") or seen.now)
    return 0 <= seen.now - started < STARTING_SECONDS

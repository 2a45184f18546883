"""What protects this device now: asked of the daemon, and of the disk where it does not answer."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tocsin.app.api_client import ApiClient
from tocsin.app.as_owner import by_owner
from tocsin.app.daemon_status import daemon_status
from tocsin.app.settings import journal_file, quarantine_folder, state_folder
from tocsin.app.update_health import sources_seen, updates_seen
from tocsin.errors import (
    DaemonRefused,
    DaemonUnreachable,
    JournalError,
    TocsinError,
)
from tocsin.protect.health.judge import exit_status, headline, worst
from tocsin.protect.health.recent import failures, unresolved
from tocsin.protect.health.seen import DAY, Happened, Judgement, Seen, Stored, Task
from tocsin.settings import Settings
from tocsin.version import VERSION

_LAST_FINDINGS = 50
_MOST_EVENTS = 1000
_MOST_RECORDS = 5000
"""Of a larger quarantine the records are not looked at: a status is there at once."""

_PATIENCE = 5.0


def look(settings: Settings, *, now: float | None = None) -> Seen:
    """See what there is to be seen by this user.

    Args:
        settings: that say where it is.
        now: seconds since 1970; None for now.
    """
    now = time.time() if now is None else now
    client = ApiClient.of(settings, timeout=_PATIENCE)
    daemon: dict[str, Any] | None = None
    unreachable = ""
    try:
        daemon = daemon_status(client)
    except (DaemonUnreachable, DaemonRefused) as error:
        unreachable = str(error)
    admin = client if daemon is not None and daemon.get("paths") else None
    path = journal_file(settings)
    its = str((daemon or {}).get("journal", {}).get("file", "")) or str(path)
    happened, journal_trouble = _happened(Path(its), admin, now, running=daemon is not None)
    newest, sources_trouble = (0.0, "") if daemon is not None else _sources(settings)
    sources, sources_closed = sources_seen(settings)
    return Seen(
        now=now,
        version=VERSION,
        settings=settings,
        same_settings=its == str(path),
        daemon=daemon,
        unreachable=unreachable,
        newest=newest,
        sources_trouble=sources_trouble,
        tasks=_tasks(settings, now),
        happened=happened,
        journal_trouble=journal_trouble,
        stored=_stored(settings, admin, running=daemon is not None),
        updates=updates_seen(settings),
        sources=sources,
        sources_closed=sources_closed,
    )


def status_values(seen: Seen, judgements: list[Judgement]) -> dict[str, Any]:
    """All of it as plain values, for programs."""
    return {
        "state": worst(judgements).value,
        "exit_status": exit_status(judgements),
        "headline": headline(seen, judgements),
        "time": seen.now,
        "judgements": [
            {**judgement._asdict(), "level": judgement.level.value} for judgement in judgements
        ],
        "daemon": seen.daemon,
        "unreachable": seen.unreachable,
        "sources": None
        if seen.daemon is not None
        else {"newest": seen.newest, "trouble": seen.sources_trouble},
        "updates": seen.updates._asdict(),
        "update_sources": [source._asdict() for source in seen.sources],
        "tasks": [task._asdict() for task in seen.tasks],
        "findings": None if seen.happened is None else seen.happened._asdict(),
        "quarantine": None if seen.stored is None else seen.stored._asdict(),
    }


# --- the journal --------------------------------------------------------------------------


def _happened(
    path: Path, admin: ApiClient | None, now: float, *, running: bool
) -> tuple[Happened | None, str]:
    """What happened of late, or None for whom it does not concern; and why it is not known."""
    readable = False
    try:
        os.stat(path)
        readable = os.access(path, os.R_OK, effective_ids=True)
    except FileNotFoundError:
        if not running:
            return Happened(), ""
    except OSError:
        pass
    try:
        if readable:
            return _from_journal(path, now), ""
        return (None, "") if admin is None else (_from_daemon(admin, now), "")
    except (JournalError, DaemonRefused, DaemonUnreachable) as error:
        return None, str(error)


def _from_journal(path: Path, now: float) -> Happened:
    from tocsin.app.events import event_values
    from tocsin.protect.journal.event import Kind
    from tocsin.protect.journal.store import Filter, Journal

    detections = Filter(kinds=(Kind.DETECTION,))
    concerned = Filter(
        kinds=(Kind.DETECTION, Kind.ACTION, Kind.FAILURE),
        since=now - DAY,
        limit=_MOST_EVENTS,
        newest=True,
    )

    def read() -> dict[str, Any]:
        journal = Journal(path, read_only=True)
        try:
            last = detections._replace(limit=_LAST_FINDINGS, newest=True)
            return {
                "day": journal.count(detections._replace(since=now - DAY)),
                "week": journal.count(detections._replace(since=now - 7 * DAY)),
                "last": [event_values(event) for event in journal.read(last)],
                "recent": [event_values(event) for event in journal.read(concerned)],
                "number": journal.last_number(),
            }
        finally:
            journal.close()

    return _told(**by_owner(path.parent, read), more=False)


def _from_daemon(admin: ApiClient, now: float) -> Happened:
    """The same through the daemon, for members of its group, who cannot read the file."""

    def events(kinds: str, **narrower: object) -> list[dict[str, Any]]:
        answer = admin.get("/v1/events", kinds=kinds, newest=1, limit=_MOST_EVENTS, **narrower)
        found: list[dict[str, Any]] = answer["events"]
        return [{key: event[key] for key in event if key != "digest"} for event in found]

    week = events("detection", since=now - 7 * DAY)
    last = week or events("detection")
    return _told(
        sum(event["time"] >= now - DAY for event in week),
        len(week),
        more=len(week) >= _MOST_EVENTS,
        last=last[-_LAST_FINDINGS:],
        recent=events("detection,action,failure", since=now - DAY),
        number=0,
    )


def _told(
    day: int,
    week: int,
    *,
    more: bool,
    last: list[dict[str, Any]],
    recent: Iterable[dict[str, Any]],
    number: int,
) -> Happened:
    recent = list(recent)
    return Happened(
        day=day,
        week=week,
        more=more,
        last=tuple(reversed(last)),
        unresolved=unresolved(recent),
        failures=failures(recent),
        number=number,
    )


# --- the rest -----------------------------------------------------------------------------


def _sources(settings: Settings) -> tuple[float, str]:
    """Time of the newest source that the settings name, and why they cannot be read."""
    from tocsin.app.device_index import database_sources, newest_source
    from tocsin.database.cache import source_files

    try:
        source_files(database_sources(settings))
    except (TocsinError, OSError) as error:
        return 0.0, str(error)
    return newest_source(settings), ""


def _stored(settings: Settings, admin: ApiClient | None, *, running: bool) -> Stored | None:
    """What is in quarantine: the daemon's where one runs, else what the settings name."""
    from tocsin.protect.quarantine.extent import extent

    if admin is not None:
        with suppress(DaemonRefused, DaemonUnreachable, KeyError, TypeError, ValueError):
            answer = admin.post("/v1/act", {"verb": "quarantine-extent"})["result"]
            stored = Stored(int(answer["objects"]), int(answer["size"]))
            if not 0 < stored.objects <= _MOST_RECORDS:
                return stored
            items = admin.post("/v1/act", {"verb": "quarantine-list"})["result"]
            return stored._replace(restorable=sum(bool(i.get("may_be_restored")) for i in items))
    elif not running:
        with suppress(TocsinError):
            return Stored(*extent(quarantine_folder(settings)))
    return None


def _tasks(settings: Settings, now: float) -> tuple[Task, ...]:
    """How it stands with each task that the settings name."""
    if not settings.task:
        return ()
    from tocsin.protect.health.tasks import tasks_on_disk

    return tasks_on_disk(state_folder(settings), settings.task, now)

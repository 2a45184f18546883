"""Acting on what a scan finds: once for each file, apart from the scan, and journalled.

Each action runs in a child of its own (see `apart`), which opens the quarantine, acts, says what
came of it, and ends.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from tocsin.app.apart import run_apart
from tocsin.app.as_owner import by_owner
from tocsin.app.own_files import own_files
from tocsin.app.ownership import make_journal_folder
from tocsin.app.settings import journal_file, quarantine_folder
from tocsin.engine.report import Report, Verdict
from tocsin.errors import JournalError
from tocsin.protect.actions import Action, Outcome, act, acts_on, terminate
from tocsin.protect.journal.event import Event, Kind, Severity, found_in
from tocsin.protect.quarantine.identity import FileIdentity
from tocsin.protect.quarantine.vault import Vault
from tocsin.settings import Settings


class Seen(NamedTuple):
    """A file that is being scanned.

    Attributes:
        path: where it is, without links.
        identity: which it is.
    """

    path: bytes
    identity: FileIdentity


def seen_through(descriptor: int, path: str) -> Seen:
    """What an opened file is and where; the kernel says by which path it was reached."""
    identity = FileIdentity.of_descriptor(descriptor)
    with suppress(OSError):
        return Seen(os.readlink(f"/proc/self/fd/{descriptor}".encode()), identity)
    with suppress(OSError):  # a link in it may be changed while it is followed
        return Seen(os.fsencode(os.path.realpath(path)), identity)
    return Seen(os.fsencode(os.path.abspath(path)), identity)


class Acting:
    """Acts on what is found, and keeps a journal of it.

    Args:
        action: what is to be done.
        settings: where the quarantine and the journal are.
        database: identity of the database that is scanned with.
        origin: who acts.

    Attributes:
        trouble: why the journal was not written, or empty.
        failed: actions that were not done.
    """

    def __init__(
        self, action: Action, settings: Settings, database: str, origin: str = "cli"
    ) -> None:
        self._action = action
        self._settings = settings
        self._database = database
        self._origin = origin
        self.trouble = ""
        self.failed = 0

    def after(self, report: Report, seen: Seen | None) -> Outcome | None:
        """Do what is to be done after a report.

        Args:
            report: what was found.
            seen: what was scanned; None where it was no file.

        Returns:
            What came of it; None when nothing was found that is acted on.
        """
        if not report.detections:
            return None
        path = report.path if seen is None else os.path.abspath(report.path)
        events = [self._event(report, path, Kind.DETECTION)]
        outcome = self._outcome(report, seen) if acts_on(report) else None
        if outcome is not None and outcome.state != "reported":
            self.failed += outcome.failed
            events.append(self._event(report, path, Kind.ACTION, outcome))
        self._write(events)
        return outcome

    def _outcome(self, report: Report, seen: Seen | None) -> Outcome:
        if self._action is Action.REPORT:
            return Outcome(action=self._action, state="reported")
        if self._action is Action.TERMINATE:
            return _terminate_all(report)
        if seen is None:
            detail = "it is no file that could be taken away"
            return Outcome(action=self._action, state="failed", detail=detail)
        folder = quarantine_folder(self._settings)
        opened = partial(Vault, folder, max_size=self._settings.quarantine.max_size)
        return run_apart(
            partial(
                act,
                self._action,
                report,
                seen.identity,
                path=seen.path,
                vault=opened,
                database=self._database,
                origin=self._origin,
                uid=os.getuid(),
                own=own_files(self._settings),
            ),
            self._action,
        )

    def _event(
        self, report: Report, path: str, kind: Kind, outcome: Outcome | None = None
    ) -> Event:
        names = tuple(dict.fromkeys(detection.name for detection in report.detections))
        infected = report.verdict is Verdict.INFECTED
        severity = Severity.ALARM if infected else Severity.WARNING
        message = found_in(names, path)
        if outcome is not None:
            severity = Severity.ALARM if outcome.failed else Severity.NOTICE
            message += f": {outcome.state}"
            message += f" ({outcome.detail})" if outcome.detail else ""
        return Event(
            kind=kind,
            severity=severity,
            message=message,
            origin=self._origin,
            path=path,
            object=report.detections[0].object,
            signatures=names,
            verdict=report.verdict.value,
            action=outcome.state if outcome is not None else "",
            sha256=report.sha256,
            size=report.size,
            database=self._database,
            uid=os.getuid(),
            record=outcome.record if outcome is not None else "",
        )

    def _write(self, events: list[Event]) -> None:
        self.trouble = write_events(self._settings, events) or self.trouble


def _terminate_all(report: Report) -> Outcome:
    """End every process that has what was found."""
    action = Action.TERMINATE
    if not report.processes:
        detail = "a file is no process to be ended; use --action quarantine"
        return Outcome(action=action, state="failed", detail=detail)
    outcomes = [terminate(process.pid, process.start) for process in report.processes]
    failures = [outcome.detail for outcome in outcomes if outcome.failed]
    if failures:
        return Outcome(action=action, state="failed", detail="; ".join(failures))
    ended = f"process {', '.join(str(process.pid) for process in report.processes)}"
    said = [ended, *(outcome.detail for outcome in outcomes if outcome.detail)]
    return Outcome(action=action, state="terminated", detail="; ".join(said))


def write_events(settings: Settings, events: list[Event]) -> str:
    """Write events to the journal; what root makes for that belongs to the daemon's user.

    Args:
        settings: where the journal is, and who the daemon's user is.
        events: what happened.

    Returns:
        Why they could not be, or an empty string.
    """
    from tocsin.protect.journal.store import Journal

    place = journal_file(settings)

    def write() -> None:
        opened = Journal(place)
        try:
            opened.write_many(events)
        finally:
            opened.close()

    try:
        make_journal_folder(settings)
        by_owner(place.parent, write)
    except (JournalError, OSError) as error:
        return str(error)
    return ""

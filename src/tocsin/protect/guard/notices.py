"""What the guard has to tell, as events for the journal."""

from __future__ import annotations

from typing import Any

from tocsin.engine.report import Report
from tocsin.protect.guard.processes import Who
from tocsin.protect.journal.event import Event, Kind, Severity, found_in

ORIGIN = "guard"


def detection(report: Report, path: str, who: Who, database: str, action: str) -> Event:
    """Something was found.

    Args:
        report: on it.
        path: of the file.
        who: whose opening made it be looked at.
        database: that was used.
        action: `denied`, `opened` (before it was found, or because it may be), `noticed`.
    """
    first = report.detections[0]
    names = tuple(dict.fromkeys(found.name for found in report.detections))
    words = {
        "denied": "opening it was denied",
        "opened": "it had been opened already",
        "noticed": "nobody was kept from it, it was noticed",
    }
    return Event(
        kind=Kind.DETECTION,
        severity=Severity.ALARM,
        message=f"{found_in(names, path)}: {words[action]}",
        origin=ORIGIN,
        path=path,
        object=first.object,
        signatures=names[:20],
        verdict=report.verdict.value,
        action=action,
        sha256=report.sha256,
        size=report.size,
        database=database,
        uid=who.uid,
        pid=who.pid,
        program=who.program,
    )


def refused(path: str, who: Who, reason: str, report: Report | None = None) -> Event:
    """Something was refused without anything having been found in it."""
    return Event(
        kind=Kind.GUARD,
        severity=Severity.WARNING,
        message=f"opening {path} was denied: {reason}",
        origin=ORIGIN,
        path=path,
        verdict=report.verdict.value if report is not None else "",
        action="denied",
        uid=who.uid,
        pid=who.pid,
        program=who.program,
    )


def undecided(path: str, who: Who, seconds: float) -> Event:
    """Something was allowed because there was no verdict in time."""
    return Event(
        kind=Kind.GUARD,
        severity=Severity.WARNING,
        message=f"opening {path} was allowed without a verdict, which took more than {seconds:g} s",
        origin=ORIGIN,
        path=path,
        action="allowed",
        uid=who.uid,
        pid=who.pid,
        program=who.program,
    )


def guard_event(severity: Severity, message: str, **details: Any) -> Event:
    """Something about the guard itself."""
    return Event(
        kind=Kind.GUARD, severity=severity, message=message, origin=ORIGIN, details=details
    )


def medium_scanned(
    path: str, scanned: int, found: int, incomplete: int, unreadable: int, seconds: float
) -> Event:
    """A removable medium was looked at wholly."""
    words = [f"{scanned:,} files looked at", f"{found:,} infected"]
    if incomplete:
        words.append(f"{incomplete:,} not wholly")
    if unreadable:
        words.append(f"{unreadable:,} not readable")
    return Event(
        kind=Kind.SCAN,
        severity=Severity.ALARM if found else Severity.INFO,
        message=f"{path}: removable medium scanned: {', '.join(words)}",
        origin=ORIGIN,
        path=path,
        details={
            "scanned": scanned,
            "found": found,
            "incomplete": incomplete,
            "unreadable": unreadable,
            "seconds": round(seconds, 3),
        },
    )

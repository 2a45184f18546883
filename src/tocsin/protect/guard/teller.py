"""Tells of what the guard found and refused, once for each file and user in a while."""

from __future__ import annotations

import time
from typing import Final

from tocsin.engine.report import Report, Verdict
from tocsin.protect.file_facts import Key, path_of
from tocsin.protect.guard import notices
from tocsin.protect.guard.engine_link import EngineLink
from tocsin.protect.guard.looks import Look
from tocsin.protect.guard.outbox import Outbox
from tocsin.protect.guard.processes import Who, who
from tocsin.protect.journal.event import Severity
from tocsin.settings import GuardSettings

_AGAIN_AFTER: Final = 60.0
_MOST_TOLD: Final = 10_000
_INCOMPLETE: Final = "it could not be looked at wholly"


class Teller:
    """Tells.

    Args:
        settings: that say whether what is found is to be taken away.
        outbox: where what is told goes.
        link: knows the database in use.
    """

    def __init__(self, settings: GuardSettings, outbox: Outbox, link: EngineLink) -> None:
        self._deadline = settings.deadline
        self._takes_away = settings.on_infected == "quarantine"
        self._outbox = outbox
        self._link = link
        self._told: dict[tuple[object, ...], float] = {}

    def looked(self, look: Look, report: Report, asking: Who, *, waited: bool) -> None:
        """A look found something, or somebody was refused because of it.

        Args:
            look: which.
            report: what came of it.
            asking: who made it necessary.
            waited: whether somebody waited for it.
        """
        path = path_of(look.descriptor)
        if not path or path.endswith(" (deleted)"):
            path = look.path
        action = "noticed"
        if look.late:
            action = "opened"
        elif waited or look.refused:
            action = "denied"
        self._tell(report, path, look.descriptor, asking, action)
        self._may_tell(look.facts.key, asking.uid)

    def refused(self, report: Report, descriptor: int, key: Key, path: str, pid: int) -> None:
        """Somebody was refused by what was known already."""
        asking = who(pid)
        if self._may_tell(key, asking.uid):
            self._tell(report, path, descriptor, asking, "denied")

    def fell_back(self, look: Look, pid: int, *, allow: bool) -> None:
        """Somebody was answered without a verdict."""
        if not self._may_tell("late", look.facts.key):
            return
        asking = who(pid)
        if allow:
            event = notices.undecided(look.path, asking, self._deadline)
        else:
            event = notices.refused(look.path, asking, "there was no verdict in time")
        self._outbox.happened(event)

    def unreadable(self, error: OSError) -> None:
        """The kernel refused something itself."""
        if self._may_tell("unreadable"):
            words = f"the kernel refused an opening that it could not ask about: {error}"
            self._outbox.happened(notices.guard_event(Severity.WARNING, words))

    def overflowed(self) -> None:
        """The kernel lost events."""
        words = "the kernel lost events: all that was remembered of files is forgotten"
        self._outbox.happened(notices.guard_event(Severity.WARNING, words))

    def _tell(self, report: Report, path: str, descriptor: int, asking: Who, action: str) -> None:
        if not report.detections:
            self._outbox.happened(notices.refused(path, asking, _INCOMPLETE, report))
            return
        event = notices.detection(report, path, asking, self._link.database, action)
        self._outbox.happened(event)
        if self._takes_away and report.verdict is Verdict.INFECTED:
            self._outbox.found(path, report, descriptor)

    def _may_tell(self, *what: object) -> bool:
        """Whether something was not told of within the last minute."""
        now = time.monotonic()
        if now - self._told.get(what, -_AGAIN_AFTER) < _AGAIN_AFTER:
            return False
        if len(self._told) >= _MOST_TOLD:
            self._told.clear()
        self._told[what] = now
        return True

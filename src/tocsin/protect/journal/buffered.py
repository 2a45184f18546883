"""A journal that nobody has to wait for or be stopped by: what cannot be written now is kept.

A full disk or a file that cannot be opened must not stop protection. Events wait in memory
until they can be written; when there are too many, the least severe go first, and the journal
says later how many and why.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable
from pathlib import Path

from tocsin.errors import JournalError
from tocsin.protect.journal.event import Event, Kind, Severity
from tocsin.protect.journal.store import Journal
from tocsin.settings import JournalSettings

MOST_WAITING = 20_000
_AT_ONCE = 500
_RETENTION_SECONDS = 600.0
_RETRY_SECONDS = 2.0


class BufferedJournal:
    """A journal whose writes never fail; may be used from several threads.

    Args:
        path: the file.
        settings: how long events are kept.
        most: events that may wait.
        targets: the names of all that events are forwarded to: nothing is kept any longer for
            others that were; None when somebody else sees to that.

    Attributes:
        trouble: why events wait, or empty.
        lost: how many were given up since the last that were written.
    """

    def __init__(
        self,
        path: Path,
        settings: JournalSettings | None = None,
        most: int = MOST_WAITING,
        *,
        targets: Collection[str] | None = None,
    ) -> None:
        self.trouble = ""
        self.lost = 0
        self._path = path
        self._settings = settings or JournalSettings()
        self._most = most
        self._targets = targets
        self._journal: Journal | None = None
        self._lock = threading.RLock()
        self._waiting: list[deque[tuple[int, Event]]] = [deque() for _ in Severity]
        self._arrived = 0
        self._since = 0.0
        self._retried = 0.0
        self._retained = 0.0

    @property
    def waiting(self) -> int:
        """How many events are not written yet."""
        return sum(map(len, self._waiting))

    def write(self, event: Event) -> int:
        """Write an event, or keep it until it can be.

        Returns:
            Its number; 0 when it waits.
        """
        self.write_many([event])
        return event.number

    def write_many(self, events: Iterable[Event]) -> None:
        """Write events, or keep them until they can be."""
        with self._lock:
            for event in events:
                self._keep(event)
            self.flush(force=not self.trouble)

    def flush(self, *, force: bool = True) -> bool:
        """Write what waits, when the last try is not just over.

        Args:
            force: try in any case.

        Returns:
            Whether everything is written.
        """
        with self._lock:
            now = time.monotonic()
            if not force and now - self._retried < _RETRY_SECONDS:
                return not self.waiting
            self._retried = now
            try:
                journal = self._opened()
                while batch := self._next():
                    journal.write_many(batch)
                    self._forget(batch)
                self._tell_lost(journal)
                self.trouble = ""
                self._retain(journal, now)
            except JournalError as error:
                if not self.trouble:
                    self._since = time.time()
                self.trouble = str(error)
            return not self.waiting

    def close(self) -> None:
        """Write what can be written, and close."""
        with self._lock:
            self.flush()
            if self._journal is not None:
                self._journal.close()
                self._journal = None

    def _opened(self) -> Journal:
        if self._journal is None:
            self._journal = Journal(self._path)
        return self._journal

    def _keep(self, event: Event) -> None:
        self._arrived += 1
        self._waiting[event.severity.rank].append((self._arrived, event))
        if self.waiting > self._most:
            next(queue for queue in self._waiting if queue).popleft()
            self.lost += 1

    def _next(self) -> list[Event]:
        """The events that have waited longest, in the order in which they came."""
        merged = heapq.merge(*self._waiting, key=lambda held: held[0])
        return [event for (_, event), _ in zip(merged, range(_AT_ONCE), strict=False)]

    def _forget(self, written: list[Event]) -> None:
        for event in written:
            self._waiting[event.severity.rank].popleft()

    def _tell_lost(self, journal: Journal) -> None:
        if not self.lost:
            return
        journal.write(
            Event(
                kind=Kind.FAILURE,
                severity=Severity.ALARM,
                message=f"{self.lost:,} events were lost: they could not be written, and there "
                f"were too many to keep in memory ({self.trouble})",
                origin="journal",
                details={"lost": self.lost, "since": self._since},
            )
        )
        self.lost = 0

    def _retain(self, journal: Journal, now: float) -> None:
        if self._retained and now - self._retained < _RETENTION_SECONDS:
            return
        self._retained = now
        if self._targets is not None:
            journal.keep_progress(self._targets)
        keep = self._settings
        journal.retain(keep_days=keep.keep_days, max_events=keep.max_events)

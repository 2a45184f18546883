"""The journal as the front uses it: a thread writes, forwards and tells; nobody waits for it.

What cannot be written (a full disk) is kept in memory and written when it can be.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from tocsin.app.settings import journal_file
from tocsin.errors import TocsinError
from tocsin.protect.journal.coalesce import Coalescer, is_count
from tocsin.protect.journal.event import Event, Kind, Severity
from tocsin.settings import Settings

if TYPE_CHECKING:
    from tocsin.protect.journal.filters import Filter
    from tocsin.protect.notify import Notifier

RECENT = 20
_MOST_QUEUED = 50_000
_AT_ONCE = 500
_PATIENCE = 1.0
_RETRY = 5.0


class BackgroundRecorder:
    """Keeps events in the journal, from a thread.

    Args:
        settings: the settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = journal_file(settings)
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._counting = threading.Lock()
        self._queued = 0
        self._written = 0
        self._dropped = 0
        self._trouble = ""
        self._recent: deque[dict[str, Any]] = deque(maxlen=RECENT)
        self._forward_state: dict[str, Any] = {}
        self._coalescer = Coalescer()
        self._stop = threading.Event()
        self._writer = threading.Thread(target=self._write, name="journal", daemon=True)
        self._writer.start()
        self._forwarder: threading.Thread | None = None
        if settings.forward:
            self._forwarder = threading.Thread(target=self._forward, name="forward", daemon=True)
            self._forwarder.start()

    def record(self, event: Event) -> None:
        """Keep an event; never waits. What clients find again and again is counted."""
        if self._coalescer.is_told(event):
            self._keep(event)

    def _keep(self, event: Event) -> None:
        if event.kind is Kind.DETECTION or event.severity.rank >= Severity.WARNING.rank:
            self._recent.append(plain_event(event))
        with self._counting:
            if self._queued - self._written > _MOST_QUEUED:
                self._dropped += 1
                return
            self._queued += 1
        self._queue.put(event)

    def recent(self) -> list[dict[str, Any]]:
        """The last detections and warnings, the newest last."""
        return list(self._recent)

    def state(self) -> dict[str, Any]:
        """How it goes."""
        return {
            "file": os.fspath(self._path),
            "written": self._written,
            "waiting": self._queued - self._written,
            "dropped": self._dropped,
            "counted": self._coalescer.counted,
            "trouble": self._trouble,
            "forward": self._forward_state,
        }

    def read(self, wanted: Filter) -> list[dict[str, Any]]:
        """Events of the journal, with their digests."""
        from tocsin.protect.journal.store import Journal

        journal = Journal(self._path, read_only=True)
        try:
            entries = journal.read_entries(wanted)
            return [{**plain_event(entry.event), "digest": entry.digest} for entry in entries]
        finally:
            journal.close()

    def close(self) -> None:
        """Write what is left."""
        for event in self._coalescer.due(all_of_them=True):
            self._keep(event)
        self._stop.set()
        self._queue.put(None)
        self._writer.join(timeout=5)
        if self._forwarder is not None:
            self._forwarder.join(timeout=5)

    def _write(self) -> None:
        from tocsin.protect.journal.buffered import BufferedJournal

        targets = [each.name for each in self._settings.forward]
        journal = BufferedJournal(self._path, self._settings.journal, targets=targets)
        notifier = self._notifier()
        try:
            while True:
                for event in self._coalescer.due():
                    self._keep(event)
                batch = self._batch()
                events = [event for event in batch if event is not None]
                journal.write_many(events)
                self._trouble = journal.trouble
                self._written += len(events)
                for event in events:
                    found = event.kind is Kind.DETECTION and not is_count(event)
                    if notifier is not None and found:
                        notifier.found(event)
                if None in batch:
                    return
        finally:
            if notifier is not None:
                notifier.close()
            journal.close()

    def _batch(self) -> list[Event | None]:
        """What there is to write; waits a while for the first."""
        batch: list[Event | None] = []
        with suppress(queue.Empty):
            batch.append(self._queue.get(timeout=_PATIENCE))
            while len(batch) < _AT_ONCE and batch[-1] is not None:
                batch.append(self._queue.get_nowait())
        return batch

    def _notifier(self) -> Notifier | None:
        """Who tells others of findings; nobody where the settings name none."""
        finding = self._settings.on_finding
        if not finding.command and not finding.mail_to:
            return None
        from tocsin.protect.notify import Notifier

        return Notifier(finding, self.record, self._settings.daemon.user)

    def _forward(self) -> None:
        """In a thread: pass events on to whom the settings name."""
        from tocsin.protect.journal.forward import Forwarders
        from tocsin.protect.journal.store import Journal

        while not self._stop.is_set():
            try:
                forwarders = Forwarders(Journal(self._path), self._settings.forward)
                wait = 0.0
                while not self._stop.wait(wait):
                    wait = forwarders.run_once()
                    self._forward_state = forwarders.state()
                forwarders.close()
            except TocsinError as error:  # the journal cannot be opened now: a full disk, say
                self._forward_state = {"journal": {"last_error": str(error)}}
                self._stop.wait(_RETRY)
            except Exception as error:  # a defect must not end it, nor go unsaid
                said = f"{type(error).__name__}: {error}"
                if self._forward_state != (state := {"journal": {"last_error": said}}):
                    self._forward_state = state
                    self._keep(
                        Event(
                            kind=Kind.FAILURE,
                            severity=Severity.ALARM,
                            origin="forward",
                            message=f"events are not forwarded, by a defect: {said}",
                        )
                    )
                self._stop.wait(_RETRY)


def plain_event(event: Event) -> dict[str, Any]:
    """An event as plain values."""
    values = msgspec.to_builtins(event)
    assert isinstance(values, dict)
    return values

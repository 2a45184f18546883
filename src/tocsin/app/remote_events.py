"""The device's journal for those who cannot read its file: the daemon is asked."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from tocsin.app.api_client import ApiClient
from tocsin.app.device import device_journal, why_closed
from tocsin.errors import DaemonRefused, DaemonUnreachable, JournalError
from tocsin.protect.journal.event import Event
from tocsin.protect.journal.filters import Filter
from tocsin.protect.journal.store import Entry
from tocsin.settings import Settings

_PAGE = 1000
_PATIENCE = 60.0
_POLL_SECONDS = 1.0


class RemoteJournal:
    """The device's journal, asked of the daemon.

    Args:
        settings: of the device.
    """

    def __init__(self, settings: Settings) -> None:
        self._client = ApiClient.of(settings, timeout=_PATIENCE)
        self._settings = settings
        self._place = device_journal(settings)

    def events(self, wanted: Filter) -> list[Entry]:
        """What it holds of what is asked for; see `events.events`.

        Raises:
            JournalError: this user may not see it, or no daemon answers.
        """
        if 0 < wanted.limit <= _PAGE:
            return self._page(wanted)
        found: deque[Entry] = deque(maxlen=wanted.limit or None)
        found.extend(self._all(wanted))
        return list(found)

    def follow(
        self,
        wanted: Filter,
        *,
        stop: threading.Event | None = None,
        told: Callable[[str], None] = lambda _: None,
    ) -> Iterator[Entry]:
        """What it holds of what is asked for, and then what comes; see `events.follow`.

        Raises:
            JournalError: this user may not see it, or no daemon answers at the beginning.
        """
        stop = stop or threading.Event()
        after = self._last_number()
        for entry in self.events(wanted):
            after = max(after, entry.event.number)
            yield entry
        said = ""
        while not stop.wait(_POLL_SECONDS):
            try:
                last = self._last_number()
                if last < after:
                    told("the journal was replaced by a new one; it is read from its beginning")
                    after = 0
                if last > after:
                    for entry in self._all(wanted._replace(after=after)):
                        after = max(after, entry.event.number)
                        yield entry
                    after = max(after, last)
                said = ""
            except JournalError as error:
                if str(error) != said:
                    said = str(error)
                    told(said)

    def _last_number(self) -> int:
        newest = self._page(Filter(limit=1, newest=True))
        return newest[0].event.number if newest else 0

    def _all(self, wanted: Filter) -> Iterator[Entry]:
        after = wanted.after
        while True:
            page = self._page(wanted._replace(after=after, limit=_PAGE, newest=False))
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].event.number

    def _page(self, wanted: Filter) -> list[Entry]:
        try:
            answer = self._client.get("/v1/events", **_query(wanted))
            return [_entry(values) for values in answer["events"]]
        except (DaemonRefused, DaemonUnreachable) as error:
            raise JournalError(why_closed(self._settings, self._place, error, "events")) from error
        except (msgspec.ValidationError, KeyError, TypeError) as error:
            raise JournalError(
                f"what the daemon says makes no sense to this command ({error}); restart it: "
                "systemctl restart tocsin"
            ) from error


def _query(wanted: Filter) -> dict[str, Any]:
    """What stands behind the question mark; what does not narrow is left out."""
    query: dict[str, Any] = {
        "severity": wanted.severity.value,
        "after": wanted.after,
        "limit": wanted.limit,
        "newest": int(wanted.newest),
    }
    if wanted.kinds:
        query["kinds"] = ",".join(wanted.kinds)
    for name in ("since", "until", "path", "signature", "action", "text"):
        value = getattr(wanted, name)
        if value not in (None, ""):
            query[name] = value
    return query


def _entry(values: dict[str, Any]) -> Entry:
    digest = str(values["digest"])
    known = {name: values[name] for name in Event.__struct_fields__ if name in values}
    return Entry(msgspec.convert(known, Event), digest)

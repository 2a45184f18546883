"""What clients find again and again: told at once the first time, then counted.

Whoever may ask for scans may have the same bad file scanned hundreds of times a second. Each time
would be an event, and the oldest events of the journal would soon make room for them. So equal
findings within a window are one event and, at its end, another with their number; and of one user
so many different findings are told singly, and of the rest their number.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

import msgspec

from tocsin.protect.journal.event import Event, Kind, Severity

WINDOW_SECONDS = 60.0
MOST_SINGLE = 50
ORIGIN = "daemon"
"""Who speaks for clients; what the guard, tasks and the quarantine say is always told."""

_ROOT = 0
_MOST_NAMED = 10

_Key = tuple[object, ...]


class _Repeated:
    """A finding that was told in this window.

    Attributes:
        last: how it was found the last time.
        count: how often it was found again.
        until: the end of the window.
    """

    def __init__(self, event: Event, until: float) -> None:
        self.last = event
        self.count = 0
        self.until = until


class _User:
    """What one user's clients found in this window.

    Attributes:
        single: different findings that were told.
        names: signatures of those that were not, with their numbers.
        left: how many were not.
        until: the end of the window.
    """

    def __init__(self, until: float) -> None:
        self.single = 0
        self.names: Counter[str] = Counter()
        self.left = 0
        self.until = until


class Coalescer:
    """Makes few events of many equal ones; may be used from several threads.

    Args:
        window: seconds within which equal findings are counted instead of told.
        most: different findings of a user that are told singly in that time. Root's are all told:
            root could write the journal itself.
        clock: seconds that only grow.

    Attributes:
        counted: how many findings were counted instead of told.
    """

    def __init__(
        self,
        window: float = WINDOW_SECONDS,
        most: int = MOST_SINGLE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._window = window
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._repeated: dict[_Key, _Repeated] = {}
        self._users: dict[int, _User] = {}
        self._next = float("inf")
        self.counted = 0

    def is_told(self, event: Event) -> bool:
        """Whether an event is to be told now; otherwise it is counted, and told by `due`."""
        if event.kind is not Kind.DETECTION or event.origin != ORIGIN:
            return True
        now = self._clock()
        key = (event.signatures, event.sha256, event.path, event.uid)
        with self._lock:
            known = self._repeated.get(key)
            if known is not None:
                known.last = event
                known.count += 1
                self.counted += 1
                return False
            user = self._users.setdefault(event.uid, _User(now + self._window))
            self._next = min(self._next, user.until)
            if user.single >= self._most and event.uid != _ROOT:
                user.left += 1
                name = event.signatures[0] if event.signatures else ""
                if name in user.names or len(user.names) < _MOST_NAMED:
                    user.names[name] += 1
                self.counted += 1
                return False
            user.single += 1
            self._repeated[key] = _Repeated(event, now + self._window)
            return True

    def due(self, *, all_of_them: bool = False) -> list[Event]:
        """The events that say what was counted in the windows that are over.

        Args:
            all_of_them: also in those that are not: the end has come.
        """
        now = self._clock()
        if now < self._next and not all_of_them:
            return []
        events = []
        with self._lock:
            for key, known in list(self._repeated.items()):
                if now < known.until and not all_of_them:
                    continue
                if not known.count:
                    del self._repeated[key]
                    continue
                events.append(_again(known.last, known.count, self._window))
                known.count, known.until = 0, now + self._window
            for uid, user in list(self._users.items()):
                if now < user.until and not all_of_them:
                    continue
                del self._users[uid]
                if user.left:
                    events.append(_left(uid, user, self._most, self._window))
            ends = [known.until for known in self._repeated.values()]
            ends += [user.until for user in self._users.values()]
            self._next = min(ends, default=float("inf"))
        return events


def is_count(event: Event) -> bool:
    """Whether an event says how often something was found, and is no finding of its own."""
    return "repeated" in event.details


def _again(last: Event, count: int, window: float) -> Event:
    times = "once" if count == 1 else f"{count:,} times"
    return msgspec.structs.replace(
        last,
        time=time.time(),
        number=0,
        message=f"{last.message} (and {times} more within {_words(window)})",
        details={**last.details, "repeated": count},
    )


def _left(uid: int, user: _User, most: int, window: float) -> Event:
    who = f"user {uid}" if uid >= 0 else "clients that are not known"
    findings = "one more finding" if user.left == 1 else f"{user.left:,} more findings"
    return Event(
        kind=Kind.DETECTION,
        severity=Severity.ALARM,
        message=f"{findings} of {who} within {_words(window)}, beyond the {most} that were told",
        origin=ORIGIN,
        signatures=tuple(name for name, _ in user.names.most_common() if name),
        uid=uid,
        details={"repeated": user.left, "signatures": dict(user.names)},
    )


def _words(seconds: float) -> str:
    return "a minute" if seconds == WINDOW_SECONDS else f"{seconds:g} seconds"

"""Pass events on to where else they are wanted, without losing one or keeping anybody waiting.

How far each target is, is remembered in the journal, which keeps what a target lacks. A target
that is down is tried again with growing pauses; what was sent and not acknowledged is sent
again, so that each event arrives at least once. Each target is served by a thread of its own:
one that hangs holds up nobody else.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tocsin.errors import ForwardError, JournalError
from tocsin.protect.journal.event import Event, Kind, Severity
from tocsin.protect.journal.store import Entry, Filter, Journal
from tocsin.settings import ForwardSettings

LONGEST_PAUSE = 300.0
_FIRST_PAUSE = 1.0
_IDLE = 1.0
_TOGETHER = 1.0
"""How long one round waits for its targets; a slower one is looked at in a later round."""

_REMEMBER_EVERY = 60.0


class Target(Protocol):
    """Where events go.

    Attributes:
        batch: most events that are sent at once.
        where: the target for people, without secrets.
    """

    batch: int
    where: str

    def send(self, entries: Sequence[Entry], journal: str) -> int:
        """Hand events over.

        Args:
            entries: in the order of their numbers, at least one.
            journal: identity of the journal that they are from.

        Returns:
            How many of them the target has now, from the first; at least one.

        Raises:
            ForwardError: it did not work; some may have arrived.
        """

    def close(self) -> None:
        """Let go of what was opened."""


def make_target(settings: ForwardSettings) -> Target:
    """The target that one `[[forward]]` describes."""
    if settings.kind == "syslog":
        from tocsin.protect.journal.forward_syslog import SyslogTarget

        return SyslogTarget(settings.target or "/dev/log")
    if settings.kind == "journald":
        from tocsin.protect.journal.forward_journald import JournaldTarget

        return JournaldTarget(settings.target)
    if settings.kind == "webhook":
        from tocsin.protect.journal.forward_webhook import WebhookTarget

        return WebhookTarget(settings.target, settings.headers)
    from tocsin.protect.journal.forward_ecs import EcsTarget

    return EcsTarget(settings.target, settings.max_file_size)


class Forwarder:
    """One target and how far it is.

    Args:
        journal: what is forwarded.
        settings: which events.
        target: where to.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        journal: Journal,
        settings: ForwardSettings,
        target: Target,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = settings.name
        self._journal = journal
        self._kind = settings.kind
        self._target = target
        self._clock = clock
        self._wanted = Filter(
            kinds=tuple(map(Kind, settings.kinds)), severity=Severity(settings.severity)
        )
        self._identity = ""
        self._delivered = 0
        self._remembered = 0
        self._remembered_at = -_REMEMBER_EVERY
        self._failures = 0
        self._failing_since = 0.0
        self._last_error = ""
        self._last_success = 0.0
        self._due = clock()

    def due_in(self) -> float:
        """Seconds until it wants to run."""
        return max(0.0, self._due - self._clock())

    def run_once(self) -> float:
        """Send what is waiting, when it is time to; seconds until it wants to run again."""
        if self.due_in() <= 0:
            try:
                more = self._send_some()
            except (ForwardError, JournalError) as error:
                self._failed(error)
            else:
                self._due = self._clock() + (0.0 if more else _IDLE)
        return self.due_in()

    def has_work(self) -> bool:
        """Whether there may be something to send, now."""
        if self.due_in() > 0:
            return False
        try:
            return not self._identity or self._journal.last_number() != self._delivered
        except JournalError:
            return True

    def close(self) -> None:
        """Remember how far it is."""
        self._target.close()
        try:
            self._remember(force=True)
        except JournalError as error:
            self._last_error = str(error)

    def state(self) -> dict[str, Any]:
        """How it goes, for people."""
        try:
            lag = max(0, self._journal.last_number() - self._delivered) if self._identity else 0
        except JournalError:
            lag = -1
        return {
            "kind": self._kind,
            "target": self._target.where,
            "delivered": self._delivered,
            "lag": lag,
            "failures": self._failures,
            "failing_since": self._failing_since,
            "last_error": self._last_error,
            "last_success": self._last_success,
            "retry_in": round(self.due_in(), 1) if self._failures else 0.0,
        }

    def _send_some(self) -> bool:
        """Send one batch; whether there is more."""
        identity = self._journal.identity()
        if identity != self._identity:
            self._delivered = self._remembered = self._journal.register(self.name)
            self._identity = identity
        last = self._journal.last_number()
        count = 0
        entries = list(
            self._journal.read_entries(
                self._wanted._replace(after=self._delivered, limit=self._target.batch)
            )
        )
        if entries:
            try:
                count = self._target.send(entries, identity)
            except ForwardError as error:
                if error.delivered:
                    self._delivered = entries[error.delivered - 1].event.number
                    self._remember(force=True)
                raise
            self._delivered = entries[count - 1].event.number
            self._last_success = time.time()
            self._recovered()
        more = bool(entries) and (count < len(entries) or len(entries) == self._target.batch)
        if not more:
            self._delivered = max(self._delivered, last)  # the others are not wanted
        self._remember(force=bool(entries))
        return more

    def _remember(self, *, force: bool) -> None:
        """Write down how far it is; seldom while it only passes over events."""
        if not self._identity or self._delivered == self._remembered:
            return
        now = self._clock()
        if force or now - self._remembered_at >= _REMEMBER_EVERY:
            self._journal.advance(self.name, self._delivered)
            self._remembered, self._remembered_at = self._delivered, now

    def _failed(self, error: Exception) -> None:
        self._last_error = str(error)
        self._failures += 1
        if self._failures == 1:
            self._failing_since = time.time()
            self._tell(Severity.WARNING, f"events do not reach {self.name}: {error}")
        pause = min(LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures - 1, 20))
        self._due = self._clock() + pause * random.uniform(0.5, 1.0)  # noqa: S311  no secret

    def _recovered(self) -> None:
        if self._failures:
            self._failures, self._failing_since, self._last_error = 0, 0.0, ""
            self._tell(Severity.NOTICE, f"events reach {self.name} again")

    def _tell(self, severity: Severity, message: str) -> None:
        event = Event(
            kind=Kind.FAILURE, severity=severity, message=message, origin=f"forward:{self.name}"
        )
        try:
            self._journal.write(event)
        except JournalError as error:
            self._last_error = f"{self._last_error}; {error}"


class Forwarders:
    """Every target of the settings.

    Args:
        journal: what is forwarded.
        settings: where to; what was forwarded to other names before is forgotten.
    """

    def __init__(self, journal: Journal, settings: Sequence[ForwardSettings]) -> None:
        self._journal = journal
        self._forwarders = [Forwarder(journal, one, make_target(one)) for one in settings]
        self._threads: dict[str, threading.Thread] = {}
        self._settled = False

    def run_once(self) -> float:
        """Serve the targets whose time it is; seconds until this wants to be called again.

        It takes about a second at most: a target that needs longer goes on by itself.
        """
        self._settle()
        if not self._forwarders:
            return _IDLE
        for forwarder in self._forwarders:
            thread = self._threads.get(forwarder.name)
            if (thread is None or not thread.is_alive()) and forwarder.has_work():
                thread = threading.Thread(
                    target=forwarder.run_once, name=f"forward {forwarder.name}", daemon=True
                )
                self._threads[forwarder.name] = thread
                thread.start()
        end = time.monotonic() + _TOGETHER
        for thread in self._threads.values():
            thread.join(max(0.0, end - time.monotonic()))
        idle = [f for f in self._forwarders if not self._threads.get(f.name, _DONE).is_alive()]
        waits = [max(f.due_in(), 0.0 if f.has_work() else _IDLE) for f in idle]
        return min([*waits, _IDLE])

    def run(self, stop: threading.Event) -> None:
        """Serve the targets until `stop` is set, then remember how far they are."""
        wait = 0.0
        while not stop.wait(wait):
            wait = self.run_once()
        self.close()

    def state(self) -> dict[str, Any]:
        """How it goes, by name: `lag`, `last_error` and more."""
        return {forwarder.name: forwarder.state() for forwarder in self._forwarders}

    def close(self) -> None:
        """Let go of the targets; what is being sent right now may be sent again."""
        for forwarder in self._forwarders:
            thread = self._threads.get(forwarder.name)
            if thread is None or not thread.is_alive():
                forwarder.close()

    def _settle(self) -> None:
        """Once: targets that the settings no longer name hold nothing up."""
        if self._settled:
            return
        try:
            self._journal.keep_progress([forwarder.name for forwarder in self._forwarders])
            self._settled = True
        except JournalError:
            return  # tried again in the next round


_DONE = threading.Thread()
"""A thread that never ran."""

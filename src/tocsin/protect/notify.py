"""Tell of a finding: a command of the user's own is run, a mail is sent; nobody waits for it.

Paths and names of signatures come from outside. The command is run without a shell, each
argument whole; a mail's header holds nothing of them. A command that hangs is ended with all
it started; when findings come faster than commands end, a bounded number waits and the rest is
counted and reported.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from tocsin.protect.journal.event import Event, Kind, Severity
from tocsin.protect.notify_command import CommandRunner
from tocsin.protect.notify_mail import Mailer
from tocsin.settings import FindingSettings

_CLOSING_SECONDS = 5.0


class Notifier:
    """What is done besides when something is found.

    Args:
        settings: what.
        record: is given an event for each thing that went wrong; must not wait.
        account: whom the command becomes when root runs it.
    """

    def __init__(
        self, settings: FindingSettings, record: Callable[[Event], None], account: str
    ) -> None:
        self._record = record
        self._commands: CommandRunner | None = None
        if settings.command:
            self._commands = CommandRunner(settings, self._failed, account)
        self._mailer = Mailer(settings, self._failed) if settings.mail_to else None

    def found(self, event: Event) -> None:
        """Tell of a detection; never waits."""
        if self._commands is not None:
            self._commands.add(event)
        if self._mailer is not None:
            self._mailer.add(event)

    def close(self, seconds: float = _CLOSING_SECONDS) -> None:
        """Let what is under way end, for a while; what is not sent then is reported."""
        parts = [part for part in (self._commands, self._mailer) if part is not None]
        closers = [threading.Thread(target=part.close, args=(seconds,)) for part in parts]
        for closer in closers:
            closer.start()
        for closer in closers:
            closer.join()

    def _failed(self, message: str, about: Event | None) -> None:
        event = Event(
            kind=Kind.FAILURE, severity=Severity.WARNING, message=message, origin="notify"
        )
        if about is not None:
            event.path, event.signatures = about.path, about.signatures
        self._record(event)

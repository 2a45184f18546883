"""Mails about findings: at most one in a while, with all that was found in between."""

from __future__ import annotations

import smtplib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from tocsin.protect.configuration.forms import read_host_port
from tocsin.protect.journal.event import Event
from tocsin.protect.journal.forward_text import clean
from tocsin.settings import FindingSettings

MOST_WAITING = 2000
LISTED = 200
_SECONDS = 20.0
_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 300.0
_GATHERING = 1.0
_LONGEST_TEXT = 400

Failed = Callable[[str, Event | None], None]
"""Is told what went wrong, and about which finding."""


def digest(events: Sequence[Event], total: int, settings: FindingSettings) -> EmailMessage:
    """A mail that lists findings; nothing that was found stands in its header.

    Args:
        events: those that are listed.
        total: how many there were.
        settings: from whom, to whom.
    """
    host = clean(socket.gethostname()).encode("ascii", "replace").decode()[:64]
    mail = EmailMessage(policy=SMTP)
    things = "1 finding" if total == 1 else f"{total:,} findings"
    mail["Subject"] = f"tocsin: {things} on {host}"
    sender = settings.mail_from
    mail["From"] = sender if "@" in sender else f"{sender}@{host or 'localhost'}"
    mail["To"] = ", ".join(settings.mail_to)
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = make_msgid(domain=host or "localhost")
    mail["Auto-Submitted"] = "auto-generated"
    lines = [f"{things} on {host}:", ""]
    for event in events[:LISTED]:
        lines += [*_described(event), ""]
    if total > len(events[:LISTED]):
        lines.append(f"and {total - len(events[:LISTED]):,} more: tocsin events --kind detection")
    mail.set_content("\n".join(lines) + "\n", cte="quoted-printable")
    return mail


def _described(event: Event) -> list[str]:
    at = datetime.fromtimestamp(max(0.0, min(event.time, 253402300799.0)), UTC)
    names = ", ".join(event.signatures[:8]) or event.message
    rows = [
        ("", f"{at:%Y-%m-%d %H:%M:%S} UTC  {names}"),
        ("  file: ", event.path),
        ("  inside it: ", event.object),
        ("  done: ", event.action),
        ("  SHA-256: ", event.sha256),
        ("  program: ", event.program),
        ("  quarantine record: ", event.record),
    ]
    return [f"{title}{clean(value)[:_LONGEST_TEXT]}" for title, value in rows if value]


class Mailer:
    """Sends findings, from a thread.

    Args:
        settings: to whom, by which server, how often.
        failed: is told what went wrong, once for a time of trouble.
    """

    def __init__(self, settings: FindingSettings, failed: Failed) -> None:
        self._settings = settings
        self._failed = failed
        where = read_host_port(settings.smtp)
        assert where is not None, "the settings were checked"
        self._where = where
        self._waiting: deque[Event] = deque(maxlen=MOST_WAITING)
        self._total = 0
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="mail", daemon=True)
        self._thread.start()

    def add(self, event: Event) -> None:
        """Have a finding in the next mail."""
        with self._changed:
            self._waiting.append(event)
            self._total += 1
            self._changed.notify()

    def close(self, seconds: float) -> None:
        """Send what waits, once and for so long at most."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)
        with self._changed:
            left = self._total
        if left:
            self._failed(f"no mail was sent about {left:,} findings: the end came first", None)

    def _serve(self) -> None:
        next_mail, failures = 0.0, 0
        while True:
            with self._changed:
                while not self._total and not self._closing:
                    self._changed.wait()
                due = max(next_mail, time.monotonic() + (_GATHERING if not failures else 0.0))
                while not self._closing and (left := due - time.monotonic()) > 0:
                    self._changed.wait(left)
                events, total, closing = list(self._waiting), self._total, self._closing
            if not total:
                return
            wrong = self._send(events[-LISTED:] if len(events) > LISTED else events, total)
            if not wrong:
                self._forget(len(events), total)
                next_mail, failures = time.monotonic() + self._settings.mail_every, 0
            else:
                failures += 1
                if failures == 1:
                    self._failed(f"no mail can be sent by {self._settings.smtp}: {wrong}", None)
                pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(failures - 1, 10))
                next_mail = time.monotonic() + pause
            if closing:
                return

    def _forget(self, sent: int, total: int) -> None:
        with self._changed:
            arrived = self._total - total
            self._total = arrived
            for _ in range(min(sent, max(0, len(self._waiting) - arrived))):
                self._waiting.popleft()

    def _send(self, events: Sequence[Event], total: int) -> str:
        """Send one mail; what went wrong, or an empty string."""
        host, port = self._where
        try:
            with smtplib.SMTP(host, port, timeout=_SECONDS) as server:
                refused = server.send_message(digest(events, total, self._settings))
        except (OSError, smtplib.SMTPException) as error:
            return clean(str(getattr(error, "strerror", None) or error) or type(error).__name__)
        if refused:
            self._failed(f"{self._settings.smtp} takes no mail for {', '.join(refused)}", None)
        return ""

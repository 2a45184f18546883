"""Telling systemd how it goes, where it asks (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress


class ServiceManager:
    """Tells the service manager that started this process; does nothing where none did."""

    def __init__(self) -> None:
        self._address = os.environ.pop("NOTIFY_SOCKET", "")
        microseconds = os.environ.pop("WATCHDOG_USEC", "")
        meant = os.environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_seconds = int(microseconds) / 2e6 if microseconds.isdigit() and meant else 0.0
        self._last = 0.0

    def ready(self) -> None:
        """The service serves."""
        self._say("READY=1")

    def reloading(self) -> None:
        """The service looks at its settings and its database again."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The service ends."""
        self._say("STOPPING=1")

    def status(self, text: str) -> None:
        """How it goes, in one line."""
        self._say(f"STATUS={text}")

    def longer(self, seconds: float) -> None:
        """Starting takes so much longer."""
        self._say(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def alive(self) -> None:
        """The service is not stuck; called often, tells when it is time."""
        now = time.monotonic()
        if self.watchdog_seconds and now - self._last >= self.watchdog_seconds:
            self._last = now
            self._say("WATCHDOG=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(text.encode(), address)

"""Events as RFC 5424 messages, over a UNIX datagram socket, UDP or TCP (octet counting).

Syslog acknowledges nothing. Over TCP a batch counts as delivered once the other machine's
kernel has acknowledged every byte of it and has not hung up; over UDP once nobody said that
nobody listens. That is as much as the protocol lets a sender know.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import select
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from tocsin.errors import ForwardError
from tocsin.protect.configuration.forms import read_host_port
from tocsin.protect.journal.event import Event, Severity
from tocsin.protect.journal.forward_text import clean, cut_bytes
from tocsin.protect.journal.store import Entry

FACILITY = 3
"""System daemons."""

LEVELS = {Severity.INFO: 6, Severity.NOTICE: 5, Severity.WARNING: 4, Severity.ALARM: 1}

_ELEMENT = "tocsin@32473"
"""The number is the one that is set aside for those without a number of their own (RFC 5612)."""

_SECONDS = 10.0
_MOST_BYTES = {"unix": 8192, "udp": 2048, "tcp": 65536}
_MOST_VALUE = 512
_UNSENT = 0x5411  # SIOCOUTQ
_NAME = re.compile(r"[^\x21-\x7e]")


def syslog_message(entry: Entry, host: str, most: int = 8192) -> bytes:
    """An event as one message of at most so many bytes; the end of its text is cut."""
    event = entry.event
    priority = FACILITY * 8 + LEVELS[event.severity]
    at = datetime.fromtimestamp(max(0.0, min(event.time, 253402300799.0)), UTC)
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    origin = _NAME.sub("_", host)[:255] or "-"
    header = f"<{priority}>1 {stamp} {origin} tocsin {os.getpid()} {event.kind.value} "
    data = _structured(event, entry.digest)
    start = header.encode() + data
    if len(start) > most - 200:
        start = header.encode() + _structured(Event(
            kind=event.kind, severity=event.severity, message="", origin="", number=event.number
        ), entry.digest)  # fmt: skip
    text = clean(event.message)
    if event.path and clean(event.path) not in text:
        text += f" ({clean(event.path)})"
    return start + b" " + cut_bytes(text, most - len(start) - 1)


def _structured(event: Event, digest: str) -> bytes:
    stated = {
        "number": event.number,
        "digest": digest,
        "severity": event.severity.value,
        "origin": event.origin,
        "path": event.path,
        "object": event.object,
        "verdict": event.verdict,
        "action": event.action,
        "sha256": event.sha256,
        "database": event.database,
        "program": event.program,
        "pid": event.pid or "",
        "uid": event.uid if event.uid >= 0 else "",
        "record": event.record,
    }
    pairs = [(name, str(value)) for name, value in stated.items() if value != ""]
    pairs += [("signature", name) for name in event.signatures[:8]]
    return "[{}{}]".format(
        _ELEMENT, "".join(f' {name}="{_value(value)}"' for name, value in pairs)
    ).encode()


def _value(text: str) -> str:
    short = cut_bytes(clean(text), _MOST_VALUE).decode()
    return short.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


class SyslogTarget:
    """A syslog receiver.

    Args:
        target: path of a UNIX datagram socket, `udp://host:port` or `tcp://host:port`.

    Attributes:
        batch: most events that are sent at once.
        where: the target for people.
    """

    batch = 100

    def __init__(self, target: str) -> None:
        self.where = target
        self._host = socket.gethostname()
        self._socket: socket.socket | None = None
        self._way = "unix"
        if "://" in target:
            self._way, _, rest = target.partition("://")
            found = read_host_port(rest)
            assert found is not None, "the settings were checked"
            self._address = found

    def send(self, entries: Sequence[Entry], journal: str) -> int:
        """Hand events over; how many arrived."""
        del journal
        sent = 0
        try:
            link = self._connected()
            for entry in entries:
                message = syslog_message(entry, self._host, _MOST_BYTES[self._way])
                if self._way == "tcp":
                    link.sendall(b"%d %s" % (len(message), message))
                else:
                    link.send(message)
                    self._refused(link)
                    sent += 1
            if self._way == "tcp":
                self._drained(link)
        except OSError as error:
            self.close()
            raise ForwardError(f"{self.where}: {_said(error)}", sent) from error
        return len(entries)

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is not None and self._way == "tcp" and _hung_up(self._socket):
            self.close()
        if self._socket is None:
            if self._way == "tcp":
                self._socket = socket.create_connection(self._address, timeout=_SECONDS)
            else:
                self._socket = self._datagrams()
                self._socket.settimeout(_SECONDS)
        return self._socket

    def _datagrams(self) -> socket.socket:
        if self._way == "unix":
            link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            places: list[tuple[int, object]] = [(socket.AF_UNIX, self.where)]
        else:
            found = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)
            places = [(family, address) for family, _, _, _, address in found]
            link = socket.socket(places[0][0], socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            link.connect(places[0][1])  # type: ignore[arg-type]  # as getaddrinfo gave it
        except BaseException:
            link.close()
            raise
        return link

    @staticmethod
    def _refused(link: socket.socket) -> None:
        """Hear that nobody listens, where the kernel knows it already."""
        code = link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))

    @staticmethod
    def _drained(link: socket.socket) -> None:
        """Wait until the other side's kernel has everything."""
        end = time.monotonic() + _SECONDS
        while int.from_bytes(fcntl.ioctl(link, _UNSENT, bytes(4)), "little"):
            if _hung_up(link):
                raise ConnectionResetError(errno.ECONNRESET, "the receiver hung up")
            if time.monotonic() > end:
                raise TimeoutError(errno.ETIMEDOUT, "the receiver does not take what is sent")
            time.sleep(0.005)
        if _hung_up(link):
            raise ConnectionResetError(errno.ECONNRESET, "the receiver hung up")


def _hung_up(link: socket.socket) -> bool:
    """Whether the other side has closed; what it says otherwise is thrown away."""
    with suppress(BlockingIOError):
        while select.select([link], [], [], 0)[0]:
            if not link.recv(4096, socket.MSG_DONTWAIT):
                return True
    return False


def _said(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__

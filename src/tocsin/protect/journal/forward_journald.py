"""Events to systemd's journal in its own protocol, with every field that can be searched for."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from array import array
from collections.abc import Iterator, Sequence

from tocsin.errors import ForwardError
from tocsin.protect.journal.content import to_bytes
from tocsin.protect.journal.forward_syslog import FACILITY, LEVELS
from tocsin.protect.journal.forward_text import clean
from tocsin.protect.journal.store import Entry

SOCKET = "/run/systemd/journal/socket"
_SECONDS = 10.0
_TOO_LONG = (errno.EMSGSIZE, errno.ENOBUFS)


def journald_fields(entry: Entry) -> Iterator[tuple[str, bytes]]:
    """The fields of an event; a path's bytes are kept as they are."""
    event = entry.event
    text = clean(event.message)
    if event.path and clean(event.path) not in text:
        text += f" ({clean(event.path)})"
    yield "MESSAGE", text.encode()
    yield "PRIORITY", str(LEVELS[event.severity]).encode()
    yield "SYSLOG_FACILITY", str(FACILITY).encode()
    yield "SYSLOG_IDENTIFIER", b"tocsin"
    yield "SYSLOG_PID", str(os.getpid()).encode()
    yield "TOCSIN_NUMBER", str(event.number).encode()
    yield "TOCSIN_DIGEST", entry.digest.encode()
    yield "TOCSIN_TIME", f"{event.time:.6f}".encode()
    for name in ("kind", "severity", "origin", "path", "object", "verdict", "action"):
        if value := str(getattr(event, name)):
            yield f"TOCSIN_{name.upper()}", to_bytes(value)
    for name in ("sha256", "database", "program", "record"):
        if value := str(getattr(event, name)):
            yield f"TOCSIN_{name.upper()}", to_bytes(value)
    for signature in event.signatures:
        yield "TOCSIN_SIGNATURE", to_bytes(signature)
    if event.size:
        yield "TOCSIN_SIZE", str(event.size).encode()
    if event.uid >= 0:
        yield "TOCSIN_UID", str(event.uid).encode()
    if event.pid:
        yield "TOCSIN_PID", str(event.pid).encode()


def journald_message(entry: Entry) -> bytes:
    """An event in the native protocol; a value with a line end is sent with its length."""
    message = bytearray()
    for name, value in journald_fields(entry):
        if b"\n" in value:
            message += name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
        else:
            message += name.encode() + b"=" + value + b"\n"
    return bytes(message)


class JournaldTarget:
    """systemd's journal.

    Args:
        target: its socket; empty for the usual one.

    Attributes:
        batch: most events that are sent at once.
        where: the target for people.
    """

    batch = 100

    def __init__(self, target: str = "") -> None:
        self.where = target or SOCKET

    def send(self, entries: Sequence[Entry], journal: str) -> int:
        """Hand events over; how many arrived."""
        del journal
        sent = 0
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
                link.settimeout(_SECONDS)
                link.connect(self.where)
                for entry in entries:
                    _send(link, journald_message(entry))
                    sent += 1
        except OSError as error:
            raise ForwardError(f"{self.where}: {error.strerror or error}", sent) from error
        return sent

    def close(self) -> None:
        """Nothing stays open."""


def _send(link: socket.socket, message: bytes) -> None:
    """Send a message; one that is too long for a datagram goes as a sealed file in memory."""
    try:
        link.send(message)
    except OSError as error:
        if error.errno not in _TOO_LONG:
            raise
        memory = os.memfd_create("tocsin-event", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with open(memory, "wb", closefd=False) as file:
                file.write(message)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [memory]))
            link.sendmsg([], [rights])
        finally:
            os.close(memory)

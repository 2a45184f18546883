"""Events to a web address: one POST with a JSON array, which counts when it is answered by 2xx.

A batch is sent again as it was until it is taken, under the same `Idempotency-Key`, so that a
receiver that took it while its answer was lost can tell. Each event also has an `id` that no
other event of any journal has.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from tocsin.errors import ForwardError
from tocsin.protect.configuration.describe import masked_address
from tocsin.protect.journal.content import to_bytes
from tocsin.protect.journal.forward_text import valid
from tocsin.protect.journal.store import Entry
from tocsin.version import VERSION

SECONDS = 10.0
"""For each step of an exchange."""

MOST_SECONDS = 30.0
"""For all of it, however slowly the other side speaks."""


def webhook_event(entry: Entry, journal: str) -> dict[str, Any]:
    """An event as an object of the array."""
    event = entry.event
    fields = ((name, getattr(event, name)) for name in event.__struct_fields__)
    stated = {name: value for name, value in fields if value not in ("", (), {})}
    plain = valid_values(msgspec.to_builtins(stated))
    assert isinstance(plain, dict)
    at = datetime.fromtimestamp(max(0.0, min(event.time, 253402300799.0)), UTC)
    plain["id"] = f"{journal}:{event.number}"
    plain["at"] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    plain["digest"] = entry.digest
    plain["host"] = socket.gethostname()
    if valid(event.path) != event.path:
        plain["path_base64"] = base64.b64encode(to_bytes(event.path)).decode()
    return plain


def valid_values(value: Any) -> Any:
    """Values in which every text is valid UTF-8."""
    if isinstance(value, str):
        return valid(value)
    if isinstance(value, dict):
        return {valid(str(key)): valid_values(held) for key, held in value.items()}
    if isinstance(value, list):
        return [valid_values(held) for held in value]
    return value


class WebhookTarget:
    """A web address.

    Args:
        address: `https://…` or `http://…`.
        headers: sent with each request.

    Attributes:
        batch: most events that are sent at once.
        where: the target for people, without what can be a key.
    """

    batch = 100

    def __init__(self, address: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(address)
        self.where = masked_address(address)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = {
            "Content-Type": "application/json",
            "User-Agent": f"tocsin/{VERSION}",
            **headers,
        }
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        self._again: tuple[str, int] | None = None

    def send(self, entries: Sequence[Entry], journal: str) -> int:
        """Hand events over; how many arrived."""
        if self._again is not None and self._again[0] == f"{journal}:{entries[0].event.number}":
            entries = [e for e in entries if e.event.number <= self._again[1]]
        first, last = entries[0].event.number, entries[-1].event.number
        body = json.dumps([webhook_event(entry, journal) for entry in entries]).encode()
        self._again = (f"{journal}:{first}", last)
        try:
            status = self._post(body, f"{journal}-{first}-{last}")
        except (OSError, http.client.HTTPException) as error:
            raise ForwardError(f"{self.where}: {_said(error)}") from error
        if not 200 <= status < 300:
            if status == 413 and len(entries) > 1:  # too much at once: half of it the next time
                self._again = (f"{journal}:{first}", entries[len(entries) // 2 - 1].event.number)
            raise ForwardError(f"{self.where}: answered by {status} instead of 2xx")
        self._again = None
        return len(entries)

    def close(self) -> None:
        """Nothing stays open."""

    def _post(self, body: bytes, key: str) -> int:
        connection: http.client.HTTPConnection
        if self._secure:
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=SECONDS, context=context
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=SECONDS)
        patience = threading.Timer(MOST_SECONDS, _cut, (connection,))
        patience.daemon = True
        patience.start()
        try:
            headers = {**self._headers, "Idempotency-Key": key, "Connection": "close"}
            connection.request("POST", self._path, body, headers)
            return connection.getresponse().status  # where it would redirect to is not asked
        finally:
            patience.cancel()
            connection.close()


def _cut(connection: http.client.HTTPConnection) -> None:
    """End an exchange that the other side draws out."""
    link = connection.sock
    if link is not None:
        with suppress(OSError):
            link.shutdown(socket.SHUT_RDWR)


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not hold: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__

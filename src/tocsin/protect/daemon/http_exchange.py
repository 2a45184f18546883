"""One request and its answer over HTTP/1.1, by `h11`; what a route gets and gives."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import h11

MOST_BODY = 4 << 20
PATIENCE = 30.0
"""Seconds for a whole request."""

_LISTENING = 120.0
"""Seconds for a client to take a piece of its answer."""


class Request(NamedTuple):
    """A request that has wholly come.

    Attributes:
        method: `GET` or `POST`, in capitals.
        path: without the query.
        query: its last value for each name.
        body: the bytes.
    """

    method: str
    path: str
    query: dict[str, str]
    body: bytes

    def values(self) -> dict[str, Any]:
        """The body as a JSON object; empty without one.

        Raises:
            ValueError: it is none.
        """
        if not self.body:
            return {}
        read = json.loads(self.body)
        return dict(read.items()) if isinstance(read, dict) else _refuse("no JSON object")


def _refuse(what: str) -> dict[str, Any]:
    raise ValueError(f"the body is {what}")


class Exchange:
    """Reads requests from a connection and writes answers.

    Args:
        reader: of the connection.
        writer: of the connection.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=64 << 10)

    async def next(self) -> Request | None:
        """The next request, or None when the client has gone.

        Raises:
            h11.RemoteProtocolError: it speaks something else.
            TimeoutError: it is too slow.
            ValueError: its body is too long.
        """
        async with asyncio.timeout(PATIENCE):  # for all of it, not for each piece
            return await self._whole()

    async def _whole(self) -> Request | None:
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    await self._send(h11.InformationalResponse(status_code=100, headers=[]))
                data = await self._reader.read(65536)
                self._http.receive_data(data)
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MOST_BODY:
                    raise ValueError("the body is too long")
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                target = urlsplit(head.target.decode("ascii", "replace"))
                query = dict(parse_qsl(target.query, errors="surrogateescape"))
                return Request(head.method.decode("ascii"), target.path, query, bytes(body))
            else:  # closed, paused
                return None

    async def answer(self, status: int, content: bytes, kind: str = "application/json") -> None:
        """Write a whole answer."""
        headers = [("Content-Type", kind), ("Content-Length", str(len(content)))]
        await self._send(h11.Response(status_code=status, headers=headers))
        await self._send(h11.Data(data=content))
        await self._send(h11.EndOfMessage())

    async def values(self, status: int, values: object) -> None:
        """Write plain values as JSON."""
        await self.answer(status, json.dumps(values).encode() + b"\n")

    async def begin_lines(self) -> None:
        """Begin an answer of JSON lines, whose length is not known yet."""
        headers = [("Content-Type", "application/x-ndjson"), ("Transfer-Encoding", "chunked")]
        await self._send(h11.Response(status_code=200, headers=headers))

    async def line(self, values: object) -> None:
        """One JSON line."""
        await self._send(h11.Data(data=json.dumps(values).encode() + b"\n"))

    async def end_lines(self) -> None:
        """The lines are complete."""
        await self._send(h11.EndOfMessage())

    @property
    def has_left(self) -> bool:
        """Whether the client says nothing more, or has gone."""
        return self._reader.at_eof()

    @property
    def begun(self) -> bool:
        """Whether an answer has begun."""
        return self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE)

    @property
    def can_go_on(self) -> bool:
        """Whether another request may come."""
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _send(self, event: Any) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)
            async with asyncio.timeout(_LISTENING):
                await self._writer.drain()

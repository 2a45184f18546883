"""The JSON API: HTTP over a UNIX socket, for this project's own commands and for monitoring.

| | | for |
|---|---|---|
| `GET /v1/status` | what protects this device now | anybody |
| `GET /metrics` | the same as numbers, for Prometheus | anybody |
| `POST /v1/scan` | `{"paths": […], "all_matches": false}`: a report a line | what they may read |
| `POST /v1/reload` | look at the database's sources again | anybody |
| `GET /v1/events` | the journal, see `_wanted_events` | root and the group |
| `POST /v1/act` | `{"verb": …, "arguments": {…}}`: see `keeper_actions` | root and the group |
| `POST /v1/shutdown` | end the daemon | root and the group |

The metrics listener over TCP answers `/metrics` and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections import Counter
from typing import TYPE_CHECKING, Any

import h11

from tocsin.engine.report import Report, SkippedObject
from tocsin.errors import TocsinError
from tocsin.protect.daemon.http_exchange import Exchange, Request
from tocsin.protect.daemon.keeper_messages import ActedNote, RefusedNote
from tocsin.protect.daemon.listening import BACKLOG
from tocsin.protect.daemon.peer import Peer, is_admin, peer_of
from tocsin.protect.journal.event import Kind, Severity
from tocsin.protect.journal.filters import Filter

if TYPE_CHECKING:
    from tocsin.protect.daemon.clamd_server import Control
    from tocsin.protect.daemon.front import Front
    from tocsin.protect.daemon.metrics import Metrics

MOST_CLIENTS = 50
"""Connections of one user at a time."""

MOST_PATHS = 10_000
"""Of one request."""

_MOST_EVENTS = 1000
_LOOK_EVERY = 1.0
_MOST_NUMBER = 1 << 62


class Client:
    """Who asks.

    Attributes:
        connection: descriptor of the connection.
        peer: who it is.
        admin: whether it may change things.
    """

    def __init__(self, connection: int, peer: Peer, *, admin: bool) -> None:
        self.connection = connection
        self.peer = peer
        self.admin = admin


class ApiServer:
    """Answers requests.

    Args:
        front: what it tells of.
        control: what clients may have the daemon do.

    Attributes:
        busy: requests that are being answered.
    """

    def __init__(self, front: Front, control: Control) -> None:
        self._front = front
        self._control = control
        self._metrics: Metrics | None = None
        self._servers: list[asyncio.Server] = []
        self._clients: Counter[int] = Counter()
        self.busy = 0

    async def listen(self, api: socket.socket | None, metrics: socket.socket | None) -> None:
        """Accept clients."""
        if api is not None:
            self._servers.append(
                await asyncio.start_unix_server(self._api_client, sock=api, backlog=BACKLOG)
            )
        if metrics is not None:
            self._servers.append(
                await asyncio.start_server(self._metrics_client, sock=metrics, backlog=BACKLOG)
            )

    def stop_accepting(self) -> None:
        """Take no new clients."""
        for server in self._servers:
            server.close()

    async def _api_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        try:
            peer = peer_of(connection)
        except OSError:
            writer.close()
            return
        admin = is_admin(peer, self._front.admin_gid, self._front.owner)
        await self._serve(reader, writer, Client(connection.fileno(), peer, admin=admin))

    async def _metrics_client(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await self._serve(reader, writer, None)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: Client | None
    ) -> None:
        owner = client.peer.uid if client is not None else -1
        self._clients[owner] += 1
        exchange = Exchange(reader, writer)
        try:
            most = (
                MOST_CLIENTS if owner else 4 * MOST_CLIENTS
            )  # root has commands of its own to run
            while self._clients[owner] <= most and (request := await exchange.next()) is not None:
                self.busy += 1
                try:
                    await self._route(exchange, request, client)
                finally:
                    self.busy -= 1
                if not exchange.can_go_on:
                    break
        except (h11.ProtocolError, TimeoutError, ValueError, ConnectionError, TocsinError):
            pass  # who speaks something else, or too slowly, is not answered
        finally:
            self._clients[owner] -= 1
            if not self._clients[owner]:
                del self._clients[owner]
            writer.close()

    async def _route(self, exchange: Exchange, request: Request, client: Client | None) -> None:
        front = self._front
        where = (request.method, request.path)
        try:
            if where == ("GET", "/metrics"):
                await exchange.answer(200, *self._metrics_page())
            elif client is None:
                await _trouble(exchange, 404, "only /metrics is here")
            elif where == ("GET", "/v1/status"):
                await exchange.values(200, front.status(paths=client.admin))
            elif where == ("POST", "/v1/scan"):
                await self._scan(exchange, request, client)
            elif where == ("POST", "/v1/reload"):
                self._control.reload(f"user {client.peer.uid}")
                await exchange.values(202, {"reload": "asked for"})
            elif request.path not in ("/v1/events", "/v1/act", "/v1/shutdown"):
                await _trouble(exchange, 404, f"there is nothing at {request.path}")
            elif not client.admin:
                group = front.settings.daemon.admin_group
                who = f"root and members of {group!r}" if group else "root"
                await _trouble(exchange, 403, f"only {who} may do this")
            elif where == ("GET", "/v1/events"):
                await self._events(exchange, request)
            elif where == ("POST", "/v1/act"):
                await self._act(exchange, request, client)
            elif where == ("POST", "/v1/shutdown"):
                self._control.shutdown(f"user {client.peer.uid}")
                await exchange.values(202, {"shutdown": "asked for"})
            else:
                await _trouble(exchange, 405, f"{request.method} is not for {request.path}")
        except (ValueError, KeyError, TypeError) as error:
            if exchange.begun:
                raise
            await _trouble(exchange, 400, f"the request makes no sense: {error}")
        except TocsinError as error:
            if exchange.begun:
                raise
            await _trouble(exchange, 500, str(error))

    def _metrics_page(self) -> tuple[bytes, str]:
        """The page and its type; its library is loaded when somebody asks."""
        from tocsin.protect.daemon.metrics import CONTENT_TYPE, Metrics

        if self._metrics is None:
            self._metrics = Metrics(self._front)
        return self._metrics.page(), CONTENT_TYPE

    async def _events(self, exchange: Exchange, request: Request) -> None:
        read, wanted = self._front.recorder.read, _wanted_events(request.query)
        events = await asyncio.get_running_loop().run_in_executor(None, read, wanted)
        await exchange.values(200, {"events": events})

    async def _act(self, exchange: Exchange, request: Request, client: Client) -> None:
        values = request.values()
        verb, arguments = str(values["verb"]), dict(values.get("arguments", {}))
        acted: asyncio.Future[ActedNote] = asyncio.get_running_loop().create_future()
        self._front.keeper.act(verb, arguments, client.connection, _once(acted))
        note = await acted
        if note.forbidden:
            await _trouble(exchange, 403, note.trouble)
        elif note.trouble:
            await _trouble(exchange, 409, note.trouble)
        else:
            await exchange.values(200, {"result": json.loads(note.values)})

    async def _scan(self, exchange: Exchange, request: Request, client: Client) -> None:
        values = request.values()
        paths = values["paths"]
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            raise ValueError("'paths' is no list of texts")
        if len(paths) > MOST_PATHS:
            raise ValueError(f"{len(paths)} paths are more than {MOST_PATHS}")
        every = bool(values.get("all_matches", False))
        await exchange.begin_lines()
        for path in paths:
            listing = _ApiScan(self._front, client, every=every)
            listing.start(os.fsencode(path))
            try:
                while (report := await _next(listing.queue, exchange)) is not None:
                    await exchange.line(report.to_dict())
                    listing.taken()
            finally:
                listing.cancel()
        await exchange.end_lines()


class _ApiScan:
    """One path of a scan: reports come in a queue, None at their end."""

    def __init__(self, front: Front, client: Client, *, every: bool) -> None:
        self._front = front
        self._client = client
        self._every = every
        self._running: set[int] = set()
        self._number = 0
        self._opened_all = False
        self._gone = False
        self.queue: asyncio.Queue[Report | None] = asyncio.Queue()

    def start(self, path: bytes) -> None:
        self._number = self._front.keeper.open(
            path, self._client.connection, self._front.jobs * 2, self, networked=False
        )

    def cancel(self) -> None:
        self._gone = True
        self._front.keeper.cancel(self._number)
        for number in self._running:
            self._front.service.cancel(number)

    def taken(self) -> None:
        """A report was passed on: one more file may be opened."""
        self._front.keeper.more(self._number)

    def opened(self, path: bytes, descriptor: int, mark: bytes) -> None:
        """A file was opened; the descriptor is this object's. It is looked at in any case."""
        del mark
        if self._gone:
            os.close(descriptor)
            return
        number = 0

        def done(report: Report) -> None:
            self._running.discard(number)
            self._front.saw(report, self._client.peer)
            self.queue.put_nowait(report)
            self._end_if_done()

        number = self._front.service.scan(
            os.fsdecode(path),
            done,
            owner=self._client.peer.uid,
            descriptor=descriptor,
            all_matches=self._every,
        )
        self._running.add(number)

    def refused(self, note: RefusedNote) -> None:
        """Something could not be opened."""
        report = Report(os.fsdecode(note.path))
        if note.excluded:
            skipped = SkippedObject(report.path, "allowed", "excluded by the settings")
            report.skipped.append(skipped)
        else:
            report.errors.append(note.reason)
        self.queue.put_nowait(report)

    def finished(self) -> None:
        """Nothing more will be opened."""
        self._opened_all = True
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._opened_all and not self._running:
            self.queue.put_nowait(None)


def _wanted_events(query: dict[str, str]) -> Filter:
    """Which events are asked for: `after` a number, at most `limit`; of certain `kinds`.

    `kinds` are separated by commas, `severity` is the least, `since` and `until` count from 1970,
    `path` and `signature` are globs, `action` and `text` as `tocsin events` has them; `newest=1`
    wants the last of them instead of the first.

    Raises:
        ValueError: it makes no sense.
    """
    kinds = query.get("kinds", "")
    return Filter(
        kinds=tuple(map(Kind, kinds.split(","))) if kinds else (),
        severity=Severity(query.get("severity", "info")),
        since=float(query["since"]) if "since" in query else None,
        until=float(query["until"]) if "until" in query else None,
        path=query.get("path", ""),
        signature=query.get("signature", ""),
        action=query.get("action", ""),
        text=query.get("text", ""),
        after=max(0, min(int(query.get("after", "0")), _MOST_NUMBER)),
        limit=max(1, min(int(query.get("limit", "100")), _MOST_EVENTS)),
        newest=query.get("newest", "") == "1",
    )


async def _next(queue: asyncio.Queue[Report | None], exchange: Exchange) -> Report | None:
    """The next report, or None at their end.

    Raises:
        ConnectionError: the client has gone.
    """
    while True:
        try:
            async with asyncio.timeout(_LOOK_EVERY):
                return await queue.get()
        except TimeoutError:
            if exchange.has_left:
                raise ConnectionResetError("the client has gone") from None


def _once(future: asyncio.Future[ActedNote]) -> Any:
    def done(note: ActedNote) -> None:
        if not future.done():
            future.set_result(note)

    return done


async def _trouble(exchange: Exchange, status: int, message: str) -> None:
    await exchange.values(status, {"error": message})

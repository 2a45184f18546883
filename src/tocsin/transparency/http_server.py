"""An HTTP/1.1 server that no client can hold up: every wait and every size has a bound.

It reads whole requests, has a plain function answer them in a thread, and keeps connections open
for more. When all connections are taken, the one that has waited longest without a whole request
gives way.

Specification: RFC 9112, by `h11`.
"""

from __future__ import annotations

import asyncio
import io
import ipaddress
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

import h11

from tocsin.transparency.errors import WitnessError
from tocsin.transparency.witness import Answer

_CHUNK = 1 << 16
_LINGER = 1.0
_LINGER_BYTES = 4 << 20
_TOO_MUCH = Answer(413, b"the body is too long\n")
_TOO_SLOW = Answer(408, b"the request took too long\n")
_GARBLED = Answer(400, b"this is no request of HTTP/1.1\n")
_BUSY = Answer(503, b"too many connections; try again later\n")


class Limits(NamedTuple):
    """What one client, and all of them, may take.

    Attributes:
        idle: seconds that a connection may wait for a request to begin.
        head: seconds for a request's line and headers.
        body: seconds for its body.
        answer: seconds in which an answer must be taken; for a file, as much again as it takes at
            `least_speed`.
        least_speed: bytes a second at which a file must be taken.
        head_bytes: most of the line and headers.
        connections: at once.
        of_one: at once from one address; those of this machine are not counted, as a proxy is.
        threads: that answer.
        farewell: seconds that requests have to be answered when the server ends.
    """

    idle: float = 30.0
    head: float = 10.0
    body: float = 20.0
    answer: float = 20.0
    least_speed: float = 16384.0
    head_bytes: int = 16 << 10
    connections: int = 256
    of_one: int = 32
    threads: int = 8
    farewell: float = 10.0


class FileAnswer(NamedTuple):
    """A part of a file as an answer; it is closed when it was sent.

    Attributes:
        status: of HTTP.
        file: open without a buffer, at the part's beginning.
        length: of the part, in bytes.
        headers: besides those of length and type, name and value.
    """

    status: int
    file: io.FileIO
    length: int
    headers: tuple[tuple[str, str], ...] = ()


class Request(NamedTuple):
    """A request that has wholly come.

    Attributes:
        method: in capitals.
        path: without a query.
        headers: names in small letters.
        body: bytes, as they came.
    """

    method: str
    path: str
    headers: dict[bytes, bytes]
    body: bytes


Handler = Callable[[Request], Answer | FileAnswer]
"""Answers a request, in a thread."""

MostBytes = Callable[[str, str], int]
"""The longest body that is read for a method and a path."""


class HttpServer:
    """Serves until it is told to stop.

    Args:
        handler: answers.
        most_bytes: bounds bodies.
        limits: on time and number.
        report: is told of what went wrong inside, in one line.
    """

    def __init__(
        self,
        handler: Handler,
        most_bytes: MostBytes,
        *,
        limits: Limits = Limits(),  # noqa: B008
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._handler = handler
        self._most_bytes = most_bytes
        self._limits = limits
        self._report = report
        self._threads = ThreadPoolExecutor(limits.threads, "answer")
        self._clients: dict[asyncio.Task[None], str] = {}
        self._waiting: dict[asyncio.Task[None], float] = {}
        self._addresses: Counter[str] = Counter()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Take no more requests, answer those that have come, and end."""
        self._stopping.set()

    async def serve(
        self, host: str, port: int, ready: Callable[[str, int], None] = lambda _host, _port: None
    ) -> None:
        """Serve until `stop`, SIGTERM or SIGINT.

        Args:
            host: address to listen at.
            port: 0 for any.
            ready: is told the address and port when it listens.

        Raises:
            WitnessError: it cannot listen there.
        """
        try:
            server = await asyncio.start_server(self._accepted, host, port, limit=_CHUNK)
        except OSError as error:
            raise WitnessError(
                f"cannot listen at {host}:{port}: {error.strerror or error}"
            ) from error
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(ValueError, RuntimeError, NotImplementedError):  # not the main thread
                loop.add_signal_handler(number, self.stop)
        bound = server.sockets[0].getsockname()
        ready(bound[0], bound[1])
        try:
            await self._stopping.wait()
        finally:
            server.close()
            for task in list(self._waiting):
                task.cancel()
            if self._clients:
                await asyncio.wait(list(self._clients), timeout=self._limits.farewell)
            for task in list(self._clients):
                task.cancel()
            self._threads.shutdown(wait=False, cancel_futures=True)

    # --- one connection ----------------------------------------------------------------------

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        address = _address(writer)
        self._clients[task] = address
        self._addresses[address] += 1
        try:
            connection = _Connection(reader, writer, self._limits)
            if self._has_no_room(address):
                await connection.answer(_BUSY)
            else:
                await self._converse(connection, task)
        except asyncio.CancelledError:
            pass  # it gave way to another, or the server ends
        except (TimeoutError, OSError, h11.LocalProtocolError):
            pass
        finally:
            self._waiting.pop(task, None)
            del self._clients[task]
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]
            await _end(reader, writer)

    def _has_no_room(self, address: str) -> bool:
        if self._addresses[address] > self._limits.of_one and not _is_here(address):
            return True
        if len(self._clients) <= self._limits.connections:
            return False
        if not self._waiting:
            return True
        longest = min(self._waiting, key=self._waiting.__getitem__)
        del self._waiting[longest]
        longest.cancel()
        return False

    async def _converse(self, connection: _Connection, task: asyncio.Task[None]) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            self._waiting[task] = loop.time()
            try:
                request = await connection.next(self._most_bytes)
            except h11.RemoteProtocolError:
                request = _GARBLED
            finally:
                self._waiting.pop(task, None)
            if request is None:
                return
            if isinstance(request, Answer):
                await connection.answer(request)
                return
            answer = await loop.run_in_executor(self._threads, self._answered, request)
            last = self._stopping.is_set()
            if isinstance(answer, Answer):
                await connection.answer(answer, last=last)
            else:
                with answer.file:
                    await connection.send_file(answer, self._read, last=last)
            if not connection.goes_on():
                return

    async def _read(self, file: io.FileIO, length: int) -> bytes | None:
        """Read from a file in a thread: a disk may take its time."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, file.read, length)

    def _answered(self, request: Request) -> Answer | FileAnswer:
        try:
            return self._handler(request)
        except Exception as error:  # whoever asked learns nothing of this machine
            self._report(f"{request.method} {request.path[:100]}: {error}")
            return Answer(500, b"this failed here; try again later\n")


class _Connection:
    """Reads requests and writes answers."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._limits = limits
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes)
        self._with_body = True

    async def next(self, most_bytes: MostBytes) -> Request | Answer | None:
        """The next request; an answer to one that is refused; None when the client has gone.

        Raises:
            h11.RemoteProtocolError: it speaks something else.
        """
        event = self._http.next_event()
        if event is h11.NEED_DATA and not self._http.trailing_data[0]:
            try:
                async with asyncio.timeout(self._limits.idle):
                    await self._receive()
            except TimeoutError:
                return None
            event = self._http.next_event()
        try:
            async with asyncio.timeout(self._limits.head):
                while event is h11.NEED_DATA:
                    await self._receive()
                    event = self._http.next_event()
            if not isinstance(event, h11.Request):
                return None
            async with asyncio.timeout(self._limits.body):
                return await self._body(event, most_bytes)
        except TimeoutError:
            return _TOO_SLOW

    async def _body(self, head: h11.Request, most_bytes: MostBytes) -> Request | Answer | None:
        method = head.method.decode("ascii", "replace")
        self._with_body = method != "HEAD"  # RFC 9110, section 9.3.2
        path = head.target.decode("ascii", "replace").partition("?")[0]
        headers = dict(head.headers)
        most = most_bytes(method, path)
        if int(headers.get(b"content-length", b"0")[:20]) > most:  # h11 checked that it is a number
            return _TOO_MUCH
        body = bytearray()
        while True:
            event: Any = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    await self._send(h11.InformationalResponse(status_code=100, headers=[]))
                await self._receive()
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > most:
                    return _TOO_MUCH
            elif isinstance(event, h11.EndOfMessage):
                return Request(method, path, headers, bytes(body))
            else:
                return None

    async def _receive(self) -> None:
        self._http.receive_data(await self._reader.read(_CHUNK))

    async def answer(self, answer: Answer, *, last: bool = False) -> None:
        """Write an answer; the connection ends with it if it is the last."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        more = [("Content-Type", answer.content_type), *answer.headers]
        await self._begin(answer.status, len(answer.body), more, last=last)
        if self._with_body:
            await self._send(h11.Data(data=answer.body))
        await self._send(h11.EndOfMessage())

    async def send_file(
        self,
        answer: FileAnswer,
        read: Callable[[io.FileIO, int], Awaitable[bytes | None]],
        *,
        last: bool,
    ) -> None:
        """Write a part of a file, a piece at a time.

        Raises:
            TimeoutError: the client takes it too slowly, as a whole or a piece of it.
        """
        more = [("Content-Type", "application/octet-stream"), *answer.headers]
        whole = self._limits.answer + answer.length / self._limits.least_speed
        async with asyncio.timeout(whole):
            await self._begin(answer.status, answer.length, more, last=last)
            left = answer.length if self._with_body else 0
            while left:
                piece = await read(answer.file, min(_CHUNK, left))
                if not piece:  # it was cut meanwhile; so is the answer, and the client sees it
                    raise OSError("the file has become shorter")
                await self._send(h11.Data(data=piece))
                left -= len(piece)
            await self._send(h11.EndOfMessage())

    async def _begin(
        self, status: int, length: int, more: Sequence[tuple[str, str]], *, last: bool
    ) -> None:
        headers = [
            *more,
            ("Content-Length", str(length)),
            ("X-Content-Type-Options", "nosniff"),
        ]
        if last or self._http.their_state is not h11.DONE:
            headers.append(("Connection", "close"))
        await self._send(h11.Response(status_code=status, headers=headers))

    def goes_on(self) -> bool:
        """Whether another request may come; makes ready for it."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def _send(self, event: Any) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)
            async with asyncio.timeout(self._limits.answer):
                await self._writer.drain()


async def _end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close a connection so that the client still gets what was written.

    Closed at once, with bytes of the client's unread, it would be reset and the answer lost.
    """
    left = _LINGER_BYTES
    try:
        async with asyncio.timeout(_LINGER):
            if not reader.at_eof() and writer.can_write_eof():
                writer.write_eof()
                while left > 0 and (data := await reader.read(_CHUNK)):
                    left -= len(data)
            writer.close()
            await writer.wait_closed()
    except (TimeoutError, OSError, asyncio.CancelledError):
        writer.transport.abort()


def _address(writer: asyncio.StreamWriter) -> str:
    peer = writer.get_extra_info("peername")
    return str(peer[0]) if peer else ""


def _is_here(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False

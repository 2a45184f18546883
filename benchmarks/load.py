"""Many clients of the clamd protocol at a time, in one process that costs little itself.

Each client connects, says one command, hears the answer to its end and begins anew, as mail
filters do. The driver is one epoll loop: what is measured is the daemon, on the other end.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

PATIENCE = 120.0


class Request(NamedTuple):
    """What one client says.

    Attributes:
        message: the bytes, whole.
        size: bytes that are to be scanned by it.
        accepts: whether an answer is right.
    """

    message: bytes
    size: int
    accepts: Callable[[bytes], bool]


class Outcome(NamedTuple):
    """What came of a run.

    Attributes:
        requests: answered.
        size: bytes scanned.
        seconds: it took.
        wrong: answers that were not right, and how often each came.
        waits: seconds from connecting to the end of the answer, of each request.
    """

    requests: int
    size: int
    seconds: float
    wrong: Counter[str]
    waits: list[float]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    def quantile(self, share: float) -> float:
        """The wait that a share of the requests did not exceed, in seconds."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def clean(answer: bytes) -> bool:
    """Nothing was found."""
    return answer.endswith(b": OK\0")


def any_verdict(answer: bytes) -> bool:
    """Clean or found; no error."""
    return answer.endswith((b": OK\0", b" FOUND\0"))


def found(answer: bytes) -> bool:
    """Something was found."""
    return answer.endswith(b" FOUND\0")


def instream(data: bytes, accepts: Callable[[bytes], bool] = clean) -> Request:
    """A stream, in one piece."""
    message = b"zINSTREAM\0" + struct.pack(">I", len(data)) + data + bytes(4)
    return Request(message, len(data), accepts)


def scan(path: str, accepts: Callable[[bytes], bool] = any_verdict) -> Request:
    """A path."""
    return Request(b"zSCAN " + os.fsencode(path) + b"\0", os.path.getsize(path), accepts)


class _Client:
    """One connection."""

    def __init__(self, end: socket.socket, request: Request) -> None:
        self.end = end
        self.request = request
        self.unsent = memoryview(request.message)
        self.answer = b""
        self.began = time.perf_counter()


class Driver:
    """Keeps so many clients busy.

    Args:
        path: the daemon's socket.
        requests: what clients say, one after the other.
        clients: how many at a time.
    """

    def __init__(self, path: str, requests: Iterator[Request], clients: int) -> None:
        self._path = path
        self._requests = requests
        self._clients = clients
        self._selector = selectors.DefaultSelector()
        self._busy = 0
        self._done = 0
        self._size = 0
        self._wrong: Counter[str] = Counter()
        self._waits: list[float] = []

    def run(self, now_and_then: Callable[[], None] | None = None) -> Outcome:
        """Until there are no more requests and all are answered."""
        began = time.perf_counter()
        next_call = began + 1.0
        more = True
        while more or self._busy:
            while more and self._busy < self._clients:
                more = self._begin()
            if not self._busy:
                continue
            events = self._selector.select(PATIENCE)
            if not events:
                self._wrong["no answer in time"] += self._busy
                break
            for key, mask in events:
                self._go_on(key.data, mask)
            if now_and_then is not None and time.perf_counter() >= next_call:
                next_call += 1.0
                now_and_then()
        seconds = time.perf_counter() - began
        self._selector.close()
        return Outcome(self._done, self._size, seconds, self._wrong, self._waits)

    def _begin(self) -> bool:
        request = next(self._requests, None)
        if request is None:
            return False
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        end.setblocking(False)
        client = _Client(end, request)
        while True:
            try:
                end.connect(self._path)
                break
            except BlockingIOError:  # its queue of connections is full: wait as any client would
                end.setblocking(True)
                end.connect(self._path)
                end.setblocking(False)
                break
            except OSError as error:
                self._wrong[f"connect: {error.strerror}"] += 1
                end.close()
                return True
        self._busy += 1
        if self._send(client):
            self._selector.register(end, selectors.EVENT_READ, client)
        elif client.end.fileno() >= 0:
            both = selectors.EVENT_READ | selectors.EVENT_WRITE
            self._selector.register(end, both, client)
        return True

    def _send(self, client: _Client) -> bool:
        """Send what there is room for; whether all was sent."""
        try:
            sent = client.end.send(client.unsent)
        except BlockingIOError:
            return not client.unsent
        except OSError as error:
            self._end(client, f"send: {error.strerror}")
            return False
        client.unsent = client.unsent[sent:]
        return not client.unsent

    def _go_on(self, client: _Client, mask: int) -> None:
        if mask & selectors.EVENT_WRITE and client.unsent:
            if self._send(client):
                self._selector.modify(client.end, selectors.EVENT_READ, client)
            return
        try:
            chunk = client.end.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(client, f"recv: {error.strerror}")
            return
        if chunk:
            client.answer += chunk
            return
        right = client.request.accepts(client.answer)
        self._end(client, "" if right else repr(client.answer[:120]))

    def _end(self, client: _Client, trouble: str) -> None:
        if client.end.fileno() < 0:
            return
        with contextlib.suppress(KeyError):
            self._selector.unregister(client.end)
        client.end.close()
        self._busy -= 1
        self._done += 1
        self._size += client.request.size
        self._waits.append(time.perf_counter() - client.began)
        if trouble:
            self._wrong[trouble] += 1


def drive(
    path: str,
    requests: Iterator[Request],
    clients: int,
    now_and_then: Callable[[], None] | None = None,
) -> Outcome:
    """Keep so many clients busy until there are no more requests."""
    return Driver(path, requests, clients).run(now_and_then)

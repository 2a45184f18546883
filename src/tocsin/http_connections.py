"""Connections over HTTP that end when their time is over, and the proxy that they go through.

What fetches a log's files, an update's and a source's differs in what it keeps and what it says
when something is wrong: a bounded value, a stream that python-tuf reads, a file that is gone on
with after days. What a server can do to all of them is one thing, and is held here.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_current = threading.local()
_LIBRARY_WORDS = re.compile(r"(?:<[^>]*>|HTTPS?Connection(?:Pool)?\([^)]*\)): ")


class Deadline:
    """Ends the connections of this thread when their time is over; use it in a `with` block.

    A timeout of the socket begins anew with every byte that comes, so it does not end a server
    that sends one now and then.

    Args:
        seconds: from now on, or from the connection on.
        from_connection: whether the time begins when the first request has been sent.

    Attributes:
        over: whether the time is over. Headers and bodies that end then may look whole.
    """

    def __init__(self, seconds: float, *, from_connection: bool = False) -> None:
        self.over = False
        self._seconds = seconds
        self._late = from_connection
        self._until = 0.0
        self._sockets: list[socket.socket] = []
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Deadline:
        self._outer = getattr(_current, "deadline", None)
        _current.deadline = self
        if not self._late:
            self._start()
        return self

    def __exit__(self, *_: object) -> None:
        _current.deadline = self._outer
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._sockets.clear()

    def later(self, seconds: float) -> None:
        """Let the time be over so many seconds from now, unless it would be later anyway."""
        self._until = max(self._until, time.monotonic() + seconds)

    def covers(self, sock: socket.socket | None) -> None:
        """End this connection too.

        Raises:
            TimeoutError: the time is over already, as when this is another try.
        """
        if self._timer is None:
            self._start()
        with self._lock:
            if sock is not None:
                self._sockets.append(sock)
        if self.over:
            raise TimeoutError("the time for this file is over")

    def _start(self) -> None:
        self.later(self._seconds)
        self._arm(self._seconds)

    def _arm(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def _end(self) -> None:
        with self._lock:
            left = self._until - time.monotonic()
            if left > 0:
                self._arm(left)
                return
            self.over = True
            for each in self._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


class _Watched:
    """A connection that the deadline of its thread can end from its first byte on."""

    sock: socket.socket | None

    def getresponse(self) -> Any:
        """Wait for the headers."""
        deadline = getattr(_current, "deadline", None)
        if deadline is not None:
            deadline.covers(self.sock)
        response = super().getresponse()  # type: ignore[misc]
        if deadline is not None and deadline.over:  # to http.client, headers cut off are whole
            raise TimeoutError("the headers took too long")
        return response


class _Plain(_Watched, HTTPConnection):
    """Over TCP."""


class _Secure(_Watched, HTTPSConnection):
    """Over TLS."""


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


def watched_pool(
    proxy: str = "", *, proxy_headers: dict[str, str] | None = None, **options: Any
) -> urllib3.PoolManager:
    """Connections that a `Deadline` can end.

    Args:
        proxy: its address; empty for none.
        proxy_headers: what the proxy is told.
        options: as urllib3 takes them.
    """
    manager: urllib3.PoolManager
    if proxy:
        manager = urllib3.ProxyManager(proxy, proxy_headers=proxy_headers, **options)
    else:
        manager = urllib3.PoolManager(**options)
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
    return manager


def environment_proxy(url: str) -> str:
    """The proxy that the environment names for an address (`https_proxy`, `no_proxy`), or empty."""
    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    return "" if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]) else proxy


def reason_of(error: BaseException) -> str:
    """Why it went wrong, without the layers and names of the library."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return reason_of(reason)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return _LIBRARY_WORDS.sub("", str(error)) or type(error).__name__

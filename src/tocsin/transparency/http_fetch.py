"""Getting a log's files over HTTP, bounded in time and size whatever the server does.

Nothing that comes is believed: whoever asks checks it against a checkpoint. Proxies are taken
from the environment.
"""

from __future__ import annotations

import socket
import threading
import time
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from tocsin.transparency.errors import LogDamaged
from tocsin.transparency.reader import Fetch, folder_fetch
from tocsin.version import VERSION

CONNECT_SECONDS = 10.0
FILE_SECONDS = 60.0
"""For one file, from the request to its last byte."""

_REDIRECTS = 5
_CHUNK = 1 << 16


def source_fetch(source: str) -> Fetch:
    """Gets the files of a log at an address, or in a folder.

    Args:
        source: `http://…`, `https://…`, or a folder's path.
    """
    if source.startswith(("http://", "https://")):
        return url_fetch(source)
    return folder_fetch(Path(source))


def url_fetch(url: str, *, seconds: float = FILE_SECONDS) -> Fetch:
    """Gets the files of a log under an address; one connection is kept open.

    Args:
        url: of the log's folder, or of a witness's monitoring prefix.
        seconds: for one file.
    """
    base = url.rstrip("/")
    pool = _pool(base)

    def fetch(path: str, limit: int) -> bytes:
        address = f"{base}/{path}"
        with _Deadline(seconds) as deadline:
            return _get(pool, address, limit, deadline)

    return fetch


class _Deadline:
    """Ends a connection when the time for one file is over.

    A timeout of the socket begins anew with every byte that comes, so it does not end a server
    that sends one now and then.
    """

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        self.over = False
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> _Deadline:
        _current.deadline = self
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        _current.deadline = None

    def covers(self, sock: socket.socket | None) -> None:
        """End this connection too.

        Raises:
            TimeoutError: the time is over already, as when this is another try.
        """
        if sock is not None:
            self._sockets.append(sock)
        if self.over:
            raise TimeoutError("the time for this file is over")

    def _end(self) -> None:
        self.over = True
        for each in list(self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


_current = threading.local()


def _pool(url: str) -> Any:
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    class Watched:
        """A connection that a deadline can end from its first byte on."""

        sock: socket.socket | None

        def getresponse(self) -> Any:
            """Wait for the headers."""
            deadline = getattr(_current, "deadline", None)
            if deadline is not None:
                deadline.covers(self.sock)
            return super().getresponse()  # type: ignore[misc]

    class Plain(Watched, HTTPConnection):
        """Over TCP."""

    class Secure(Watched, HTTPSConnection):
        """Over TLS."""

    class PlainPool(HTTPConnectionPool):
        """Of those."""

        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        """Of those."""

        ConnectionCls = Secure

    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    manager: urllib3.PoolManager
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        manager = urllib3.ProxyManager(proxy)
    else:
        manager = urllib3.PoolManager()
    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return manager


def _get(pool: Any, url: str, limit: int, deadline: _Deadline) -> bytes:
    import urllib3
    from urllib3.exceptions import HTTPError

    headers = {"User-Agent": f"tocsin/{VERSION}", "Accept-Encoding": "identity"}
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=CONNECT_SECONDS)
    secure = url.startswith("https://")
    try:
        for _ in range(_REDIRECTS + 1):
            response = pool.request(
                "GET",
                url,
                headers=headers,
                timeout=timeout,
                retries=urllib3.Retry(total=1, redirect=0, status=0, raise_on_redirect=False),
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:  # what was read to its end leaves the connection open, all else ends it
                if response.status in (301, 302, 303, 307, 308):
                    url = urllib.parse.urljoin(url, response.headers.get("Location", ""))
                    if not url.startswith(("https://",) if secure else ("https://", "http://")):
                        raise LogDamaged(f"{url}: a redirect there is not followed")
                    continue
                return _content(response, url, limit, deadline)
            finally:
                response.close()
        raise LogDamaged(f"{url}: it is redirected too often")
    except (HTTPError, OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        why = "it took too long" if deadline.over else _in_words(error)
        raise LogDamaged(f"{url}: {why}") from error


def _in_words(error: Exception) -> str:
    """What went wrong, without the names of the classes around it."""
    cause = getattr(error, "reason", None)
    return str(cause if isinstance(cause, Exception) else error).rsplit("): ", 1)[-1]


def _content(response: Any, url: str, limit: int, deadline: _Deadline) -> bytes:
    if response.status in (404, 410):
        response.read(_CHUNK)
        raise FileNotFoundError(f"{url}: there is no such file")
    if response.status != 200:
        raise LogDamaged(f"{url}: the server answers with status {response.status}")
    data = bytearray()
    while chunk := response.read(min(_CHUNK, limit + 1 - len(data))):
        data += chunk
        if len(data) > limit:
            raise LogDamaged(f"{url}: it is longer than {limit:,} bytes")
        if deadline.over:
            break
    if deadline.over:
        raise LogDamaged(f"{url}: it took too long")
    return bytes(data)

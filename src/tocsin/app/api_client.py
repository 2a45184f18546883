"""Asking the daemon: its JSON API over a UNIX socket, and errors that say what to do.

Each request has a connection of its own, so that a daemon that was restarted in between is
found again without anybody having to notice.
"""

from __future__ import annotations

import errno
import json
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import Any
from urllib.parse import urlencode

from tocsin.app.unix_socket import connect_unix
from tocsin.errors import DaemonRefused, DaemonUnreachable
from tocsin.settings import Settings

START = "start it with 'systemctl start tocsin' or 'tocsin daemon'"
MOST_ANSWER = 64 << 20
MOST_LINE = 16 << 20
_BROKE_OFF = "the daemon's answer broke off; try again"
_NOT_THE_API = (
    "what answers there is not tocsin's API; [daemon] api_socket in the settings must be the "
    "one that the daemon was started with"
)


class ApiClient:
    """Asks a daemon.

    Args:
        path: of the API's socket.
        timeout: seconds to wait for an answer, or for the next line of one.
    """

    def __init__(self, path: str, *, timeout: float = 10.0) -> None:
        self.path = path
        self.timeout = timeout

    @classmethod
    def of(cls, settings: Settings, *, timeout: float = 10.0) -> ApiClient:
        """A client of the daemon that runs with these settings."""
        return cls(settings.daemon.api_socket, timeout=timeout)

    def get(self, path: str, /, **query: object) -> dict[str, Any]:
        """Ask for something.

        Args:
            path: `/v1/…`.
            query: what is behind the question mark.

        Raises:
            DaemonUnreachable: there is no daemon, or no answer that makes sense.
            DaemonRefused: it does not do that, or not for this user.
        """
        stated = urlencode(query, errors="surrogateescape")
        target = f"{path}?{stated}" if query else path
        return self._whole("GET", target, None)

    def post(self, path: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
        """Have something done.

        Raises:
            DaemonUnreachable: there is no daemon, or no answer that makes sense.
            DaemonRefused: it does not do that, or not for this user.
        """
        return self._whole("POST", path, values or {})

    def lines(self, path: str, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Have something done whose answer comes line by line, as that of `/v1/scan`.

        Raises:
            DaemonUnreachable: there is no daemon, or the answer ends too early.
            DaemonRefused: it does not do that, or not for this user.
        """
        with self._answer("POST", path, values) as response:
            while line := response.readline(MOST_LINE):
                if not line.endswith(b"\n"):
                    raise DaemonUnreachable(f"{self.path}: {_BROKE_OFF}")
                yield _object(line, self.path)

    def server_process(self) -> int:
        """The process that listens, as it is numbered here; 0 when the kernel does not say.

        A daemon in a container of its own numbers its processes otherwise, so that what it says
        of them cannot be looked up here.

        Raises:
            DaemonUnreachable: there is no daemon.
        """
        try:
            with connect_unix(self.path, self.timeout) as end:
                packed = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        except (OSError, ValueError) as error:
            raise self._unreachable(error) from error
        return int(struct.unpack("iii", packed)[0])

    def _whole(self, method: str, target: str, values: dict[str, Any] | None) -> dict[str, Any]:
        with self._answer(method, target, values) as response:
            content = response.read(MOST_ANSWER)
            if response.length:
                raise DaemonUnreachable(f"{self.path}: {_BROKE_OFF}")
        return _object(content, self.path)

    @contextmanager
    def _answer(
        self, method: str, target: str, values: dict[str, Any] | None
    ) -> Iterator[HTTPResponse]:
        connection = _UnixConnection(self.path, self.timeout)
        body = None if values is None else json.dumps(values).encode()
        headers = {"Host": "tocsin", "Connection": "close", "Content-Type": "application/json"}
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            if response.status >= 300:
                raise self._refused(target, response)
            yield response
        except (OSError, HTTPException, ValueError) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()

    def _refused(self, target: str, response: HTTPResponse) -> DaemonRefused:
        said = ""
        with suppress(DaemonUnreachable):
            said = str(_object(response.read(1 << 20), self.path).get("error", ""))
        if response.status == 404:
            said = (
                f"the daemon does not know {target.partition('?')[0]}; it is of another version "
                "than this command, restart it"
            )
        return DaemonRefused(response.status, said or f"the daemon said {response.status}")

    def _unreachable(self, error: Exception) -> DaemonUnreachable:
        return DaemonUnreachable(f"{self.path}: {self._why(error)}")

    def _why(self, error: Exception) -> str:
        """What an error means for whoever wanted to ask the daemon."""
        number = error.errno if isinstance(error, OSError) else None
        if isinstance(error, TimeoutError):
            return (
                f"the daemon has not answered for {self.timeout:g} s; its log says why "
                "(journalctl -u tocsin)"
            )
        if number in (errno.ENOENT, errno.ENOTDIR):
            return f"no daemon runs with this socket; {START}"
        if number == errno.ECONNREFUSED:
            return f"the daemon that listened here has ended; {START}"
        if number in (errno.EACCES, errno.EPERM):
            return "this user may not connect; look at the mode of the socket and its folder"
        if number in (errno.EPIPE, errno.ECONNRESET) or isinstance(error, ConnectionError):
            return "the daemon closed the connection; it ends or has too many clients, try again"
        if isinstance(error, IncompleteRead):
            return _BROKE_OFF
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        if isinstance(error, HTTPException):
            return _NOT_THE_API
        return str(error)


class _UnixConnection(HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("tocsin", timeout=timeout)
        self._path, self._patience = path, timeout

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = connect_unix(self._path, self._patience)


def _object(content: bytes, path: str) -> dict[str, Any]:
    try:
        values = json.loads(content)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise DaemonUnreachable(f"{path}: {_NOT_THE_API}")
    return values

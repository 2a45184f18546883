"""The sockets that clients come to: made while the rights to make them are there."""

from __future__ import annotations

import errno
import os
import socket
from typing import NamedTuple

BACKLOG = 1024
"""Clients that may wait to be accepted: the kernel turns those behind them away."""


class Listeners(NamedTuple):
    """The sockets that clients come to; None where there is none.

    Attributes:
        clamd_unix: the clamd protocol.
        clamd_tcp: the clamd protocol over a network.
        api: the JSON API.
        metrics: Prometheus.
    """

    clamd_unix: socket.socket | None
    clamd_tcp: socket.socket | None
    api: socket.socket | None
    metrics: socket.socket | None

    def descriptors(self) -> list[int]:
        """Of those there are."""
        return [listener.fileno() for listener in self if listener is not None]


def listen_unix(path: str, mode: int, gid: int | None) -> socket.socket:
    """A listening UNIX socket at a path.

    A socket that nobody listens at is replaced; one at which somebody answers is not.

    Raises:
        OSError: it cannot be made; `EADDRINUSE` when somebody listens there.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        before = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(before)
        if gid is not None:
            os.chown(path, -1, gid)
        os.chmod(path, mode)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _remove_stale(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(path)
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except OSError as error:
            if error.errno == errno.ENOTSOCK:
                raise FileExistsError(errno.EEXIST, "a file that is no socket", path) from None
    raise OSError(errno.EADDRINUSE, "another program listens there", path)


def listen_tcp(host: str, port: int) -> socket.socket:
    """A listening TCP socket.

    Raises:
        OSError: it cannot be made.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener

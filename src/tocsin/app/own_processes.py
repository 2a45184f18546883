"""Which other processes are this program's own: those of the daemon."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress

from tocsin.app.unix_socket import connect_unix

_CREDENTIALS = struct.Struct("3i")
_PATIENCE = 1.0


def daemon_sessions(api_socket: str) -> tuple[int, ...]:
    """The session of the daemon that listens at a socket; empty where none does.

    Who is believed to be the daemon is told by the kernel, and only root's processes are and those
    of the user who asks.

    Args:
        api_socket: the UNIX socket of its API.
    """
    if not api_socket:
        return ()
    with suppress(OSError), connect_unix(api_socket, _PATIENCE) as asked:
        packed = asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(packed)
        if uid in (0, os.geteuid()):
            return (os.getsid(pid),)
    return ()

"""Connecting to a UNIX socket that a busy program listens at.

A socket with a timeout is one that does not block, and for those connect(2) fails at once with
`EAGAIN` while the listener's queue is full: a moment's crowd would look like a daemon that is not
there. A socket that blocks waits for its place in the queue, as long as `SO_SNDTIMEO` says
(socket(7)).
"""

from __future__ import annotations

import socket
import struct

_TIMEVAL = struct.Struct("ll")


def connect_unix(place: str, patience: float) -> socket.socket:
    """A stream that is connected to a UNIX socket, and whose timeout is the same.

    Args:
        place: the socket's path.
        patience: seconds to wait for a place in the listener's queue.

    Raises:
        TimeoutError: the queue was full all the time.
        OSError: nobody listens there, or not for this user.
        ValueError: no path that a socket can have.
    """
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        seconds, rest = divmod(max(patience, 0.001), 1)
        wait = _TIMEVAL.pack(int(seconds), int(rest * 1_000_000))
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)
        try:
            end.connect(place)
        except BlockingIOError as error:
            raise TimeoutError(f"{place}: no place in its queue for {patience:g} s") from error
        end.settimeout(patience)
    except BaseException:
        end.close()
        raise
    return end

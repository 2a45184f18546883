"""Where a UNIX socket was accepted: which file it came through, told by the kernel.

A socket's name is a text that its holder may choose (in a mount namespace of its own), and its
peer is whoever made or listened at it. The file that it is bound to cannot be chosen: an accepted
connection has the listener's, and nobody can bind another socket to that same file.

Source: sock_diag(7), `unix_diag_req` and `UNIX_DIAG_VFS` (include/uapi/linux/unix_diag.h).
"""

from __future__ import annotations

import os
import socket
import struct
from typing import NamedTuple

_SOCK_DIAG = 4  # the netlink family NETLINK_SOCK_DIAG
_BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY
_ERROR = 2  # NLMSG_ERROR
_REQUEST = 1  # NLM_F_REQUEST
_EVERY_STATE = _NO_COOKIE = 0xFFFFFFFF
_SHOW_VFS = 2  # UDIAG_SHOW_VFS
_VFS = 1  # UNIX_DIAG_VFS
_HEADER = struct.Struct("=IHHII")
_ASKED = struct.Struct("=BBHIIIII")
_ATTRIBUTE = struct.Struct("=HH")
_FILE = struct.Struct("=II")
_FIXED = 16
_PATIENCE = 5.0


class Origin(NamedTuple):
    """The file that a socket is bound to.

    Attributes:
        inode: its number, of which the kernel tells 32 bits.
        device: of its file system, as the kernel numbers it.
    """

    inode: int
    device: int


def origin_of(descriptor: int) -> Origin | None:
    """The file that a socket came through; None for one that is bound to none.

    Raises:
        OSError: it is no UNIX socket, is not of this network namespace, or the kernel was built
            without `CONFIG_UNIX_DIAG`.
    """
    number = os.fstat(descriptor).st_ino & 0xFFFFFFFF
    asked = _ASKED.pack(
        socket.AF_UNIX, 0, 0, _EVERY_STATE, number, _SHOW_VFS, _NO_COOKIE, _NO_COOKIE
    )
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as end:
        end.settimeout(_PATIENCE)
        end.send(_HEADER.pack(_HEADER.size + len(asked), _BY_FAMILY, _REQUEST, 1, 0) + asked)
        said = end.recv(8192)
    length, kind, _, _, _ = _HEADER.unpack_from(said)
    if kind == _ERROR:
        (error,) = struct.unpack_from("=i", said, _HEADER.size)
        raise OSError(-error, os.strerror(-error))
    place = _HEADER.size + _FIXED
    while place + _ATTRIBUTE.size <= min(length, len(said)):
        size, name = _ATTRIBUTE.unpack_from(said, place)
        if name == _VFS and size >= _ATTRIBUTE.size + _FILE.size:
            return Origin(*_FILE.unpack_from(said, place + _ATTRIBUTE.size))
        place += max(size + 3 & ~3, _ATTRIBUTE.size)
    return None

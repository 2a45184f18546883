"""Who is at the other end of a UNIX socket, and doing things with no more rights than theirs.

The kernel says who connected (`SO_PEERCRED`, `SO_PEERGROUPS`; unix(7)). Files are opened with
the peer's file-system identity, so that the kernel itself decides what they may read, access
lists and all. That identity is one thread's: other threads go on as they are (setfsuid(2)).
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tocsin.protect.daemon.rights import Held, held_capabilities, use_capabilities
from tocsin.sandbox import syscalls

_SO_PEERGROUPS = 59
_MOST_GROUPS = 65536
_RESOLVE_NO_MAGICLINKS = 0x02
_HERE = -100  # AT_FDCWD


class Peer(NamedTuple):
    """Who asks.

    Attributes:
        uid: user.
        gid: group.
        groups: supplementary groups.
        pid: process, 0 when unknown.
    """

    uid: int
    gid: int
    groups: tuple[int, ...]
    pid: int = 0


NOBODY = Peer(65534, 65534, ())
"""Who comes over a network."""


def peer_of(connection: socket.socket) -> Peer:
    """Who connected to a UNIX socket.

    Raises:
        OSError: it is none, or the kernel does not say.
    """
    layout = struct.Struct("iii")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size)
    pid, uid, gid = layout.unpack(credentials)
    try:
        packed = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * 256)
    except OSError:
        packed = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _MOST_GROUPS)
    groups = struct.unpack(f"{len(packed) // 4}I", packed[: len(packed) // 4 * 4])
    return Peer(uid, gid, groups, pid)


def is_admin(peer: Peer, admin_gid: int | None, owner: int) -> bool:
    """Whether a peer may change what protects this device.

    Args:
        peer: who asks.
        admin_gid: the group whose members may; None when there is none.
        owner: the user who started the daemon; the account it becomes is nobody special.
    """
    if peer.uid in (0, owner):
        return True
    return admin_gid is not None and (admin_gid == peer.gid or admin_gid in peer.groups)


@contextmanager
def acting_as(peer: Peer) -> Iterator[None]:
    """Open files as a peer, in this thread only, with none of root's rights.

    Raises:
        PermissionError: this process may not act for them.
    """
    own = os.geteuid()
    if peer.uid == own:
        yield
        return
    if own != 0:
        if peer.uid != 0:
            raise PermissionError(1, "the daemon does not run as root and opens its own files only")
        yield  # root may read whatever this process may
        return
    before = _Identity(0, os.getegid(), tuple(os.getgroups()))
    held = held_capabilities()
    try:
        _become(_Identity(peer.uid, peer.gid, peer.groups))
        # Not only those over files: /proc shows more to who may trace or administer.
        use_capabilities(held, effective=0)
    except OSError:
        _return_to(before, held)
        raise
    try:
        yield
    finally:
        _return_to(before, held)


class _Identity(NamedTuple):
    """As whom a thread opens files."""

    uid: int
    gid: int
    groups: tuple[int, ...]


def _become(identity: _Identity) -> None:
    """Change this thread's identity for files."""
    uid, gid, groups = identity
    packed = (ctypes.c_uint32 * len(groups))(*groups)
    syscalls.call("setgroups", len(groups), ctypes.cast(packed, ctypes.c_void_p))
    syscalls.call("setfsgid", gid)
    syscalls.call("setfsuid", uid)
    if syscalls.call("setfsuid", -1) != uid:  # it says what holds, whatever it was asked
        raise PermissionError(1, f"cannot act as user {uid}")


def _return_to(identity: _Identity, held: Held) -> None:
    """Be what this thread was; ends the process where that is not to be had again."""
    try:
        use_capabilities(held, effective=held.effective)
        _become(identity)
        use_capabilities(held, effective=held.effective)  # setfsuid takes and gives some itself
    except OSError:
        os._exit(70)  # going on with a stranger's rights, or without our own, helps nobody


def open_without_magic(path: bytes, *, follow: bool = True, folder: int = _HERE) -> int:
    """Open a file to be scanned; links of `/proc` to what this process has open are refused.

    Args:
        path: absolute, or a name in `folder`.
        follow: whether the last component may be a link.
        folder: descriptor of the folder that a name is in.

    Returns:
        Its descriptor.

    Raises:
        OSError: it cannot be opened.
    """
    if b"\0" in path:
        raise FileNotFoundError(2, os.strerror(2))  # the kernel would take what stands before it
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    flags |= 0 if follow else os.O_NOFOLLOW
    how = struct.pack("QQQ", flags, 0, _RESOLVE_NO_MAGICLINKS)
    try:
        return syscalls.call(
            "openat2",
            folder,
            ctypes.create_string_buffer(path + b"\0"),
            ctypes.create_string_buffer(how, len(how)),
            len(how),
        )
    except OSError as error:
        if error.errno != 38:
            raise
    base = b"" if folder == _HERE else os.readlink(b"/proc/self/fd/%d" % folder)
    if os.path.realpath(os.path.join(base, path)).startswith(b"/proc/"):
        raise PermissionError(13, os.strerror(13), path)
    return os.open(path, flags, dir_fd=None if folder == _HERE else folder)

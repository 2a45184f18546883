"""Namespaces: a network, a System V IPC table and a view of the file systems of its own.

The network has no interface, not even a loopback. Every file system is read-only; when no
path is to be opened at all, none is left but an empty one.

Root makes them as it is; another user needs a user namespace first, where the kernel grants
one. No ids are mapped into it, so that there is none to become.

There is no PID namespace: only a process's children are born into one, and a worker that
forks again would hide its end from whoever waits for it.

Source: namespaces(7), user_namespaces(7), mount(2), mount_setattr(2), chroot(2).
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from typing import Final

from tocsin.sandbox import syscalls

_NEWNS: Final = 0x00020000
_NEWIPC: Final = 0x08000000
_NEWUSER: Final = 0x10000000
_NEWNET: Final = 0x40000000

_AT_FDCWD: Final = -100
_AT_RECURSIVE: Final = 0x8000
_RDONLY_NOSUID: Final = 0x01 | 0x02
_MS_RDONLY_NOSUID_NODEV_NOEXEC: Final = 0x01 | 0x02 | 0x04 | 0x08
_MS_NOSUID_NODEV: Final = 0x02 | 0x04
_MS_PRIVATE_ALL: Final = (1 << 18) | (1 << 14)

_COVERED: Final = b"/usr"
"""A folder that every system has, over which the empty file system is put."""


def enter(*, new_user: bool) -> None:
    """Move the calling process into namespaces of its own.

    Args:
        new_user: into a user namespace too, for which no privilege is needed.

    Raises:
        OSError: the kernel grants none.
    """
    wanted = _NEWNET | _NEWIPC | _NEWNS
    syscalls.call("unshare", wanted | _NEWUSER if new_user else wanted)
    _mount(None, b"/", None, _MS_PRIVATE_ALL)


def make_read_only() -> None:
    """Make all file systems read-only in this mount namespace.

    Raises:
        OSError: the kernel refused, or is older than 5.12.
    """
    attributes = struct.pack("=4Q", _RDONLY_NOSUID, 0, 0, 0)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    here = ctypes.create_string_buffer(b"/")
    syscalls.call("mount_setattr", _AT_FDCWD, here, _AT_RECURSIVE, buffer, len(attributes))


def cover(folder: Path) -> None:
    """Put an empty file system that can be written over a folder, in this mount namespace.

    Raises:
        OSError: the kernel refused.
    """
    _mount(b"tmpfs", os.fsencode(folder), b"tmpfs", _MS_NOSUID_NODEV)


def leave_file_systems() -> None:
    """Make an empty file system the root and the working directory.

    By `chroot`, not by exchanging the root: who is confined by it can make no user namespace.

    Raises:
        OSError: the kernel refused.
    """
    _mount(b"none", _COVERED, b"tmpfs", _MS_RDONLY_NOSUID_NODEV_NOEXEC)
    os.chdir(_COVERED)
    os.chroot(b".")
    os.chdir(b"/")


def _mount(source: bytes | None, target: bytes, kind: bytes | None, flags: int) -> None:
    source_, target_, kind_ = (
        None if each is None else ctypes.create_string_buffer(each)
        for each in (source, target, kind)
    )
    syscalls.call("mount", source_, target_, kind_, flags, None)

"""What an open descriptor says of its file, and whether anybody can be changing it.

Source: statx(2), statfs(2), fcntl(2) on leases, open_by_handle_at(2).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import stat
import struct
import threading
from contextlib import suppress
from typing import Final, NamedTuple

Key = tuple[int, int, int]
"""A file system and an inode: major, minor, number."""

Stamp = tuple[int, ...]
"""What changes when a file changes: size, birth, change and modification time."""

_AT_EMPTY_PATH: Final = 0x1000
_STATX_BASIC_STATS: Final = 0x07FF
_STATX_BTIME: Final = 0x0800
_STATX_MNT_ID: Final = 0x1000
_WANTED: Final = _STATX_BASIC_STATS | _STATX_BTIME | _STATX_MNT_ID

# nlink uid gid mode ino size | birth, change, modification (s, ns) | major minor | mount
_FIELDS: Final = struct.Struct("=16xIIIH2xQQ32xqI4xqI4xqI4x8xIIQ")

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_STATX: Final = _LIBC.statx
_STATX.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)


class _Buffer(threading.local):
    """Where the kernel writes its answer, one a thread."""

    def __init__(self) -> None:
        self.bytes = ctypes.create_string_buffer(256)
        self.address = ctypes.addressof(self.bytes)


_BUFFER: Final = _Buffer()

_FSTATFS: Final = _LIBC.fstatfs
_FSTATFS.argtypes = (ctypes.c_int, ctypes.c_void_p)

_NAME_TO_HANDLE: Final = _LIBC.name_to_handle_at
_NAME_TO_HANDLE.argtypes = (
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_int,
)
_OPEN_BY_HANDLE: Final = _LIBC.open_by_handle_at
_OPEN_BY_HANDLE.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
_MAX_HANDLE: Final = 128
_HANDLE_HEAD: Final = struct.Struct("=Ii")

_TMPFS: Final = 0x01021994

TRUSTED_KINDS: Final = frozenset(
    {
        0x0000EF53,  # ext2, ext3, ext4
        0x58465342,  # xfs
        _TMPFS,
        0xF2F52010,  # f2fs
        0x7366746E,  # ntfs3
        0x73717368,  # squashfs
        0xE0F5E1E2,  # erofs
        0x00009660,  # iso9660
        0x15013346,  # udf
    }
)
"""`f_type` of file systems that are changed through this kernel alone and keep change times
that nobody can set. Not among them: network file systems and FUSE, which change elsewhere;
overlayfs, whose layers change beneath it; FAT, whose change time is the modification time; btrfs,
where a snapshot may get the device number of a subvolume that was removed and its files' numbers
with it, and no mount tells of that."""

SETTLED_AFTER: Final = 0.05
"""Seconds; several ticks of the slowest clock (100 Hz)."""

SETTLED_AFTER_WHOLE_SECONDS: Final = 2.1
"""The same where a file system keeps whole seconds."""

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


class Facts(NamedTuple):
    """What is known of a file.

    Attributes:
        key: which it is.
        stamp: what would be another one if it had changed.
        mode: type and permissions.
        uid: its owner.
        size: its bytes.
        changed: its change time, seconds.
        changed_ns: and nanoseconds.
        mount: number of the mount it was opened through.
        links: names that it has.
    """

    key: Key
    stamp: Stamp
    mode: int
    uid: int
    size: int
    changed: int
    changed_ns: int
    mount: int
    links: int

    @property
    def root_alone_writes(self) -> bool:
        """Whether nobody but root may open it for writing.

        With an access control list the group's bits are the list's mask (acl(5)), so that no
        entry of it gives more than they do.
        """
        return self.uid == 0 and not self.mode & _OTHERS_WRITE


def facts_of(descriptor: int) -> Facts:
    """What is known of an open file.

    Raises:
        OSError: the kernel does not say.
    """
    if _STATX(descriptor, b"", _AT_EMPTY_PATH, _WANTED, _BUFFER.address) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "statx")
    return _read_buffer()


def facts_at(path: str) -> Facts:
    """What is known of the file at a path, links followed.

    Raises:
        OSError: there is none, or the kernel does not say.
    """
    if _STATX(-100, os.fsencode(path), 0, _WANTED, _BUFFER.address) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return _read_buffer()


def _read_buffer() -> Facts:
    fields = _FIELDS.unpack_from(_BUFFER.bytes)
    return Facts(
        (fields[12], fields[13], fields[4]),
        fields[5:12],
        fields[3],
        fields[1],
        fields[5],
        fields[8],
        fields[9],
        fields[14],
        fields[0],
    )


def prepare_leases() -> None:
    """Ignore what the kernel says when somebody opens a file that `nobody_writes` just looks at.

    `SIGIO` would end this process.
    """
    signal.signal(signal.SIGIO, signal.SIG_IGN)


def nobody_writes(descriptor: int) -> bool:
    """Whether nobody has this file open for writing or mapped writable at this moment.

    The kernel gives a read lease only then; it is given back at once. Whoever opens the file
    for writing in between waits for that and no longer; see `prepare_leases`. A process that is
    being asked about because it opens the file for writing already counts. For files of others
    the right `CAP_LEASE` is needed; without it the answer is always no.

    Args:
        descriptor: opened for reading only.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError:
        return False
    with suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True


def is_trusted(descriptor: int) -> bool:
    """Whether verdicts on files of this file system may be remembered at all."""
    return _kind_of(descriptor) in TRUSTED_KINDS


def is_tmpfs(descriptor: int) -> bool:
    """Whether a store through a mapping of this file changes none of its times."""
    return _kind_of(descriptor) == _TMPFS


def _kind_of(descriptor: int) -> int:
    """`f_type` of a file's file system; 0 when the kernel does not say."""
    buffer = ctypes.create_string_buffer(256)
    if _FSTATFS(descriptor, ctypes.addressof(buffer)) < 0:
        return 0
    kind: int = ctypes.c_long.from_buffer(buffer).value & 0xFFFF_FFFF
    return kind


def is_settled(facts: Facts, now: float) -> bool:
    """Whether a change from now on would give another change time.

    Args:
        facts: of the file.
        now: seconds since 1970, before which the facts were had.
    """
    age = now - facts.changed - facts.changed_ns / 1e9
    return age > (SETTLED_AFTER if facts.changed_ns else SETTLED_AFTER_WHOLE_SECONDS)


def path_of(descriptor: int) -> str:
    """Where the kernel says the file is, seen from here."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


def path_through(descriptor: int, mount: str) -> str:
    """Where a file is when it is looked at through another mount of its file system.

    No file is opened by this, only the folder that is mounted, so that nobody is asked.

    Args:
        descriptor: of the file.
        mount: where that file system is mounted here.

    Returns:
        Its path, or an empty string where the file system cannot tell.
    """
    handle = ctypes.create_string_buffer(_HANDLE_HEAD.size + _MAX_HANDLE)
    _HANDLE_HEAD.pack_into(handle, 0, _MAX_HANDLE, 0)
    number = ctypes.c_int()
    given = _NAME_TO_HANDLE(
        descriptor, b"", ctypes.addressof(handle), ctypes.addressof(number), _AT_EMPTY_PATH
    )
    if given < 0:
        return ""
    try:
        at = os.open(mount, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        found = _OPEN_BY_HANDLE(at, ctypes.addressof(handle), os.O_PATH | os.O_CLOEXEC)
    finally:
        os.close(at)
    if found < 0:
        return ""
    try:
        return path_of(found)
    finally:
        os.close(found)

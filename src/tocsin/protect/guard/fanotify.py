"""Asking the kernel to ask before a file is opened: fanotify, through `ctypes`.

Sources: fanotify(7), fanotify_init(2), fanotify_mark(2), and `include/uapi/linux/fanotify.h`,
from which the numbers are; they are the same on x86-64 and arm64.

What must be known to use it:

- An event brings an open descriptor of the file. Reads through it make no further events.
  It is opened when the event is read, so that reading fails where a descriptor cannot be had;
  the kernel then refuses what was asked, which is why descriptors must never run out.
- An answer names its event by the number of that descriptor: answer first, close afterwards.
- Executing a file makes `FAN_OPEN_PERM` as well; `FAN_OPEN_EXEC_PERM` would only ask twice.
- When the group's last descriptor is closed, everything that waits is allowed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import Final, NamedTuple

FAN_CLOSE_WRITE: Final = 0x0000_0008
_FAN_CLOSE_NOWRITE: Final = 0x0000_0010
FAN_OPEN_EXEC: Final = 0x0000_1000
FAN_OPEN_PERM: Final = 0x0001_0000

FAN_NOFD: Final = -1

_FAN_CLOEXEC: Final = 0x001
_FAN_NONBLOCK: Final = 0x002
_FAN_CLASS_NOTIF: Final = 0x000
_FAN_CLASS_CONTENT: Final = 0x004
_FAN_UNLIMITED_QUEUE: Final = 0x010
_FAN_UNLIMITED_MARKS: Final = 0x020
_FAN_REPORT_TID: Final = 0x100

_FAN_MARK_ADD: Final = 0x001
_FAN_MARK_REMOVE: Final = 0x002
_FAN_MARK_IGNORED_MASK: Final = 0x020
_FAN_MARK_FLUSH: Final = 0x080
_FAN_MARK_EVICTABLE: Final = 0x200
_FAN_MARK_INODE: Final = 0x000
_FAN_MARK_MOUNT: Final = 0x010
_FAN_MARK_FILESYSTEM: Final = 0x100

_FAN_ALLOW: Final = 0x01
_FAN_DENY: Final = 0x02

_METADATA_VERSION: Final = 3
_METADATA: Final = struct.Struct("=IBBHQii")
_RESPONSE: Final = struct.Struct("=iI")
_AT_FDCWD: Final = -100
_O_LARGEFILE: Final = 0o100000 if os.uname().machine == "x86_64" else 0o400000

# O_NONBLOCK: kernels before 6.14 made events for FIFOs, whose opening would wait.
_EVENT_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOATIME | _O_LARGEFILE

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_INIT: Final = _LIBC.fanotify_init
_INIT.argtypes = (ctypes.c_uint, ctypes.c_uint)
_MARK: Final = _LIBC.fanotify_mark
_MARK.argtypes = (ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p)


class FileEvent(NamedTuple):
    """One event.

    Attributes:
        mask: what happened.
        descriptor: of the file, the reader's to close; `FAN_NOFD` when the queue overflowed.
        pid: the thread that caused it, 0 when it lives in no PID namespace seen from here.
    """

    mask: int
    descriptor: int
    pid: int


class Group:
    """A notification group.

    Args:
        permission: whether it is asked before files are opened, or only told.

    Attributes:
        asks: the same.

    Raises:
        OSError: the kernel lacks fanotify (`ENOSYS`), permission events (`EINVAL`) or this
            process the right (`EPERM`).
    """

    def __init__(self, *, permission: bool) -> None:
        self.asks = permission
        flags = _FAN_CLOEXEC | _FAN_NONBLOCK | _FAN_UNLIMITED_QUEUE | _FAN_UNLIMITED_MARKS
        flags |= _FAN_CLASS_CONTENT if permission else _FAN_CLASS_NOTIF
        flags |= _FAN_REPORT_TID
        self._descriptor: int = _INIT(flags, _EVENT_FLAGS)
        if self._descriptor < 0:
            raise _error("fanotify_init")
        self._evictable = _FAN_MARK_EVICTABLE

    def fileno(self) -> int:
        """Readable when there are events."""
        return self._descriptor

    def close(self) -> None:
        """Allow everything that waits, and hear no more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def read(self, most: int) -> list[FileEvent]:
        """The events that wait, at most so many.

        Raises:
            OSError: no descriptor could be had for the next event, which the kernel refused.
        """
        try:
            data = os.read(self._descriptor, most * _METADATA.size)
        except BlockingIOError:
            return []
        if data and data[4] != _METADATA_VERSION:
            raise OSError(errno.EPROTO, f"the kernel speaks version {data[4]} of fanotify")
        return [
            FileEvent(mask, descriptor, pid)
            for _, _, _, _, mask, descriptor, pid in _METADATA.iter_unpack(data)
        ]

    def answer(self, descriptor: int, *, allow: bool) -> bool:
        """Let whoever waits go on; the descriptor stays open.

        Returns:
            Whether somebody still waited: a process that was killed does not.
        """
        response = _RESPONSE.pack(descriptor, _FAN_ALLOW if allow else _FAN_DENY)
        try:
            os.write(self._descriptor, response)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return False
            raise
        return True

    # --- what is heard of -----------------------------------------------------------------

    def mark_file_system(self, path: str, mask: int) -> None:
        """Hear of a whole file system, through whatever mount.

        Raises:
            OSError: it cannot be marked.
        """
        self._mark(_FAN_MARK_ADD | _FAN_MARK_FILESYSTEM, mask, path)

    def is_marked(self, path: str) -> bool:
        """Whether the file system on which a path lies now is marked."""
        try:  # what is taken away here is nothing that is ever asked for
            self._mark(_FAN_MARK_REMOVE | _FAN_MARK_FILESYSTEM, _FAN_CLOSE_NOWRITE, path)
        except OSError:
            return False
        return True

    def mark_mount(self, path: str, mask: int) -> None:
        """Hear of what is done through one mount.

        Raises:
            OSError: it cannot be marked.
        """
        self._mark(_FAN_MARK_ADD | _FAN_MARK_MOUNT, mask, path)

    # --- what is not asked again ----------------------------------------------------------

    def ignore(self, descriptor: int) -> bool:
        """Ask no more before this file is opened, until it is written to.

        Returns:
            Whether the kernel took it.
        """
        flags = _FAN_MARK_ADD | _FAN_MARK_IGNORED_MASK | self._evictable
        try:
            self._mark(flags, FAN_OPEN_PERM, None, descriptor)
        except OSError as error:
            if error.errno == errno.EINVAL and self._evictable:
                self._evictable = 0  # before Linux 5.19: the inode stays in memory
                return self.ignore(descriptor)
            return False
        return True

    def heed(self, descriptor: int) -> None:
        """Ask again before this file is opened, whether or not it was ignored."""
        flags = _FAN_MARK_REMOVE | _FAN_MARK_IGNORED_MASK
        _MARK(self._descriptor, flags, FAN_OPEN_PERM, descriptor, None)  # ENOENT: it was not

    def heed_all(self) -> None:
        """Ask again before any file is opened.

        No other marks on inodes are made here, so that all of them can go.

        Raises:
            OSError: the kernel refused.
        """
        self._mark(_FAN_MARK_FLUSH | _FAN_MARK_INODE, 0, "/")

    def _mark(self, flags: int, mask: int, path: str | None, at: int = _AT_FDCWD) -> None:
        name = os.fsencode(path) if path is not None else None
        if _MARK(self._descriptor, flags, mask, at, name) < 0:
            raise _error("fanotify_mark", path)


def _error(call: str, path: str | None = None) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), path or call)

"""Hearing of changes without any rights: inotify on every folder beneath the guarded ones.

What is heard: files that were written and closed, or moved here, and folders that came into
being. A folder is watched some time after it was made, so everything in it is looked at then.
When the kernel loses events (its queue has a limit), everything that changed since the last one
is looked at. Source: inotify(7).
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

_IN_CLOSE_WRITE: Final = 0x0000_0008
_IN_MOVED_FROM: Final = 0x0000_0040
_IN_MOVED_TO: Final = 0x0000_0080
_IN_CREATE: Final = 0x0000_0100
_IN_Q_OVERFLOW: Final = 0x0000_4000
_IN_IGNORED: Final = 0x0000_8000
_IN_ONLYDIR: Final = 0x0100_0000
_IN_DONT_FOLLOW: Final = 0x0200_0000
_IN_ISDIR: Final = 0x4000_0000
_WATCHED: Final = _IN_CLOSE_WRITE | _IN_MOVED_FROM | _IN_MOVED_TO | _IN_CREATE

_EVENT: Final = struct.Struct("=iIII")
_READ: Final = 1 << 16
_LONGEST: Final = _EVENT.size + 256  # an event with the longest name, and the zero behind it
_MARGIN: Final = 3.0
"""Seconds by which a file's time may lag behind the clock."""

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.inotify_add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)


class Watcher:
    """Watches folders and all beneath them.

    Attributes:
        unwatched: folders that could not be watched.
        full: whether that was because there may be no more watches.

    Raises:
        OSError: the kernel has no inotify, or this user may have no more of it.
    """

    def __init__(self) -> None:
        self._descriptor: int = _LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), "inotify_init1")
        self._changed: list[str] = []
        self._roots: list[str] = []
        self._paths: dict[int, str] = {}
        self._todo: deque[tuple[str, float]] = deque()
        self._heard_all = time.time()
        self.unwatched = 0
        self.full = False

    def fileno(self) -> int:
        """Readable when something changed."""
        return self._descriptor

    def close(self) -> None:
        """Hear no more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def busy(self) -> bool:
        """Whether `step` has something to do."""
        return bool(self._todo)

    @property
    def watched(self) -> int:
        """Folders that are watched."""
        return len(self._paths)

    def watch(self, folders: Iterable[str]) -> None:
        """Watch these, and all beneath them; `step` does it."""
        for folder in folders:
            if folder not in self._roots:
                self._roots.append(folder)
                self._todo.append((folder, float("inf")))

    def step(self, most: int = 100) -> list[str]:
        """Have some more folders watched; the files that came into them before."""
        for _ in range(min(most, len(self._todo))):
            folder, since = self._todo.popleft()
            is_new = self._add(folder)
            lost = since not in (0.0, float("inf"))
            self._list(folder, 0.0 if is_new and lost else since)  # it came while nothing was told
        return self._take()

    def hear(self) -> list[str]:
        """The files that changed, as far as the kernel has told."""
        now = time.time()
        try:
            data = os.read(self._descriptor, _READ)
        except BlockingIOError:
            self._heard_all = now
            return []
        place = 0
        while place + _EVENT.size <= len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, place)
            place += _EVENT.size
            name = data[place : place + length].rstrip(b"\0")
            place += length
            self._heed(watch, mask, os.fsdecode(name))
        if len(data) < _READ - _LONGEST:  # there was room for one more, had there been one
            self._heard_all = now
        return self._take()

    def _take(self) -> list[str]:
        changed, self._changed = self._changed, []
        return list(dict.fromkeys(changed))

    def _heed(self, watch: int, mask: int, name: str) -> None:
        if mask & _IN_Q_OVERFLOW:
            self._begin_again()
            return
        folder = self._paths.get(watch)
        if mask & _IN_IGNORED:
            self._paths.pop(watch, None)
            return
        if folder is None:
            return
        path = os.path.join(folder, name)
        if not mask & _IN_ISDIR:
            if mask & (_IN_CLOSE_WRITE | _IN_MOVED_TO):
                self._changed.append(path)
        elif mask & _IN_MOVED_FROM:
            self._forget(path)
        elif mask & (_IN_CREATE | _IN_MOVED_TO):
            self._todo.append((path, 0.0))

    def _begin_again(self) -> None:
        """Go through everything: the kernel could not keep all there was to tell.

        What was lost came after the queue was last seen empty, or after the instant from which
        an earlier time through, not finished yet, was to make up for. A folder that came whole
        stays to be listed: its files may be older than that.
        """
        whole = [each for each in self._todo if not each[1]]
        begun = [since for _, since in self._todo if since and since != float("inf")]
        since = min([self._heard_all - _MARGIN, *begun])
        self._todo.clear()
        self._todo.extend(whole)
        self._todo.extend((root, since) for root in self._roots)

    def _add(self, folder: str) -> bool:
        """Watch a folder; whether it was not watched yet."""
        flags = _WATCHED | _IN_ONLYDIR | _IN_DONT_FOLLOW
        watch = _LIBC.inotify_add_watch(self._descriptor, os.fsencode(folder), flags)
        if watch >= 0:
            is_new = watch not in self._paths
            self._paths[watch] = folder
            return is_new
        number = ctypes.get_errno()
        if number not in (errno.ENOENT, errno.ENOTDIR):
            self.unwatched += 1
            self.full |= number == errno.ENOSPC
        return False

    def _list(self, folder: str, since: float) -> None:
        """Go on with folders in a folder, and with its files that changed since then."""
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        self._todo.append((entry.path, since))
                    elif since != float("inf") and (
                        not since or entry.stat(follow_symlinks=False).st_ctime >= since
                    ):
                        self._changed.append(entry.path)

    def _forget(self, folder: str) -> None:
        """A folder went elsewhere with all beneath it."""
        beneath = folder + "/"
        for watch, path in list(self._paths.items()):
            if path == folder or path.startswith(beneath):
                del self._paths[watch]
                _LIBC.inotify_rm_watch(self._descriptor, watch)


def most_watches() -> int:
    """How many watches one user may have, 0 when unknown."""
    try:
        with open("/proc/sys/fs/inotify/max_user_watches", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def open_changed(path: str) -> int:
    """Open a file that changed, if it is one.

    Raises:
        OSError: it is none, or cannot be opened.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor

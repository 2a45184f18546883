"""Removable media: told from others, and looked at wholly when they are mounted.

The guard itself opens no file on what it guards. A child does that and hands the descriptors
over; it is of the daemon's session, so that it is not asked about, and it gets no further ahead
than a few files. Nobody waits for these looks: openings come first.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from tocsin.engine.report import Report, Verdict
from tocsin.protect.daemon.rights import end_with_parent
from tocsin.protect.guard import notices
from tocsin.protect.guard.looks import Look
from tocsin.protect.journal.event import Event
from tocsin.protect.mounts import PSEUDO_FILE_SYSTEMS, Mount
from tocsin.sandbox.descriptors import close_all_but

AHEAD: Final = 4
"""Files of one medium that are being looked at at a time."""

_LONGEST_PATH: Final = 1 << 16
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

Examine = Callable[[int, str, Callable[[Look, Report], None]], None]


def is_removable(mount: Mount) -> bool:
    """Whether what is mounted can be taken out: a USB or other removable disk, or an SD card."""
    device = mount.device
    if mount.kind in PSEUDO_FILE_SYSTEMS:
        return False
    if os.major(device) == 0:  # btrfs and its like: the number is nobody's
        if not mount.source.startswith("/dev/"):
            return False
        try:
            device = os.stat(mount.source).st_rdev
        except OSError:
            return False
    place = os.path.realpath(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    if "/usb" in place:
        return True
    disks = (place, os.path.dirname(place))  # of a partition the folder above is the disk
    return any(
        _says(f"{disk}/removable", "1") or _says(f"{disk}/device/type", "SD") for disk in disks
    )


def _says(path: str, what: str) -> bool:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip() == what
    except (OSError, ValueError):
        return False


class MediumScan:
    """One medium that is being looked at.

    Args:
        path: where it is mounted.
        selector: of the guard's loop; what it holds here are functions to call.
        examine: has a file looked at (`Warden.examine`).
        happened: has an event journalled.

    Attributes:
        done: whether all of it was looked at.
    """

    def __init__(
        self,
        path: str,
        selector: selectors.BaseSelector,
        examine: Examine,
        happened: Callable[[Event], None],
    ) -> None:
        self._path = path
        self._selector = selector
        self._examine = examine
        self._happened = happened
        self._started = time.monotonic()
        self._under_way = 0
        self._listed = False
        self._scanned = 0
        self._found = 0
        self._incomplete = 0
        self._unreadable = 0
        self.done = False
        self._files, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 0)  # as little as may be
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            _walk(path, theirs, parent)
        theirs.close()
        self._files.setblocking(False)
        self._hearing = False
        self._hear_or_not()

    def state(self) -> dict[str, Any]:
        """How it goes."""
        return {
            "path": self._path,
            "done": self.done,
            "scanned": self._scanned,
            "found": self._found,
            "incomplete": self._incomplete,
            "unreadable": self._unreadable,
        }

    def close(self) -> None:
        """Stop."""
        self._listed = True
        self._hear_or_not()
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        self._files.close()

    def _hear(self) -> None:
        while self._under_way < AHEAD and not self._listed:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._files, _LONGEST_PATH, 1)
            except BlockingIOError:
                break
            if not data:
                self._listed = True
            elif not descriptors:
                self._unreadable += 1
            else:
                self._take(os.fsdecode(data), descriptors[0])
        self._hear_or_not()
        self._finish()

    def _take(self, path: str, descriptor: int) -> None:
        self._under_way += 1
        try:
            self._examine(descriptor, path, self._looked)
        except OSError:
            os.close(descriptor)
            self._under_way -= 1
            self._unreadable += 1

    def _looked(self, _look: Look, report: Report) -> None:
        self._under_way -= 1
        self._scanned += 1
        self._found += bool(report.detections)
        self._incomplete += report.verdict in (Verdict.INCOMPLETE, Verdict.ERROR)
        self._hear_or_not()
        self._finish()

    def _hear_or_not(self) -> None:
        wanted = self._under_way < AHEAD and not self._listed
        if wanted and not self._hearing:
            self._selector.register(self._files, selectors.EVENT_READ, self._hear)
        elif self._hearing and not wanted:
            self._selector.unregister(self._files)
        self._hearing = wanted

    def _finish(self) -> None:
        if self.done or not self._listed or self._under_way:
            return
        self.done = True
        seconds = time.monotonic() - self._started
        self._happened(
            notices.medium_scanned(
                self._path, self._scanned, self._found, self._incomplete, self._unreadable, seconds
            )
        )
        self.close()


def _walk(path: str, files: socket.socket, parent: int) -> None:
    """In the child: open every file, as fast as they are taken."""
    status = 1
    try:
        close_all_but((files.fileno(),))  # above all the group whose answers others wait for
        end_with_parent(parent)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setpriority(os.PRIO_PROCESS, 0, 19)
        device = os.stat(path).st_dev

        def unreadable(error: OSError) -> None:
            files.send(os.fsencode(error.filename or path))

        for folder, folders, names in os.walk(os.fsencode(path), onerror=unreadable):
            folders[:] = [each for each in folders if _is_on(os.path.join(folder, each), device)]
            for name in names:
                _hand_over(os.path.join(folder, name), files)
        status = 0
    finally:
        os._exit(status)


def _is_on(folder: bytes, device: int) -> bool:
    try:
        return os.lstat(folder).st_dev == device
    except OSError:
        return False


def _hand_over(path: bytes, files: socket.socket) -> None:
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return
        descriptor = os.open(path, _OPEN)
    except OSError:
        files.send(path)
        return
    try:
        socket.send_fds(files, [path], [descriptor])
    finally:
        os.close(descriptor)

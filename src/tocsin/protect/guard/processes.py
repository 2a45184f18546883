"""Who it is that opens a file: what `/proc` says of a process while it waits for an answer.

A program is told by its file, not by its name: in a mount namespace of its own anybody may put
another file where a program's name leads.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple

_FLAGS_OF_OPENING: Final[dict[bytes, int]] = {
    "x86_64": {b"2": 1, b"85": -1, b"257": 2},  # open, creat, openat
    "aarch64": {b"56": 2},
}.get(os.uname().machine, {})
"""By number of the call, which of its arguments are the flags; -1: those of `creat`."""


class Who(NamedTuple):
    """A process.

    Attributes:
        pid: the process, not the thread; 0 when unknown.
        uid: as whom it touches files, -1 when unknown.
        program: path of its executable, or empty.
    """

    pid: int
    uid: int
    program: str


def who(thread: int) -> Who:
    """Who a thread is."""
    if thread <= 0:
        return Who(0, -1, "")
    pid, uid = thread, -1
    for line in _read(f"/proc/{thread}/status").splitlines():
        if line.startswith(b"Tgid:"):
            pid = int(line.split()[1])
        elif line.startswith(b"Uid:"):
            uid = int(line.split()[4])  # real, effective, saved, file system
            break
    program = ""
    with suppress(OSError):
        program = os.readlink(f"/proc/{thread}/exe")
    return Who(pid, uid, program)


def opens_to_write_only(thread: int) -> bool:
    """Whether what a thread waits in is an opening by which nothing can be read.

    That is one for writing only, or one that empties the file before it returns. The kernel
    shows the call's number and arguments as they were when it was made; while it waits nobody
    can change them. Whatever is not one of the calls known here is not taken for one: not
    `openat2`, whose flags are in the process's memory, nor what `io_uring` opens. A 32-bit
    process's numbers mean other calls; none of them opens a file.
    """
    words = _read(f"/proc/{thread}/syscall").split() if thread > 0 else []
    if len(words) < 4:
        return False
    place = _FLAGS_OF_OPENING.get(words[0])
    if place is None:
        return False
    flags = int(words[1 + place], 16) if place >= 0 else os.O_WRONLY | os.O_TRUNC
    mode = flags & os.O_ACCMODE
    return mode == os.O_WRONLY or (mode == os.O_RDWR and bool(flags & os.O_TRUNC))


class ProcessExclusions:
    """Programs and users whose openings are not looked at.

    Args:
        programs: absolute paths.
        users: names or numbers.

    Attributes:
        trouble: what is named and does not exist.
    """

    def __init__(self, programs: Iterable[str], users: Iterable[str]) -> None:
        self._programs = tuple(programs)
        self._files: frozenset[tuple[int, int]] = frozenset()
        self.trouble: list[str] = []
        uids = set()
        for user in users:
            if user.isdecimal():
                uids.add(int(user))
                continue
            try:
                uids.add(pwd.getpwnam(user).pw_uid)
            except KeyError:
                self.trouble.append(f"[guard] exclude_users: there is no account {user!r}")
        self._uids = frozenset(uids)
        self.look_again()

    def __bool__(self) -> bool:
        return bool(self._programs or self._uids)

    def look_again(self) -> None:
        """Find the programs' files; an update replaces them."""
        files = set()
        for program in self._programs:
            with suppress(OSError):
                status = os.stat(program)
                files.add((status.st_dev, status.st_ino))
        self._files = frozenset(files)

    def hold(self, thread: int) -> bool:
        """Whether what a thread opens is not looked at."""
        if thread <= 0:
            return False
        if self._files:
            with suppress(OSError):
                status = os.stat(f"/proc/{thread}/exe")
                if (status.st_dev, status.st_ino) in self._files:
                    return True
        return bool(self._uids) and who(thread).uid in self._uids


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""
    finally:
        os.close(descriptor)

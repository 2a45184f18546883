"""An identity that owns nothing, and no privileges.

Root becomes a user of its own for each process: user and group ids from a range that no
distribution hands out, to which the process id is added. Not `nobody`, whom other services
run as: one `nobody` may signal and trace another.

Source: capabilities(7), user_namespaces(7); systemd's "Users, Groups, UIDs and GIDs" for the
range (0x70000000 to 0x7fffffff is unused).
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from typing import Final

from tocsin.sandbox import syscalls

FIRST_ID: Final = 0x7F000000
"""Process ids are below 2**22 (proc(5), `pid_max`), so the sum stays in the range."""

NOBODY: Final = 65534
_CAPABILITY_VERSION: Final = 0x20080522


def is_root() -> bool:
    """Whether this process has a root's rights over files."""
    return os.geteuid() == 0


def spare_id(process: int, map_file: str = "/proc/self/uid_map") -> int | None:
    """A user id for a process to become, or None where the namespace has none to spare.

    Args:
        process: its id.
        map_file: the ids that exist here; a container may have few.
    """
    try:
        rows = [line.split() for line in syscalls.read_proc(map_file).splitlines()]
        ranges = [(int(first), int(count)) for first, _, count in rows]
    except (OSError, ValueError):
        return FIRST_ID + process
    for wanted in (FIRST_ID + process, NOBODY):
        if any(first <= wanted < first + count for first, count in ranges):
            return wanted
    return None


def become(identity: int) -> None:
    """Become a user without groups, for good.

    Raises:
        OSError: not permitted, or the id does not exist here.
    """
    os.setgroups([])
    os.setresgid(identity, identity, identity)
    os.setresuid(identity, identity, identity)


def give_up_capabilities() -> None:
    """Keep no capability, not even for programs that would be started.

    Raises:
        OSError: the kernel refused.
    """
    syscalls.call("prctl", syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION, 0))
    syscalls.call("capset", header, ctypes.create_string_buffer(24))


def others_may_read(path: Path) -> bool:
    """Whether a user who owns nothing may read a path, as far as modes say."""
    try:
        if not path.stat().st_mode & 0o4:
            return False
        return all(parent.stat().st_mode & 0o1 for parent in path.resolve().parents)
    except OSError:
        return False

"""What a process of the daemon gives up once it holds what it needs."""

from __future__ import annotations

import ctypes
import grp
import os
import pwd
import signal
import struct
from contextlib import suppress
from typing import NamedTuple

from tocsin.errors import SettingsError
from tocsin.sandbox import syscalls
from tocsin.sandbox.identity import give_up_capabilities


def end_with_parent(parent: int) -> None:
    """Have this process ended when the one that forked it ends."""
    with suppress(OSError):
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def user_ids(name: str) -> tuple[int, int]:
    """User and group of an account.

    Raises:
        SettingsError: there is none.
    """
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise SettingsError(
            f"[daemon] user: there is no account {name!r}; 'tocsin install' makes it, "
            "or name another one"
        ) from None
    return entry.pw_uid, entry.pw_gid


def group_id(name: str) -> int | None:
    """A group's number, or None when there is no such group."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


_CAPABILITIES = {
    "CHOWN": 0,
    "DAC_OVERRIDE": 1,
    "DAC_READ_SEARCH": 2,
    "FOWNER": 3,
    "FSETID": 4,
    "KILL": 5,
    "SETGID": 6,
    "SETUID": 7,
    "SETPCAP": 8,
    "LINUX_IMMUTABLE": 9,
    "SYS_CHROOT": 18,
    "SYS_PTRACE": 19,
    "SYS_ADMIN": 21,
    "SYS_NICE": 23,
    "SYS_RESOURCE": 24,
    "LEASE": 28,
}
"""Bits by name (capabilities(7); include/uapi/linux/capability.h)."""

_CAPABILITY_VERSION = 0x20080522


def keep_capabilities(*names: str) -> None:
    """Keep these of root's rights, and no others, in this process.

    What it does not have anyway it does not get. A program that it starts as root has all again
    that the system lets root have.

    Args:
        *names: without `CAP_`.

    Raises:
        OSError: the kernel refused.
    """
    wanted = sum(1 << _CAPABILITIES[name] for name in names)
    permitted = held_capabilities().permitted & wanted
    use_capabilities(Held(permitted, permitted), effective=permitted)


class Held(NamedTuple):
    """The capabilities of a thread, as bits.

    Attributes:
        effective: those that are in force.
        permitted: those that may be put in force.
    """

    effective: int
    permitted: int


def held_capabilities() -> Held:
    """Those of this thread.

    Raises:
        OSError: the kernel does not tell.
    """
    words = ctypes.create_string_buffer(24)
    syscalls.call("capget", _header(), words)
    low_effective, low_permitted, _, high_effective, high_permitted, _ = struct.unpack(
        "=6I", words.raw
    )
    return Held(low_effective | high_effective << 32, low_permitted | high_permitted << 32)


def use_capabilities(held: Held, *, effective: int) -> None:
    """Put some of what is permitted in force, in this thread.

    Raises:
        OSError: the kernel refused.
    """
    low, high = 0xFFFFFFFF, 32
    words = struct.pack(
        "=6I",
        *(effective & low, held.permitted & low, 0),
        *(effective >> high, held.permitted >> high, 0),
    )
    syscalls.call("capset", _header(), ctypes.create_string_buffer(words, len(words)))


def _header() -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION, 0), 8)


def show_nothing() -> None:
    """Let nobody trace this process or read its memory, and leave no core behind."""
    import resource

    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)


def drop_to(uid: int, gid: int, *, new_privileges: bool) -> None:
    """Become an ordinary user, for good.

    Args:
        uid: whom.
        gid: its group.
        new_privileges: whether programs started from here may gain rights (by set-user-ID).

    Raises:
        OSError: the kernel refused.
    """
    os.setgroups([gid])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    give_up_capabilities()
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    if not new_privileges:
        syscalls.call("prctl", syscalls.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)

"""What a process of the daemon gives up once it holds what it needs."""

from __future__ import annotations

import grp
import os
import pwd
import signal
from contextlib import suppress

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

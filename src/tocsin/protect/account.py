"""Accounts of this machine, and what they may write as far as owners and modes say."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from contextlib import suppress
from typing import NamedTuple


class Account(NamedTuple):
    """Whom something belongs to.

    Attributes:
        uid: the user.
        gid: the group.
    """

    uid: int
    gid: int


def account_named(name: str) -> Account | None:
    """An account, or None where there is none of that name."""
    with suppress(KeyError):
        entry = pwd.getpwnam(name)
        return Account(entry.pw_uid, entry.pw_gid)
    return None


def is_group(name: str) -> bool:
    """Whether there is a group of that name."""
    with suppress(KeyError):
        grp.getgrnam(name)
        return True
    return False


def may_write(status: os.stat_result, account: Account) -> bool:
    """Whether an account may write a file, or make files in a folder; ACLs are not looked at."""
    if account.uid == 0:
        return True
    wanted = 0o3 if stat.S_ISDIR(status.st_mode) else 0o2
    if status.st_uid == account.uid:
        return status.st_mode >> 6 & wanted == wanted
    if status.st_gid == account.gid:
        return status.st_mode >> 3 & wanted == wanted
    return status.st_mode & wanted == wanted

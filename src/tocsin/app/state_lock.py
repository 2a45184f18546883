"""One daemon for one state folder: two would take each other's streams, tasks and last index."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from tocsin.errors import SettingsError

_NAME = "daemon.lock"
_PATIENCE = 3.0
"""Seconds for the processes of a daemon that was just killed to end."""


def take_state(folder: Path) -> int:
    """Be the only daemon of a state folder until this process and its children have ended.

    Returns:
        The lock, which must stay open.

    Raises:
        SettingsError: another one is.
        OSError: the folder cannot be written.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    lock = os.open(folder / _NAME, flags, 0o600)
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < end:
                time.sleep(0.05)
                continue
            holder = _holder(lock)
            os.close(lock)
            raise SettingsError(
                f"another daemon uses {folder}{holder}; end it, or name another folder in "
                "[daemon] state"
            ) from None
        break
    with suppress(OSError):  # who it is, for people: the lock alone counts
        os.truncate(lock, 0)
        os.pwrite(lock, b"%d\n" % os.getpid(), 0)
    return lock


def _holder(lock: int) -> str:
    number = os.pread(lock, 20, 0).strip()
    return f" (process {int(number)})" if number.isdigit() else ""

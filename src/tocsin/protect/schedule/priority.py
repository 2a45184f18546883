"""Doing something only as far as nobody else needs the processor or the disk."""

from __future__ import annotations

import os

from tocsin.sandbox import syscalls

_WHO_PROCESS = 1
_CLASS_IDLE = 3
_CLASS_SHIFT = 13


def lower_priority(nice: int, *, idle_io: bool) -> list[str]:
    """Lower the priority of this process and of those it starts.

    Args:
        nice: 0 to 19.
        idle_io: read and write only when nobody else does.

    Returns:
        What could not be done, in words.
    """
    trouble = []
    try:
        if nice > os.getpriority(os.PRIO_PROCESS, 0):
            os.setpriority(os.PRIO_PROCESS, 0, nice)
    except OSError as error:
        trouble.append(f"the priority could not be lowered: {error.strerror}")
    if idle_io:
        try:
            syscalls.call("ioprio_set", _WHO_PROCESS, 0, _CLASS_IDLE << _CLASS_SHIFT)
        except OSError as error:
            trouble.append(f"the priority of reading could not be lowered: {error.strerror}")
    return trouble

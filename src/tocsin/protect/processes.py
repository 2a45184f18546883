"""The processes that run: which there are, who they belong to, and which are ours.

A process number is given to another process when its own has ended; its number and the time of
its start together are never given again until the machine starts anew.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

PROC = "/proc"
_KERNEL_THREAD = 0x00200000
_MOST = 1 << 16


class Process(NamedTuple):
    """One process, as `/proc/PID/stat` tells of it (proc(5)).

    Attributes:
        pid: its number.
        start: ticks of the clock from the machine's start to its own.
        name: what it calls itself.
        parent: number of the process that it belongs to.
        session: number of the session's leader.
        uid: the user who owns its entry in `/proc`: root where it may not be looked into.
        kernel: whether it is a thread of the kernel.
    """

    pid: int
    start: int
    name: str
    parent: int
    session: int
    uid: int
    kernel: bool


def read_process(pid: int, folder: int | None = None) -> Process:
    """What is known of a process.

    Args:
        pid: its number.
        folder: a descriptor of its folder in `/proc`, which no other process can come to have.

    Raises:
        OSError: it has ended.
    """
    name = "stat" if folder is not None else f"{PROC}/{pid}/stat"
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        text = os.read(descriptor, _MOST)
        uid = os.fstat(descriptor).st_uid
    finally:
        os.close(descriptor)
    return parse_stat(pid, text, uid)


def parse_stat(pid: int, text: bytes, uid: int) -> Process:
    """A process from its line in `stat`; its name may hold anything.

    Raises:
        ProcessLookupError: it was ending, and nothing is said any more.
    """
    opening, closing = text.find(b"("), text.rfind(b")")
    fields = text[closing + 2 :].split()
    if opening < 0 or len(fields) < 20:
        raise ProcessLookupError(f"nothing is said of process {pid}")
    return Process(
        pid=pid,
        start=int(fields[19]),
        name=os.fsdecode(text[opening + 1 : closing]),
        parent=int(fields[1]),
        session=int(fields[3]),
        uid=uid,
        kernel=bool(int(fields[6]) & _KERNEL_THREAD),
    )


def running() -> Iterator[Process]:
    """Every process that this one can see, those of the kernel too, in order of their numbers."""
    for pid in sorted(int(name) for name in os.listdir(PROC) if name.isdigit()):
        with suppress(OSError):
            yield read_process(pid)


def family(processes: Iterable[Process], heads: Collection[int]) -> frozenset[int]:
    """Numbers of some processes and of all that descend from them."""
    children: dict[int, list[int]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    waiting = list(heads)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return frozenset(found)


def ancestors(pid: int) -> frozenset[int]:
    """Numbers of the processes that one descends from; none once it has ended."""
    found: set[int] = set()
    with suppress(OSError):
        while (pid := read_process(pid).parent) and pid not in found:
            found.add(pid)
    return frozenset(found)


def program_of(pid: int) -> str:
    """Path of the program that a process runs, as it was when it was started; empty if unknown."""
    try:
        return os.readlink(f"{PROC}/{pid}/exe")
    except OSError:
        return ""

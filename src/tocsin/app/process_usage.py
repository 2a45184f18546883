"""What the daemon's processes use: time of the processors, and memory, as `/proc` tells it.

A process is counted with the memory that it alone has and its share of what it has in common
with others (PSS) where this user may read that, else with all it has in memory (RSS).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from tocsin.protect.processes import PROC, parse_stat, running

MEMORY_EVERY = 5.0
"""Seconds between looks at the memory of a process, which are dear for those with much of it."""

_PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.M)
_PURPOSES = {
    "front": "talks to clients",
    "keeper": "opens files, acts",
    "guard": "answers the kernel",
    "host": "holds the signatures",
    "builder": "reads signatures",
}
_OF_CHILDREN = {
    "host": "worker",
    "keeper": "task",
    "guard": "medium",
    "task": "task's worker",
}
"""What the children of a process are for, by what itself is for."""


class Usage(NamedTuple):
    """One process.

    Attributes:
        pid: its number.
        role: `supervisor`, `front`, `worker`, …
        purpose: what it is for, in words.
        cpu: share of one processor since the last look, 0 to 1 and more; None at the first.
        memory: bytes; 0 when not readable.
        shared: whether that is its share of what it has in common with others (PSS).
    """

    pid: int
    role: str
    purpose: str
    cpu: float | None
    memory: int
    shared: bool


class ProcessUsage:
    """Looks at the daemon's processes, again and again."""

    def __init__(self) -> None:
        self._spent: dict[tuple[int, int], tuple[float, int]] = {}
        self._memory: dict[tuple[int, int], tuple[float, int, bool]] = {}
        self._tick = os.sysconf("SC_CLK_TCK")
        self._page = os.sysconf("SC_PAGE_SIZE")

    def look(self, supervisor: int, named: Mapping[str, int]) -> list[Usage]:
        """What they use now.

        Args:
            supervisor: number of the daemon's first process.
            named: numbers of those that it says it has, by what they are.
        """
        now = time.monotonic()
        roles = {pid: role for role, pid in named.items()}
        found = []
        seen: set[tuple[int, int]] = set()
        for pid, role in _family(supervisor, roles):
            with suppress(OSError):
                usage, identity = self._one(pid, role, now)
                seen.add(identity)
                found.append(usage)
        self._spent = {key: value for key, value in self._spent.items() if key in seen}
        self._memory = {key: value for key, value in self._memory.items() if key in seen}
        return found

    def _one(self, pid: int, role: str, now: float) -> tuple[Usage, tuple[int, int]]:
        stat = _content(f"{PROC}/{pid}/stat")
        start = parse_stat(pid, stat, 0).start
        fields = stat[stat.rfind(b")") + 2 :].split()
        ticks = int(fields[11]) + int(fields[12])
        identity = pid, start
        before = self._spent.get(identity)
        self._spent[identity] = now, ticks
        cpu = None
        if before is not None and now > before[0]:
            cpu = (ticks - before[1]) / self._tick / (now - before[0])
        looked, memory, shared = self._memory.get(identity, (-MEMORY_EVERY, 0, False))
        if now - looked >= MEMORY_EVERY:
            memory, shared = self._memory_of(pid)
            self._memory[identity] = now, memory, shared
        return Usage(pid, role, _PURPOSES.get(role, ""), cpu, memory, shared), identity

    def _memory_of(self, pid: int) -> tuple[int, bool]:
        with suppress(OSError):
            if (found := _PSS.search(_content(f"{PROC}/{pid}/smaps_rollup"))) is not None:
                return int(found[1]) << 10, True
        with suppress(OSError, IndexError, ValueError):
            return int(_content(f"{PROC}/{pid}/statm").split()[1]) * self._page, False
        return 0, False


def _family(supervisor: int, roles: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    """The daemon's processes with what each is, parents before their children."""
    waiting = [(supervisor, "supervisor")]
    while waiting:
        pid, role = waiting.pop(0)
        yield pid, role
        for child in _children(pid):
            made = "builder" if role == "supervisor" else _OF_CHILDREN.get(role, "helper")
            waiting.append((child, roles.get(child, made)))


def _children(pid: int) -> list[int]:
    """Processes that a process started; from all processes where the kernel keeps no list."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"{PROC}/{pid}/task"):
            found += map(int, _content(f"{PROC}/{pid}/task/{thread}/children").split())
    except FileNotFoundError:
        if not os.path.exists(f"{PROC}/self/task/{os.getpid()}/children"):
            return [process.pid for process in running() if process.parent == pid]
    except OSError:
        pass
    return sorted(found)


def _content(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = b""
        while chunk := os.read(descriptor, 65536):
            data += chunk
        return data
    finally:
        os.close(descriptor)

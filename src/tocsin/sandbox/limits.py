"""Resource limits, soft and hard, for good.

Address space is what bounds memory: the limit counts shared and private mappings alike, where
a limit on data would not count shared ones. It is set above what is mapped already, since the
index that a worker inherits may be large. Libraries reserve little beyond what they use (80 MB
a YARA-X scanner), so the bound is a meaningful one.

Source: setrlimit(2).
"""

from __future__ import annotations

import resource
from typing import Final

from tocsin.sandbox.syscalls import read_proc

THREADS: Final = 64
"""Threads of a process whose user id is its own; 7-Zip starts as many as there are cores."""


def mapped_bytes() -> int:
    """How much address space this process has mapped."""
    try:
        pages = int(read_proc("/proc/self/statm").split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * resource.getpagesize()


def enforce(memory: int, cpu_seconds: int, open_files: int, *, own_user: bool) -> None:
    """Limit the calling process.

    Args:
        memory: bytes of address space, what is mapped now included.
        cpu_seconds: CPU time over its whole life, what it has used included.
        open_files: descriptors numbered below this.
        own_user: no other process has its user id, so that threads can be counted.

    Raises:
        OSError: the kernel refused.
    """
    wanted = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_NOFILE: open_files,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_RTPRIO: 0,
        resource.RLIMIT_NICE: 0,
        resource.RLIMIT_SIGPENDING: THREADS,
    }
    if own_user:
        wanted[resource.RLIMIT_NPROC] = THREADS
    for kind, value in wanted.items():
        _lower(kind, value)


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))

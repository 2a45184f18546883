"""The filter of system calls: a list of what is allowed, everything else refused.

What a parsing process needs was found by tracing real scans (CPython, 7-Zip's threads, qpdf,
Hyperscan, YARA-X's and icicle's compilers, which map memory as executable). Refused means
`EPERM`, not death: libraries try things and manage without.
"""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache
from typing import Final

from tocsin.sandbox import syscalls
from tocsin.sandbox.bpf import Condition, Masked, Null, Rule, assemble, clear, equal, errno, program

_EPERM: Final = 1
_EFAULT: Final = 14
_ENOSYS: Final = 38
_MODE_FILTER: Final = 2

# fmt: off
_PLAIN: Final = (
    # memory
    "brk", "munmap", "mprotect", "mremap", "madvise", "mincore",
    # descriptors that are there already
    "read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "lseek", "close",
    "close_range", "fstat", "dup", "dup2", "dup3", "poll", "ppoll", "select", "pselect6",
    "recvmsg",
    # threads, and waiting
    "futex", "set_robust_list", "rseq", "set_tid_address", "membarrier", "sched_yield",
    "sched_getaffinity", "getcpu", "nanosleep", "clock_nanosleep", "exit", "exit_group",
    "arch_prctl", "restart_syscall",
    # signals to oneself
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
    # looking at oneself and at the clock
    "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getrlimit",
    "getrusage", "uname", "sysinfo", "gettimeofday", "time", "times",
    "clock_gettime", "clock_getres",
    "getrandom",
)

_PATHS: Final = (
    "stat", "lstat", "access", "faccessat", "faccessat2", "readlink", "readlinkat",
    "getdents64", "getcwd",
)
"""What importing a module needs besides opening it."""
# fmt: on

# Source: include/uapi/asm-generic/fcntl.h; these are the same on both architectures.
_WRONLY, _RDWR, _CREAT, _TRUNC, _O_PATH, _O_TMPFILE = 1, 2, 0o100, 0o1000, 0o10000000, 0o20000000
_WRITING: Final = _WRONLY | _RDWR | _CREAT | _TRUNC | _O_PATH | _O_TMPFILE
_AT_EMPTY_PATH: Final = 0x1000
_NEGATIVE: Final = 0x80000000

_THREAD_FLAGS: Final = 0x007D0F00
"""What `pthread_create` of glibc (0x3d0f00) and of musl (0x7d0f00) ask of `clone`."""
_CLONE_THREAD: Final = 0x00010000

_SHARED_ANONYMOUS: Final = 0x01 | 0x20
_FCNTL: Final = (0, 1, 2, 3, 4, 1030)
"""F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC: not F_SETOWN, which signals."""
_IOCTL: Final = (0x5401, 0x5413, 0x5421, 0x541B, 0x5450, 0x5451)
"""TCGETS, TIOCGWINSZ, FIONBIO, FIONREAD, FIONCLEX, FIOCLEX: not TIOCSTI, which types."""
_PRCTL: Final = (15, 16, 0x53564D41)
"""PR_SET_NAME, PR_GET_NAME, PR_SET_VMA: names of threads and mappings."""


def available() -> bool:
    """Whether the kernel takes filters and one can be written for this architecture."""
    if syscalls.architecture() is None:
        return False
    try:
        syscalls.call("prctl", syscalls.PR_SET_SECCOMP, _MODE_FILTER, 0, 0, 0)
    except OSError as error:
        return error.errno == _EFAULT  # it would have taken one that is there
    return False


@lru_cache(maxsize=4)
def _fixed(sealed: bool) -> bytes:
    """The part of the filter that is the same in every process."""
    known = syscalls.architecture()
    assert known is not None
    refuse = errno(_EPERM)
    rules: list[Rule] = []

    def add(name: str, *conditions: Condition, otherwise: int = refuse) -> None:
        if name in known.calls:
            rules.append(Rule(known.calls[name], conditions, otherwise))

    for name in _PLAIN:
        add(name)
    # Memory that two processes share would not be counted as this one's.
    add("mmap", Masked(3, _SHARED_ANONYMOUS, (0, 0x01, 0x20)))
    add("fcntl", equal(1, *_FCNTL))
    add("ioctl", equal(1, *_IOCTL))
    add("prctl", equal(0, *_PRCTL))
    add("clone", clear(0, 0xFFFFFFFF & ~_THREAD_FLAGS), Masked(0, _CLONE_THREAD, (_CLONE_THREAD,)))
    # Its flags lie in memory, where no filter sees them; glibc falls back to `clone`.
    rules.append(Rule(known.calls["clone3"], (), refuse, action=errno(_ENOSYS)))
    if sealed:
        # glibc's fstat is one of these on a descriptor and an empty path.
        add("newfstatat", clear(0, _NEGATIVE), Masked(3, _AT_EMPTY_PATH, (_AT_EMPTY_PATH,)))
        add("statx", clear(0, _NEGATIVE), Masked(2, _AT_EMPTY_PATH, (_AT_EMPTY_PATH,)))
    else:
        for name in _PATHS:
            add(name)
        add("newfstatat")
        add("statx")
        add("openat", clear(2, _WRITING))
        add("open", clear(1, _WRITING))
    return assemble(rules)


def prepare(*, sealed: bool) -> None:
    """Build what can be built before the fork."""
    if syscalls.architecture() is not None:
        _fixed(sealed)


def build(process: int, *, sealed: bool) -> bytes:
    """The filter for a process.

    Args:
        process: its id: it may signal only itself.
        sealed: allow no path to be opened, not even for reading.

    Returns:
        An array of `struct sock_filter`.
    """
    known = syscalls.architecture()
    assert known is not None
    refuse = errno(_EPERM)
    own = (
        Rule(known.calls["kill"], (equal(0, process),), refuse),
        Rule(known.calls["tgkill"], (equal(0, process),), refuse),
        Rule(known.calls["prlimit64"], (equal(0, 0, process), Null(2)), refuse),
    )
    return program(known.audit, _fixed(sealed), assemble(own), default=refuse)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def enforce(*, sealed: bool) -> None:
    """Filter the calling thread's system calls, and those of all it starts, for good.

    Raises:
        OSError: the kernel refused.
    """
    code = build(os.getpid(), sealed=sealed)
    structure = _Program(len(code) // 8, code)
    pointer = ctypes.cast(ctypes.pointer(structure), ctypes.c_void_p)
    syscalls.call("prctl", syscalls.PR_SET_SECCOMP, _MODE_FILTER, pointer, 0, 0)

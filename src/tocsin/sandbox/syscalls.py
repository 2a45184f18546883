"""System calls that Python's library does not wrap, through `ctypes`.

Imported when a process is about to be confined and not before: `ctypes` costs 3 ms.
"""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache
from typing import Final

from tocsin.sandbox.call_numbers import NUMBERS, Architecture

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_SECCOMP: Final = 22
PR_SET_NO_NEW_PRIVS: Final = 38
PR_GET_NO_NEW_PRIVS: Final = 39
PR_CAP_AMBIENT: Final = 47
PR_CAP_AMBIENT_CLEAR_ALL: Final = 4


@lru_cache(maxsize=1)
def architecture() -> Architecture | None:
    """The architecture of this process, or None where no numbers are known for it."""
    if os.uname().sysname != "Linux" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    return NUMBERS.get(os.uname().machine)


def call(name: str, *arguments: int | ctypes.c_void_p | ctypes.Array[ctypes.c_char] | None) -> int:
    """Make a system call.

    Args:
        name: its name in `call_numbers`.
        *arguments: numbers, or buffers to point at.

    Returns:
        What the kernel returned.

    Raises:
        OSError: it failed; `ENOSYS` too where its number is not known.
    """
    known = architecture()
    if known is None or name not in known.calls:
        raise OSError(38, os.strerror(38), name)
    words = [
        ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments
    ]
    result = int(_LIBC.syscall(ctypes.c_long(known.calls[name]), *words))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
    return result


def prctl(option: int, argument: int = 0) -> int:
    """Make `prctl`, whose remaining arguments must be zero.

    Raises:
        OSError: it failed.
    """
    return call("prctl", option, argument, 0, 0, 0)


def read_proc(path: str) -> str:
    """What a small file of `/proc` says.

    Raises:
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 1 << 16).decode("ascii", "replace")
    finally:
        os.close(descriptor)

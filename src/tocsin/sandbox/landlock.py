"""Landlock: which files a process may read, and nothing else that Landlock can refuse.

Source: Linux, `include/uapi/linux/landlock.h` and `Documentation/userspace-api/landlock.rst`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from tocsin.sandbox import syscalls

_GET_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3

_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 5: 16}
"""Version of the interface: how many rights on files it knows. Until 2 a file may be moved
nowhere; from 2 on that is a right, from 3 truncating, from 5 `ioctl` on devices."""

_TCP_SINCE: Final = 4
_TCP_RIGHTS: Final = 0b11
_SCOPES_SINCE: Final = 6
_SCOPES: Final = 0b11
"""Abstract UNIX sockets, and signals."""


def abi() -> int:
    """The version of the interface that the kernel offers, or 0."""
    try:
        return syscalls.call("landlock_create_ruleset", None, 0, _GET_VERSION)
    except OSError:
        return 0


def prepare(readable: Iterable[Path], version: int) -> int:
    """Make a set of rules.

    Args:
        readable: what may be read: files, and all that is beneath folders. What is missing or
            cannot be reached is left out.
        version: of the interface; what later versions can refuse stays allowed.

    Returns:
        Its descriptor.

    Raises:
        OSError: the kernel refused.
    """
    if version < min(_RIGHTS):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    rights = (1 << max(count for since, count in _RIGHTS.items() if since <= version)) - 1
    attributes = struct.pack("=Q", rights)
    if version >= _TCP_SINCE:
        attributes += struct.pack("=Q", _TCP_RIGHTS)
    if version >= _SCOPES_SINCE:
        attributes += struct.pack("=Q", _SCOPES)
    ruleset = syscalls.call(
        "landlock_create_ruleset", ctypes.create_string_buffer(attributes), len(attributes), 0
    )
    for path in readable:
        with suppress(OSError):
            _allow(ruleset, path)
    return ruleset


def _allow(ruleset: int, path: Path) -> None:
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        is_folder = stat.S_ISDIR(os.fstat(opened).st_mode)
        rights = _READ_FILE | _READ_DIR if is_folder else _READ_FILE
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, opened))
        syscalls.call("landlock_add_rule", ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(opened)


def enforce(ruleset: int) -> None:
    """Restrict the calling thread, and all it starts, for good; closes the set of rules.

    Raises:
        OSError: the kernel refused, for example since `no_new_privs` is not set.
    """
    try:
        syscalls.call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)

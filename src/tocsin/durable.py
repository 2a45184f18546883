"""Files and names that last: there whole or not at all, also after a loss of power.

A rename puts a file into place in one step, but neither the file's bytes nor the name are on the
disk before they are synced, each for itself (fsync(2)). Rooms that write say in their own errors
what a failure means to their users.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


class NotSynced(OSError):
    """What was written is in place, and the disk does not say that it is kept."""


def write_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file in one step, in place of one that may be there.

    Args:
        path: whose folder is there.
        data: what is to be in it.
        mode: permission bits, whatever the umask.

    Raises:
        NotSynced: the new file is in place, and after a loss of power it may be the one before.
        OSError: it could not be written; what was there still is, and nothing else.
    """
    temporary = path.with_name(f".{path.name[:120]}.{secrets.token_hex(6)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    try:
        sync_folder(path.parent)
    except OSError as error:
        raise NotSynced(error.errno, error.strerror, str(path)) from error


def sync_folder(folder: Path | str) -> None:
    """Have the names in a folder on the disk.

    Raises:
        OSError: the disk does not do it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Have a file's bytes on the disk.

    Raises:
        OSError: the disk does not do it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

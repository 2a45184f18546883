"""Files written so that a power loss leaves the old or the new one, never half of it."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from tocsin.updates.receive.errors import NoRoom, StateDamaged


def write_durably(place: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file in place of an earlier one, all at once and for good.

    Args:
        place: whose folder is there.
        data: what is to be in it.
        mode: permission bits.

    Raises:
        NoRoom: the disk is full.
        OSError: it cannot be written.
    """
    descriptor, half = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.replace(half, place)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(half)
        if isinstance(error, OSError):
            raise_if_full(error, place)
        raise
    sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder written to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(place: Path) -> None:
    """Have a file's content written to the disk."""
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_bounded(place: Path, most: int) -> bytes:
    """Read a small file.

    Args:
        place: the file.
        most: bytes beyond which it is not what it should be.

    Raises:
        StateDamaged: it is longer.
        OSError: it cannot be read.
    """
    with place.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise StateDamaged(f"{place}: longer than {most:,} bytes; it is not what it should be")
    return data


def raise_if_full(error: OSError, place: object) -> None:
    """Say clearly that a disk is full, when that is what an error says.

    Raises:
        NoRoom: it is.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise NoRoom(
            f"{place}: {error.strerror}; nothing was changed. Make room and run 'tocsin update' "
            "again: it goes on where it stopped"
        ) from error

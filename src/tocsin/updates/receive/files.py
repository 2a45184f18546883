"""A device's files, with errors that say what to do."""

from __future__ import annotations

import errno
from pathlib import Path

from tocsin import durable
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
    try:
        durable.write_file(place, data, mode=mode)
    except OSError as error:
        raise_if_full(error, place)
        raise


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

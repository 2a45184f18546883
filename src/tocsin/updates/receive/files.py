"""A device's files, with errors that say what to do."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin import durable
from tocsin.durable import NotSynced
from tocsin.updates.receive.errors import NoRoom, NotWritten, StateDamaged

_FULL = (errno.ENOSPC, errno.EDQUOT)
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


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


def _stays() -> str:
    return "what is in use stays in use"


@contextmanager
def changing(
    place: Path, in_use: Callable[[], str] = _stays, *, again: str = "tocsin update"
) -> Iterator[None]:
    """Have whatever the disk refuses said with what is in use and what to do.

    Args:
        place: that is changed, where the error itself names none.
        in_use: says what is in use at that moment; without it nothing in use may be touched.
        again: the command that goes on.

    Raises:
        NoRoom: the disk is full.
        NotWritten: it could not be written for another reason, or it was and may not last.
    """
    try:
        yield
    except OSError as error:
        raise refused(error, place, in_use, again=again) from error


def refused(
    error: OSError,
    place: object,
    in_use: Callable[[], str] = _stays,
    *,
    again: str = "tocsin update",
) -> NotWritten:
    """What to raise where the disk refuses; see `changing`."""
    kind = NoRoom if error.errno in _FULL else NotWritten
    said = error.strerror or str(error)
    if isinstance(error, NotSynced):
        said = f"written, and the disk does not say that it keeps it: {said}"
    return kind(f"{error.filename or place}: {said}; {in_use()}. {advice(error, again)}")


def raise_if_full(error: OSError, place: object) -> None:
    """Say clearly that a disk is full, when that is what an error says; before a swap only.

    Raises:
        NoRoom: it is.
    """
    if error.errno in _FULL:
        raise refused(error, place) from error


def advice(error: OSError, again: str = "tocsin update") -> str:
    """What to do about a disk that refuses."""
    if error.errno in _FULL:
        return f"Make room and run '{again}' again: it goes on where it stopped"
    if error.errno in _CLOSED:
        return f"Root updates the device ('sudo {again}'), where the disk may be written"
    return f"Look at the disk ('dmesg' says what it reported), then run '{again}' again"

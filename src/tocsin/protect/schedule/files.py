"""Small files of state: written whole or not at all, and never trusted when they make no sense."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import TypeVar

import msgspec

from tocsin.errors import SettingsError

LARGEST = 4 << 20

T = TypeVar("T")


def write_state(path: Path, value: msgspec.Struct, *, durable: bool = True) -> None:
    """Write a file in the place of what was there.

    Args:
        path: the file; its folder is made.
        value: what it is to hold.
        durable: whether it must survive a loss of power.

    Raises:
        SettingsError: it cannot be written; what was there still is.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with open(handle, "wb") as file:
            os.fchmod(handle, 0o644)
            file.write(msgspec.json.encode(value))
            if durable:
                file.flush()
                os.fsync(handle)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise SettingsError(f"{path}: {error.strerror}") from error


def read_state(path: Path, kind: type[T]) -> T | None:
    """What a file holds; None when there is none, or none that makes sense."""
    try:
        with open(path, "rb") as file:
            return msgspec.json.decode(file.read(LARGEST), type=kind)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None


class Lock:
    """A lock on a file, held until it is closed or this process ends.

    Args:
        path: the file; it is made, and stays.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1

    def take(self) -> bool:
        """Take it, if nobody has it.

        Raises:
            SettingsError: the file cannot be made.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise SettingsError(f"{self._path}: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def close(self) -> None:
        """Give it up."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def is_locked(path: Path) -> bool:
    """Whether some process has a lock on a file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False

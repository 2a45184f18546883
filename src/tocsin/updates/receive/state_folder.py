"""The folder that a device's state is in: read with bounds, written for good, errors that help.

Whatever cannot be written, the error names the file, says what scans use at that moment, as the
link that they follow says it, and what to do. A step that went through before the disk failed is
never called undone.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from tocsin.durable import sync_folder, write_file
from tocsin.updates.receive.errors import StateDamaged
from tocsin.updates.receive.files import changing, read_bounded

CURRENT = "current.tdb"
DATABASE = "database.tdb"
FORMER = "former"
VERSIONS = "versions"
INSTALLED = "installed.json"
SMALL = 2 << 20
"""Bytes that a file of the state may have, besides databases."""

_Struct = TypeVar("_Struct", bound=msgspec.Struct)
_Default = TypeVar("_Default")


class StateFolder:
    """The folder itself; what is in it is for those that build on this.

    Args:
        folder: where it is.

    Attributes:
        content: file name of what a version is.
        link: name of the link to what is in use.
        noun: what is kept, in words.
    """

    content = DATABASE
    link = CURRENT
    noun = "database"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def in_use_words(self) -> str:
        """What scans use now, in words."""
        try:
            folder, _, rest = os.readlink(self.folder / self.link).partition("/")
        except OSError:
            return f"no {self.noun} of an update is in use"
        if folder == FORMER:
            return "the database of the publisher before is in use"
        return f"version {rest.partition('/')[0]} is in use"

    @contextmanager
    def changing(self, place: Path) -> Iterator[None]:
        """Have whatever the disk refuses said with what is in use and what to do.

        Args:
            place: that is changed, where the error itself names none.

        Raises:
            NoRoom: the disk is full.
            NotWritten: it could not be written for another reason, or it was and may not last.
        """
        with changing(place, self.in_use_words):
            yield

    def read_bytes(self, place: Path, most: int = SMALL) -> bytes | None:
        """A file, or None when there is none.

        Raises:
            StateDamaged: it cannot be read, or is longer.
        """
        try:
            return read_bounded(place, most)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StateDamaged(f"{place}: {error.strerror}") from error

    def read_struct(self, name: str, kind: type[_Struct], default: _Default) -> _Struct | _Default:
        """A record, or the default when there is none.

        Raises:
            StateDamaged: it cannot be read.
        """
        data = self.read_bytes(self.folder / name)
        if data is None:
            return default
        try:
            return msgspec.json.decode(data, type=kind)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise StateDamaged(
                f"{self.folder / name}: damaged: {error}; remove it and run 'tocsin update'"
            ) from None

    def write_bytes(self, place: Path, data: bytes, *, mode: int = 0o644) -> None:
        """Write a file in place of an earlier one, all at once and for good.

        Raises:
            NoRoom: the disk is full.
            NotWritten: it could not be written, or may not last.
        """
        with self.changing(place):
            write_file(place, data, mode=mode)

    def write_struct(self, name: str, value: msgspec.Struct) -> None:
        """Write a record; see `write_bytes`."""
        self.write_bytes(self.folder / name, msgspec.json.format(msgspec.json.encode(value)))

    def make_folder(self, name: str) -> Path:
        """A folder in this one, made if need be, with its name on the disk.

        Raises:
            NoRoom: the disk is full.
            NotWritten: it could not be made.
        """
        place = self.folder / name
        if not place.is_dir():
            with self.changing(place):
                place.mkdir(exist_ok=True)
                sync_folder(self.folder)
        return place

    def remove_folder(self, place: Path) -> None:
        """Remove a folder with what is in it: from one moment to the next nothing of it is there.

        What cannot be removed has another name by then, and `recover` tries it again.
        """
        gone = place.with_name(f".gone.{secrets.token_hex(4)}")
        try:
            os.rename(place, gone)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                shutil.rmtree(place, ignore_errors=True)
            return
        shutil.rmtree(gone, ignore_errors=True)

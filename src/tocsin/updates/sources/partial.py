"""A file that is fetched and not whole yet: kept between attempts, dropped on a full disk."""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tocsin.updates.sources.errors import SourceStorage


class Validators(NamedTuple):
    """What a server said of a file the last time, to ask whether it has changed.

    Attributes:
        etag: entity tag as sent, or empty.
        modified: its `Last-Modified` as sent, or empty.
    """

    etag: str = ""
    modified: str = ""


class Begun(NamedTuple):
    """An earlier attempt: its bytes, and the validator that they belong to."""

    size: int
    validator: str


class Partial:
    """A file that is not whole yet, with a note beside it of what it is a part of."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.label = path.name.removesuffix(".part")
        self._note = path.with_name(path.name + ".json")

    def begun(self, url: str) -> Begun | None:
        """What an earlier attempt left, if it can be gone on with."""
        try:
            note = json.loads(self._note.read_bytes()[:10_000])
            size = self.path.lstat().st_size
            validator = note["etag"] or note["modified"]
            strong = isinstance(validator, str) and not validator.startswith("W/")
            if note["url"] == url and size and strong and validator:
                return Begun(size, validator)
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return None

    def drop(self) -> None:
        """Give up what came."""
        for path in (self.path, self._note):
            with suppress(OSError):
                path.unlink()

    def forget(self) -> None:
        """It is whole."""
        with suppress(OSError):
            self._note.unlink()

    def writing(self, url: str, validators: Validators, offset: int) -> Writer:
        """Open it for what comes.

        Raises:
            SourceStorage: it cannot be written.
        """
        try:
            if not offset:
                self.drop()
                note = {"url": url, **validators._asdict()}
                with open(self._note, "x", encoding="utf-8") as file:
                    json.dump(note, file)
            return Writer(self, offset)
        except OSError as error:
            raise storage_error(error, self.path) from error


class Writer:
    """Writes a partial file; a full disk gives its bytes back."""

    def __init__(self, partial: Partial, offset: int) -> None:
        self._partial = partial
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = open(os.open(partial.path, flags, 0o644), "wb")  # noqa: SIM115
        self._file.truncate(offset)
        self._file.seek(offset)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *details: object) -> None:
        with suppress(OSError):
            self._file.close()

    def write(self, piece: bytes) -> None:
        """Write on."""
        try:
            self._file.write(piece)
        except OSError as error:
            self._fail(error)

    def finish(self) -> None:
        """Have everything on disk."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            self._partial.drop()
        raise storage_error(error, self._partial.path) from error


def storage_error(error: OSError, path: Path) -> SourceStorage:
    """What to tell a person when the disk does not do as it should."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SourceStorage(f"{path.parent}: the disk is full; make room and try again")
    return SourceStorage(f"{path}: cannot be written: {error.strerror or error}")

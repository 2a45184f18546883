"""One source on a device: what was fetched of it, what of that is in use, and what went wrong.

`SOURCE/fetched/` is where it is brought in (`state.SourceFolder`), file by file. Nobody scans with
that. A set of files that is to be used is copied to `SOURCE/used/DIGEST/NAME`, tried there, and
named in `SOURCE/in-use.json`, which is replaced in one step: a scan sees the whole old set or the
whole new one, and an index made for the trial is the one that is used afterwards, since it knows
its files by path and time.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec

from tocsin.durable import sync_folder, write_file
from tocsin.updates.sources.errors import SourceBusy, SourceStorage
from tocsin.updates.sources.partial import storage_error
from tocsin.updates.sources.state import Entry, read_entries, require_file_name

FORMAT = 1
RECORD = "in-use.json"
FAILED = "failed.json"
FETCHED = "fetched"
_USED = "used"
_LOCK = "lock"
_LARGEST = 1 << 20
MOST_TROUBLE = 2000
"""Characters that are kept of what went wrong."""

_MOST_FILES = 200
_CLONE = 0x40049409
"""FICLONE of `linux/fs.h`: the copy shares its blocks with the original, where that is possible."""
_DIGEST = re.compile(r"[0-9a-f]{32}\Z")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}\Z")


class UsedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is scanned with, and where it came from.

    Attributes:
        file: its name.
        digest: the first 32 digits of its SHA-256, which is also its folder's name.
        size: in bytes.
        source: what is known of how it came.
    """

    file: str
    digest: str
    size: int
    source: Entry


class InUse(msgspec.Struct, frozen=True, kw_only=True):
    """`in-use.json`.

    Attributes:
        format: of this file.
        spec: the source, as a user writes it.
        files: that are in use.
        since: when they were put in use, in UTC.
        confirmed: when the source last said that there is nothing newer, in UTC.
        tried: when it was last asked, in UTC.
        trouble: what went wrong then, or empty.
        refused: digest of a set of files that did not pass its trial, or empty.
        previous: folders of files that were in use before.
    """

    format: int = FORMAT
    spec: str
    files: Annotated[tuple[UsedFile, ...], msgspec.Meta(max_length=_MOST_FILES)] = ()
    since: datetime
    confirmed: datetime
    tried: datetime
    trouble: str = ""
    refused: str = ""
    previous: tuple[str, ...] = ()


class NeverCame(msgspec.Struct, frozen=True, kw_only=True):
    """`failed.json`, which is there until something of the source is in use.

    Attributes:
        tried: when it was last asked, in UTC.
        trouble: what went wrong then.
    """

    tried: datetime
    trouble: str


class SourcePlace:
    """The folder of one source.

    Args:
        folder: of it; its name is the source's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        self.fetched = folder / FETCHED

    def in_use(self) -> InUse | None:
        """What is known of it; None when nothing of it was ever used.

        Raises:
            SourceStorage: it cannot be read.
        """
        path = self.folder / RECORD
        try:
            with path.open("rb") as file:
                data = file.read(_LARGEST)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise SourceStorage(f"{path}: cannot be read: {error.strerror}") from error
        try:
            held = msgspec.json.decode(data, type=InUse)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise SourceStorage(
                f"{path}: damaged: {error}; move it away and fetch the source again"
            ) from None
        if held.format != FORMAT:
            raise SourceStorage(f"{path}: written by a newer tocsin (format {held.format})")
        for each in held.files:
            require_file_name(each.file)
        if not all(_DIGEST.match(d) for d in (*(f.digest for f in held.files), *held.previous)):
            raise SourceStorage(f"{path}: names a file outside its folder; move it away")
        return held

    def never_came(self) -> NeverCame | None:
        """How the last try ended of a source of which nothing was ever used; None if unknown."""
        with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if not (self.folder / RECORD).exists():
                with (self.folder / FAILED).open("rb") as file:
                    return msgspec.json.decode(file.read(_LARGEST), type=NeverCame)
        return None

    def keep_trouble(self, tried: datetime, trouble: str) -> None:
        """Remember why nothing of it came; that this cannot be remembered is no failure."""
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_file(
                self.folder / FAILED,
                msgspec.json.encode(NeverCame(tried=tried, trouble=trouble[:MOST_TROUBLE])) + b"\n",
            )

    def forget_trouble(self) -> None:
        """It came, or nobody wants it any more."""
        with suppress(OSError):
            (self.folder / FAILED).unlink(missing_ok=True)

    def path(self, used: UsedFile) -> Path:
        """Where a file lies that is in use."""
        return self.folder / _USED / used.digest / used.file

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Change it; nobody else does at the same time.

        Raises:
            SourceBusy: somebody else does.
            SourceStorage: the folder cannot be written.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / _LOCK, flags, 0o644)
        except OSError as error:
            raise storage_error(error, self.folder) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise SourceBusy(
                f"{self.name}: another process looks after this source; wait until it has ended"
            ) from None
        finally:
            os.close(lock)

    def wanted(self) -> tuple[UsedFile, ...]:
        """The files that were fetched, each beside where it could be used from.

        A file of the same bytes that was there before is the same file.

        Raises:
            SourceStorage: one cannot be read or copied.
        """
        found = []
        for entry in read_entries(self.fetched).values():
            original = self.fetched / entry.file
            try:
                digest, size = _digest(original)
                used = UsedFile(file=entry.file, digest=digest, size=size, source=entry)
                if not self.path(used).exists():
                    self._copy(original, used)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise storage_error(error, original) from error
            found.append(used)
        return tuple(sorted(found, key=lambda each: each.file))

    def _copy(self, original: Path, used: UsedFile) -> None:
        place = self.path(used)
        temporary = place.parent.parent / f".{used.digest}.{secrets.token_hex(6)}"
        temporary.mkdir(parents=True)
        try:
            copy = temporary / used.file
            with original.open("rb") as source, copy.open("xb") as target:
                try:
                    fcntl.ioctl(target.fileno(), _CLONE, source.fileno())
                except OSError:  # not on this file system
                    shutil.copyfileobj(source, target, 1 << 20)
                target.flush()
                os.fsync(target.fileno())
            if _digest(copy)[0] != used.digest:
                raise SourceStorage(f"{original}: it changed while it was copied; try again")
            sync_folder(temporary)
            os.rename(temporary, place.parent)
            sync_folder(place.parent.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def keep(self, held: InUse) -> None:
        """Have this in use from now on, and remove what neither it nor the one before needs.

        Raises:
            SourceStorage: it cannot be written; what was in use still is.
        """
        data = msgspec.json.format(msgspec.json.encode(held), indent=2) + b"\n"
        path = self.folder / RECORD
        try:
            write_file(path, data)
        except OSError as error:
            raise storage_error(error, path) from error
        needed = {*(each.digest for each in held.files), *held.previous}
        self.forget_trouble()
        with suppress(OSError):
            for folder in (self.folder / _USED).iterdir():
                if folder.name not in needed:
                    shutil.rmtree(folder, ignore_errors=True)

    def forget_fetched(self) -> None:
        """Begin anew: what was fetched is from somewhere else."""
        shutil.rmtree(self.fetched, ignore_errors=True)

    def remove(self) -> None:
        """Use nothing of it any more, from one moment to the next, and remove it.

        Raises:
            SourceStorage: it cannot be removed.
        """
        gone = self.folder.with_name(f".{self.name}.{secrets.token_hex(6)}")
        try:
            os.rename(self.folder, gone)
        except OSError as error:
            raise storage_error(error, self.folder) from error
        shutil.rmtree(gone, ignore_errors=True)


def source_places(folder: Path) -> list[SourcePlace]:
    """The sources of which something was used, in the order of their names.

    Args:
        folder: in which each has its own.
    """
    try:
        names = sorted(name for name in os.listdir(folder) if NAME.match(name))
    except OSError:
        return []
    return [SourcePlace(folder / name) for name in names if (folder / name / RECORD).exists()]


def set_digest(files: Sequence[UsedFile]) -> str:
    """What tells one set of files from another."""
    text = "\n".join(sorted(f"{each.digest} {each.file}" for each in files))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:32]
        return digest, file.tell()

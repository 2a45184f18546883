"""The folder that sources are brought into: one process at a time, and what is known of each.

`sources.json` says of every source where it came from, when, with which digest and what was
checked, and which hosts are not to be asked before when. It is replaced whole or not at all.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

import msgspec

from tocsin.database.write import replace_file
from tocsin.durable import sync_file, sync_folder
from tocsin.errors import DatabaseError
from tocsin.updates.sources.errors import SourceBusy, SourceStorage
from tocsin.updates.sources.partial import Validators, storage_error

FORMAT = 1
LEDGER = "sources.json"
_LOCK = ".sources.lock"
_WORK = ".sources.work"
_LARGEST = 1 << 22
_MOST_PAUSES = 200
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,149}\Z")
_STALE_SECONDS = 7 * 86_400
"""After which a part of a file that nobody went on with is removed."""


class Pause(msgspec.Struct, frozen=True):
    """A host that is not to be asked.

    Attributes:
        until: when it may be asked again, in UTC.
        status: the HTTP status that said so.
    """

    until: datetime
    status: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one source, as it is in the folder.

    Attributes:
        kind: `clamav`, `digests`, `yara` or `file`.
        url: where it came from.
        file: its name in the folder.
        sha256: digest of what was fetched, lower-case hex.
        size: bytes of what was fetched.
        signatures: how many are in it.
        fetched: when it came, in UTC.
        version: as it states itself, or empty.
        author: as stated, or empty.
        licence: as stated, or empty.
        verified: what was checked by a signature: `header`, `info`, `cdiff`, `sign`.
        etag: to ask again with, or empty.
        modified: to ask again with, or empty.
    """

    kind: str
    url: str
    file: str
    sha256: str
    size: int
    signatures: int
    fetched: datetime
    version: str = ""
    author: str = ""
    licence: str = ""
    verified: tuple[str, ...] = ()
    etag: str = ""
    modified: str = ""

    @property
    def validators(self) -> Validators:
        """What to ask with whether there is something new."""
        return Validators(self.etag, self.modified)


class _Ledger(msgspec.Struct, kw_only=True):
    """`sources.json`."""

    format: int = FORMAT
    pauses: dict[str, Pause] = {}
    sources: dict[str, Entry] = {}


def read_entries(folder: Path) -> dict[str, Entry]:
    """What is known of the sources of a folder, without taking it.

    Raises:
        SourceStorage: `sources.json` cannot be read.
    """
    return _read(folder / LEDGER).sources


def read_pauses(folder: Path) -> dict[str, Pause]:
    """Which hosts are not to be asked, by name.

    Raises:
        SourceStorage: `sources.json` cannot be read.
    """
    return _read(folder / LEDGER).pauses


class SourceFolder:
    """A folder for as long as sources are brought into it; use it in a `with` block.

    Args:
        folder: where signature files lie; it is made when it is missing.

    Attributes:
        folder: the same.
        work: beneath it, for files that are not whole or not tested yet.

    Raises:
        SourceBusy: another process brings sources into it.
        SourceStorage: it cannot be written, or `sources.json` cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / _WORK
        self._ledger = _Ledger()
        self._lock = -1

    def __enter__(self) -> SourceFolder:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / _LOCK, flags, 0o644)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.work.mkdir(mode=0o700, exist_ok=True)
            self._ledger = _read(self.folder / LEDGER)
            self._sweep()
        except BlockingIOError:
            self._release()
            raise SourceBusy(
                f"{self.folder}: another process brings sources in; wait until it has ended"
            ) from None
        except OSError as error:
            self._release()
            raise storage_error(error, self.folder) from error
        except SourceStorage:
            self._release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._release()

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _sweep(self) -> None:
        """Remove what earlier runs left behind and nobody will go on with."""
        oldest = datetime.now(UTC).timestamp() - _STALE_SECONDS
        for path in self.work.iterdir():
            part = path.name.endswith((".part", ".part.json"))
            with suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif not part or path.lstat().st_mtime < oldest:
                    path.unlink()

    def entry(self, name: str) -> Entry | None:
        """What is known of a source whose file is still there; None else."""
        entry = self._ledger.sources.get(name)
        return entry if entry is not None and (self.folder / entry.file).is_file() else None

    def record(self, name: str, entry: Entry) -> None:
        """Know something of a source from now on.

        Raises:
            SourceStorage: it cannot be written.
        """
        self._ledger.sources[name] = entry
        self._write()

    def forget(self, name: str) -> None:
        """Know nothing of a source any more."""
        if self._ledger.sources.pop(name, None) is not None:
            self._write()

    def until(self, host: str) -> tuple[datetime, int] | None:
        """Until when a host is not to be asked, and the status that said so."""
        pause = self._ledger.pauses.get(host)
        return None if pause is None else (pause.until, pause.status)

    def hold(self, host: str, until: datetime, status: int) -> None:
        """Remember that a host is not to be asked before a time."""
        now = datetime.now(UTC)
        held = {name: each for name, each in self._ledger.pauses.items() if each.until > now}
        held[host] = Pause(until, status)
        self._ledger.pauses = dict(list(held.items())[-_MOST_PAUSES:])
        self._write()

    def candidate(self, name: str, data: bytes) -> Path:
        """Write a file that is to be tested, whole and on disk, beside where it will be.

        Raises:
            SourceStorage: it cannot be written.
        """
        require_file_name(name)
        path = self.work / name
        try:
            replace_file(path, data)
        except DatabaseError as error:
            raise _storage(error, path) from error
        return path

    def taken(self, path: Path, name: str) -> Path:
        """Have a file of the working folder be one that is to be tested, whole and on disk.

        Args:
            path: of it; it is moved.
            name: that it gets.

        Raises:
            SourceStorage: it cannot be moved.
        """
        require_file_name(name)
        target = self.work / name
        try:
            os.chmod(path, 0o644)
            sync_file(path)
            os.replace(path, target)
            sync_folder(self.work)
        except OSError as error:
            raise storage_error(error, target) from error
        return target

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder that is gone afterwards, on the disk where the files will be.

        Raises:
            SourceStorage: it cannot be made, or what is written into it finds no room.
        """
        try:
            with TemporaryDirectory(prefix=".scratch-", dir=self.work) as folder:
                yield Path(folder)
        except OSError as error:
            raise storage_error(error, self.work) from error

    def install(self, candidate: Path) -> Path:
        """Put a candidate in the place of the file of its name, in one step.

        Raises:
            SourceStorage: it cannot be moved.
        """
        target = self.folder / candidate.name
        try:
            os.replace(candidate, target)
            sync_folder(self.folder)
        except OSError as error:
            raise storage_error(error, target) from error
        return target

    def _write(self) -> None:
        data = msgspec.json.format(msgspec.json.encode(self._ledger), indent=2)
        try:
            replace_file(self.folder / LEDGER, data + b"\n")
        except DatabaseError as error:
            raise SourceStorage(str(error)) from error


class AllPauses:
    """The pauses of a folder and of others beside it: a host is one, whoever asked it.

    Args:
        held: the folder, which remembers new ones.
        siblings: the others, which are only read.
    """

    def __init__(self, held: SourceFolder, siblings: Iterable[Path]) -> None:
        self._held = held
        self._others: dict[str, Pause] = {}
        for folder in siblings:
            with suppress(SourceStorage):  # its own update says so
                for host, pause in read_pauses(folder).items():
                    known = self._others.get(host)
                    if known is None or pause.until > known.until:
                        self._others[host] = pause

    def until(self, host: str) -> tuple[datetime, int] | None:
        """Until when a host is not to be asked, and the status that said so."""
        other = self._others.get(host)
        found = [each for each in (self._held.until(host),) if each is not None]
        if other is not None:
            found.append((other.until, other.status))
        return max(found, default=None)

    def hold(self, host: str, until: datetime, status: int) -> None:
        """Remember that a host is not to be asked before a time."""
        self._held.hold(host, until, status)


def _storage(error: DatabaseError, path: Path) -> SourceStorage:
    cause = error.__cause__
    return storage_error(cause, path) if isinstance(cause, OSError) else SourceStorage(str(error))


def require_file_name(name: str) -> str:
    """A name that a file in the folder may have.

    Raises:
        SourceStorage: it has a path, begins with a dot, or is too long.
    """
    if not _FILE_NAME.match(name) or name == LEDGER:
        raise SourceStorage(f"{name[:60]!r} is no name for a file of signatures")
    return name


def _read(path: Path) -> _Ledger:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return _Ledger()
    except OSError as error:
        raise SourceStorage(f"{path}: cannot be read: {error.strerror}") from error
    try:
        ledger = msgspec.json.decode(data, type=_Ledger)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SourceStorage(
            f"{path}: damaged: {error}; move it away, and everything is fetched anew"
        ) from None
    if ledger.format != FORMAT:
        raise SourceStorage(f"{path}: written by a newer tocsin (format {ledger.format})")
    if any(not _FILE_NAME.match(entry.file) for entry in ledger.sources.values()):
        raise SourceStorage(f"{path}: names a file outside its folder; move it away")
    return ledger

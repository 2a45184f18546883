"""Writing a log's files so that whoever reads sees a whole file, now and after a loss of power."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tocsin.durable import sync_folder
from tocsin.transparency.errors import LogBusy, LogDamaged, LogNotWritten
from tocsin.transparency.tiles import ENTRIES, HEIGHT, WIDTH, Tile

PENDING = "pending"
_WORK = ".work"
_LEVELS = range(ENTRIES, 8)
_PATIENCE = 0.05


class LogFiles:
    """The folder of a log, open for writing; use it in a `with` block, which holds its lock.

    Args:
        folder: that is there.
        timeout: seconds to wait for another process that writes.

    Raises:
        LogBusy: another process went on writing.
        LogDamaged: the folder cannot be opened.
    """

    def __init__(self, folder: Path, *, timeout: float = 10.0) -> None:
        self.folder = folder
        self._timeout = timeout
        self._descriptor = -1
        self._touched: set[Path] = set()
        self._there: set[Path] = set()

    def __enter__(self) -> LogFiles:
        try:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            self._descriptor = os.open(self.folder, flags)
        except OSError as error:
            raise LogDamaged(f"{self.folder}: {error.strerror or error}") from error
        try:
            self._lock()
            shutil.rmtree(self.folder / _WORK, ignore_errors=True)
        except BaseException:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            (self.folder / _WORK).rmdir()
        os.close(self._descriptor)

    def _lock(self) -> None:
        until = time.monotonic() + self._timeout
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise LogBusy(
                        f"{self.folder}: another process writes this log; try again later"
                    ) from None
                time.sleep(_PATIENCE)

    def write(self, path: str, content: bytes) -> None:
        """Put a file in its place, whole; `settle` makes its name last.

        Raises:
            LogNotWritten: it could not be, and what was there before still is.
        """
        target = self.folder / path
        with _as_ours(target):
            work = self.folder / _WORK
            work.mkdir(mode=0o700, exist_ok=True)
            temporary = work / secrets.token_hex(8)
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self._make_folder(target.parent)
            os.replace(temporary, target)
            self._touched.add(target.parent)

    def remove(self, path: str) -> None:
        """Take a file away, where it is there."""
        target = self.folder / path
        with _as_ours(target), suppress(FileNotFoundError):
            target.unlink()
            self._touched.add(target.parent)

    def settle(self) -> None:
        """Make all names last that were given or taken since.

        Raises:
            LogNotWritten: the disk does not do it.
        """
        for folder in sorted(self._touched):
            with _as_ours(folder):
                sync_folder(folder)
        self._touched.clear()

    def sweep(self, size: int) -> None:
        """Take away tiles beyond a tree's edge: an append that was cut off left them.

        No checkpoint ever spoke of them.
        """
        for level in _LEVELS:
            held = size >> (HEIGHT * max(level, 0))
            place, width = divmod(held, WIDTH)
            while self._sweep_place(Tile(level, place), width):
                place, width = place + 1, 0

    def _sweep_place(self, tile: Tile, width: int) -> bool:
        """Take away what goes beyond a width; whether there was anything."""
        full = self.folder / tile.path
        partial = full.with_name(full.name + ".p")
        found = full.exists()
        self.remove(tile.path)
        with _as_ours(partial):
            names = os.listdir(partial) if partial.is_dir() else []
        for name in names:
            if not (name.isascii() and name.isdigit()) or int(name) > width:
                found = True
                self.remove(f"{tile.path}.p/{name}")
        return found

    def _make_folder(self, folder: Path) -> None:
        """Make a folder with those above it; `settle` makes their names last.

        One that is there may have been made by a process that ended before it settled.
        """
        if folder in self._there:
            return
        if folder != self.folder:
            self._make_folder(folder.parent)
            folder.mkdir(exist_ok=True)
            self._touched.add(folder.parent)
        self._there.add(folder)


@contextlib.contextmanager
def _as_ours(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LogNotWritten(f"{place}: {error.strerror or error}") from error

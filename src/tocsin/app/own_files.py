"""Where this program's own files are, by its settings and its usual places.

Left out of scans is only what nobody but root or this user could have put there: otherwise
whoever may write to such a folder could have a file passed over. Signatures in the hands of
somebody else (another account that fetches them) are scanned, but never taken away.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tocsin.app.places import state_dir
from tocsin.app.settings import journal_file, quarantine_folder, state_folder
from tocsin.errors import DatabaseError
from tocsin.protect.own_files import Key, OwnFiles
from tocsin.settings import Settings

_DEVICE_PLACES = ("/var/cache/tocsin", "/var/lib/tocsin")
"""Root's own, whatever this run was told to use instead."""

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MOST_FILES = 1000


def own_files(settings: Settings) -> OwnFiles:
    """What is this program's own now.

    Args:
        settings: where its quarantine, its journal and its signatures are.
    """
    from tocsin.database.cache import default_cache_dir, default_sources

    cache = default_cache_dir()
    state = state_folder(settings)
    folders = [cache, state, state_dir(), quarantine_folder(settings), default_sources()]
    left_out: set[Key] = set()
    for folder in dict.fromkeys((*folders, *map(Path, _DEVICE_PLACES))):
        left_out.update(_trusted(folder, folder=True))
    if left_out:  # an index under another name, or mounted somewhere by itself
        with suppress(OSError), os.scandir(cache) as entries:
            for entry, _ in zip(entries, range(_MOST_FILES), strict=False):
                left_out.update(_trusted(Path(entry.path), folder=False))
    kept: set[Key] = set()
    for source in (*map(Path, settings.database.sources), default_sources()):
        for file in _signature_files(source):
            left_out.update(_trusted(file, folder=False))
            kept.update(_not_open_to_all(file))
    journal = journal_file(settings)
    for name in (journal.name, f"{journal.name}-wal", f"{journal.name}-shm"):
        kept.update(_not_open_to_all(journal.with_name(name)))
    return OwnFiles(frozenset(left_out), frozenset(kept))


def _signature_files(source: Path) -> list[Path]:
    from tocsin.signatures.languages import list_files

    try:
        return list_files(source)
    except (DatabaseError, OSError):  # whoever opens the database says so
        return []


def _trusted(place: Path, *, folder: bool) -> Iterator[Key]:
    """The key of a place into which only root and this user could have put anything."""
    users = (0, os.geteuid())
    path = os.path.abspath(place)
    try:
        real = os.path.realpath(path)
        status = os.stat(real)
        kind = stat.S_ISDIR if folder else stat.S_ISREG
        if not kind(status.st_mode) or status.st_mode & _OTHERS_WRITE or real == "/":
            return
        for way in dict.fromkeys((path, real)):
            if not all(_holds(os.lstat(each), users) for each in _steps(way)):
                return
    except (OSError, ValueError):
        return
    yield status.st_dev, status.st_ino


def _steps(path: str) -> Iterator[str]:
    """A path and every folder above it."""
    while True:
        yield path
        if path == "/":
            return
        path = os.path.dirname(path)


def _holds(status: os.stat_result, users: tuple[int, int]) -> bool:
    """Whether nobody else can have made this step of a path, or may replace the next."""
    if status.st_uid not in users:
        return False
    open_to_all = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_IWOTH
    return not open_to_all or bool(status.st_mode & stat.S_ISVTX)


def _not_open_to_all(file: Path) -> Iterator[Key]:
    """The key of a file that not everybody may write to or replace."""
    try:
        status, folder = os.stat(file), os.stat(file.parent)
    except (OSError, ValueError):
        return
    if stat.S_ISREG(status.st_mode) and not (status.st_mode | folder.st_mode) & stat.S_IWOTH:
        yield status.st_dev, status.st_ino

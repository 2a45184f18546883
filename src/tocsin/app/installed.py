"""The signatures that updates put in use on this device: the signed database, and other sources."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tocsin.app.settings import state_folder
from tocsin.errors import TocsinError
from tocsin.settings import Settings

_UPDATES = "updates"
_CURRENT = "current.tdb"
_SOURCES = "sources"


def updates_folder(settings: Settings) -> Path:
    """Where what updates remember is kept."""
    return state_folder(settings) / _UPDATES


def sources_folder(settings: Settings) -> Path:
    """Where sources that others publish are kept, each in a folder of its own."""
    return state_folder(settings) / _SOURCES


def installed_update(settings: Settings) -> list[Path]:
    """The signed database in use, if there is one."""
    place = updates_folder(settings) / _CURRENT
    return [place] if os.path.exists(place) else []


def fetched_places(settings: Settings) -> list[tuple[str, list[Path]]]:
    """Sources that others publish, by name, and the files of each that are in use."""
    folder = sources_folder(settings)
    if not os.path.isdir(folder):  # most devices: nothing is imported for them
        return []
    from tocsin.updates.sources.in_use import source_places

    found = []
    for place in source_places(folder):
        with suppress(TocsinError):  # 'tocsin update status' says what is wrong with it
            if (held := place.in_use()) is not None:
                files = [path for each in held.files if (path := place.path(each)).exists()]
                found.append((place.name, files))
    return found


def fetched_sources(settings: Settings) -> list[Path]:
    """The files in use of sources that others publish."""
    return [file for _, files in fetched_places(settings) for file in files]


def installed_database(settings: Settings) -> list[Path]:
    """Everything that updates put in use: the signed database first."""
    return [*installed_update(settings), *fetched_sources(settings)]


def closed_to_us(settings: Settings) -> list[Path]:
    """Folders in which updates may have put signatures that this user cannot see."""
    closed = []
    for folder in (updates_folder(settings), sources_folder(settings)):
        try:
            os.listdir(folder)
        except PermissionError:
            closed.append(folder)
        except OSError:
            continue
    return closed

"""The signatures that updates put in use on this device: the signed database, and other sources."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tocsin.app.device import SYSTEM_STATE
from tocsin.app.places import state_dir
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


class ForScan(NamedTuple):
    """What updates put in use, as far as it is this user's to read.

    Attributes:
        files: to scan with.
        trouble: what of it cannot be used, in words, or empty.
    """

    files: list[Path]
    trouble: str


def installed_for_scan(settings: Settings) -> ForScan:
    """What updates put in use for a scan that somebody starts by hand.

    Whoever is not root may have sources of their own beside those of the device.
    """
    files = installed_database(settings)
    place = state_folder(settings)
    if place == SYSTEM_STATE != state_dir():
        files += installed_database(Settings())
    damaged = damaged_sources(settings)
    closed = next((each for each in (place, place / _UPDATES, place / _SOURCES) if _shut(each)), "")
    if closed:
        return ForScan(
            files,
            f"what updates brought this device is in {closed}, which is not for this user to read: "
            "it is not used; scan as root, or bring in your own: tocsin update",
        )
    return ForScan(files, damaged[0] if damaged else "")


def damaged_sources(settings: Settings) -> list[str]:
    """What is wrong with sources whose files can for that reason not be used."""
    if not os.path.isdir(sources_folder(settings)):
        return []
    from tocsin.updates.sources.in_use import source_places

    found = []
    for place in source_places(sources_folder(settings)):
        try:
            held = place.in_use()
            gone = (
                [each.file for each in held.files if not place.path(each).exists()] if held else ()
            )
            if gone:
                found.append(f"{gone[0]} of source {place.name} is gone: tocsin update")
        except TocsinError as error:
            found.append(str(error))
    return found


def source_of(path: Path) -> str:
    """Name of the source that a file in use came from, or empty."""
    parts = path.parts
    return parts[-4] if len(parts) > 4 and (parts[-5], parts[-3]) == (_SOURCES, "used") else ""


def _shut(folder: Path) -> bool:
    """Whether a folder is there that this user cannot look into."""
    try:
        os.scandir(folder).close()
    except PermissionError:
        return True
    except OSError:
        return False
    return False

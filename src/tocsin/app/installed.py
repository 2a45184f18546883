"""The database that updates put in use on this device."""

from __future__ import annotations

import os
from pathlib import Path

from tocsin.app.settings import state_folder
from tocsin.settings import Settings

_FOLDER = "updates"
_CURRENT = "current.tdb"


def updates_folder(settings: Settings) -> Path:
    """Where what updates remember is kept."""
    return state_folder(settings) / _FOLDER


def installed_database(settings: Settings) -> list[Path]:
    """The database in use, if there is one."""
    place = updates_folder(settings) / _CURRENT
    return [place] if os.path.exists(place) else []

"""Which settings file holds here, and where what they leave open is kept."""

from __future__ import annotations

import os
from pathlib import Path

from tocsin.app.places import config_dir, state_dir
from tocsin.protect.configuration.load import Loaded, load_file
from tocsin.settings import Settings

FILE_NAME = "tocsin.toml"
VARIABLE = "TOCSIN_CONFIG"


def settings_file(named: Path | None = None) -> tuple[Path, bool]:
    """The settings file, and whether somebody named it and it must exist.

    Args:
        named: by `--config`; None for what `TOCSIN_CONFIG` says, or the usual place.
    """
    stated = os.environ.get(VARIABLE)
    if named is None and stated:
        named = Path(stated)
    if named is not None:
        return Path(os.path.abspath(named)), True
    return config_dir() / FILE_NAME, False


def load_settings(named: Path | None = None) -> Loaded:
    """The settings that hold; without a file in the usual place, the defaults.

    Args:
        named: by `--config`; None for what `TOCSIN_CONFIG` says, or the usual place.

    Raises:
        InvalidSettings: with everything that is wrong in the file, by line and key.
    """
    path, needed = settings_file(named)
    return load_file(path, needed=needed)


def state_folder(settings: Settings) -> Path:
    """Where what survives restarts is kept."""
    return Path(settings.daemon.state) if settings.daemon.state else state_dir()


def journal_file(settings: Settings) -> Path:
    """The journal of events."""
    return Path(settings.journal.file or state_folder(settings) / "journal" / "journal.db")


def quarantine_folder(settings: Settings) -> Path:
    """The vault."""
    return Path(settings.quarantine.folder or state_folder(settings) / "quarantine")

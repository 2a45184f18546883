"""What the settings say about a scan that somebody starts by hand.

The device's settings name the signatures that were chosen for it. A scan that used others without
a word would call clean what the device's daemon refuses.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from tocsin.app.device import device, is_closed
from tocsin.app.installed import installed_for_scan
from tocsin.app.places import state_dir
from tocsin.database.cache import default_sources
from tocsin.errors import DatabaseError, InvalidSettings, SettingsError
from tocsin.settings import Settings
from tocsin.signatures.languages import list_files

_MOST_NAMED = 3


class Found(NamedTuple):
    """The settings that hold for a scan.

    Attributes:
        settings: the settings; the defaults where none can be used.
        source: the file they are from.
        stated: whether there is such a file.
        warning: what should hold and does not, or empty.
    """

    settings: Settings
    source: Path
    stated: bool
    warning: str = ""


def settings_for_scan(named: Path | None, *, needed: bool) -> Found:
    """The settings that hold for a scan: the user's, else the device's, else the defaults.

    Args:
        named: by `--config`.
        needed: whether a scan without them would look for something else than it should.

    Raises:
        InvalidSettings: they are wrong, and they are needed.
    """
    try:
        held = device(named)
    except InvalidSettings as error:
        if needed:
            raise
        said = f"{error.lines()[0]}; the settings are not used: 'tocsin config check' says more"
        return Found(Settings(), state_dir(), False, said)
    if held.trouble:
        said = ""
        if needed:
            said = (
                f"{held.trouble}; the device's settings are not used, but tocsin's own signatures "
                "alone: scan as root, or name others with --db"
            )
        return Found(held.settings, held.source, False, said)
    return Found(held.settings, held.source, os.path.exists(held.source))


def sources_for_scan(found: Found, *, with_default: bool) -> tuple[list[Path], str]:
    """The signatures that the settings name, as far as this user may read them.

    Args:
        found: the settings.
        with_default: use those that come with this program besides.

    Returns:
        Files and folders, and what is not used, in words.

    Raises:
        SettingsError: there is no such file or folder.
    """
    database = found.settings.database
    usable: list[Path] = []
    closed: list[Path] = []
    installed = installed_for_scan(found.settings)
    for source in (*map(Path, database.sources), *installed.files):
        if is_closed(source):
            closed.append(source)
        elif not os.path.exists(source):
            raise SettingsError(
                f"{source}: there is no such file or folder, but [database] sources in "
                f"{found.source} names it; mend that, or name signatures with --db"
            )
        else:
            files, unreadable = _files(source)
            closed += unreadable
            usable += files if unreadable else [source]
    said = ""
    if closed:
        named = ", ".join(map(str, closed[:_MOST_NAMED]))
        more = f" and {len(closed) - _MOST_NAMED:,} more" if len(closed) > _MOST_NAMED else ""
        alone = "" if usable else ", so that tocsin's own signatures are used alone"
        said = f"not for this user to read and not used: {named}{more} ({found.source}){alone}"
    said = "; ".join(each for each in (said, installed.trouble) if each)
    if database.with_default or with_default or not usable:
        usable.append(default_sources())
    return usable, said


def _files(source: Path) -> tuple[list[Path], list[Path]]:
    """The files a source stands for: those that can be read, and those that cannot."""
    try:
        files = list_files(source)
    except DatabaseError:  # whoever opens the database says so
        return [], []
    closed = [file for file in files if is_closed(file)]
    return [file for file in files if file not in closed], closed

"""What belongs to the whole device, for users whose own things are elsewhere.

Root's settings, journal and quarantine are the device's. Another user has their own, and the
device's are closed to them: what they may know of it, or do with it, the daemon says.
"""

from __future__ import annotations

import grp
import os
import pwd
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from tocsin.app.settings import (
    FILE_NAME,
    journal_file,
    quarantine_folder,
    settings_file,
)
from tocsin.errors import DaemonRefused, DaemonUnreachable, SettingsError
from tocsin.protect.configuration.load import load_file
from tocsin.settings import Settings

SYSTEM_FILE = Path("/etc/tocsin") / FILE_NAME
SYSTEM_STATE = Path("/var/lib/tocsin")


class Device(NamedTuple):
    """The settings that the daemon of this device seems to run with.

    Attributes:
        settings: with the device's place for what they leave open.
        source: the file they are from; it need not exist.
        of_machine: whether they are the machine's because this user has none of their own.
        trouble: why the machine's could not be read, so that these are the defaults; or empty.
    """

    settings: Settings
    source: Path
    of_machine: bool
    trouble: str = ""


def device(named: Path | None) -> Device:
    """The settings that the daemon of this device seems to run with.

    A user without a settings file of their own asks about the daemon of the machine.

    Args:
        named: by `--config`.

    Raises:
        InvalidSettings: the file that holds is wrong.
    """
    path, needed = settings_file(named)
    if needed or path.exists() or "TOCSIN_CONFIG_DIR" in os.environ:
        settings = load_file(path, needed=needed).settings
        return Device(_placed(settings) if path == SYSTEM_FILE else settings, path, False)
    settings, is_there, trouble = Settings(), True, ""
    try:
        loaded = load_file(SYSTEM_FILE, needed=False)
        settings, is_there = loaded.settings, loaded.found or SYSTEM_STATE.is_dir()
    except SettingsError as error:  # nothing that this user could mend
        trouble = str(error)
    return Device(_placed(settings) if is_there else settings, SYSTEM_FILE, True, trouble)


def device_settings(named: Path | None) -> Settings:
    """The same without where they are from."""
    return device(named).settings


def device_journal(settings: Settings) -> Path:
    """The journal that the daemon of these settings writes."""
    return journal_file(_placed(settings))


def device_quarantine(settings: Settings) -> Path:
    """The vault that the daemon of these settings uses."""
    return quarantine_folder(_placed(settings))


def is_closed(place: Path) -> bool:
    """Whether something is there, or may be, that this user cannot read."""
    if os.geteuid() == 0:
        return False
    try:
        os.stat(place)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return not os.access(place, os.R_OK, effective_ids=True)


def why_closed(
    settings: Settings, place: Path, error: DaemonRefused | DaemonUnreachable, verb: str
) -> str:
    """What to do when the daemon did not give what only root can read.

    Args:
        settings: of the device.
        place: that cannot be read.
        error: what came instead.
        verb: which root can call without a daemon, as people type it.
    """
    if isinstance(error, DaemonUnreachable):
        return f"{place} is for root to read, and the daemon cannot be asked: {error}"
    if error.status != 403:
        return str(error)
    group = settings.daemon.admin_group
    said = f"{place}: the device's is for root"
    if not group:
        return (
            f"{said} ('sudo tocsin {verb}'); [daemon] admin_group in its settings names a group "
            "whose members may ask the daemon"
        )
    return f"{said} ('sudo tocsin {verb}') and members of {group!r} alone; {_membership(group)}"


def _membership(group: str) -> str:
    """How this user comes to be a member."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = "USER"
    with suppress(KeyError):
        if user in grp.getgrnam(group).gr_mem:
            return "you are one from when you next log in"
    return f"'sudo usermod -aG {group} {user}' adds you, from when you next log in"


def _placed(settings: Settings) -> Settings:
    """The settings with the place of what survives restarts, which root's commands use."""
    replace = msgspec.structs.replace
    if not settings.updates.trust and "TOCSIN_CONFIG_DIR" not in os.environ:
        trust = str(SYSTEM_FILE.parent / "trust")
        settings = replace(settings, updates=replace(settings.updates, trust=trust))
    if settings.daemon.state or "TOCSIN_STATE_DIR" in os.environ:
        return settings
    return replace(settings, daemon=replace(settings.daemon, state=str(SYSTEM_STATE)))

"""What installing makes: plain values, in the order in which they are made.

    steps = system_steps(executable, settings, units=True)

The same values say what is there already, what a manifest records, and what uninstalling
takes back.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from tocsin.protect.install.service_unit import UNIT, WANTED_BY, system_unit, user_unit

USER = "tocsin"
ADMIN_GROUP = "tocsin-admin"
STATE = "/var/lib/tocsin"
CACHE = "/var/cache/tocsin"
LOGS = "/var/log/tocsin"
CONFIG = "/etc/tocsin"
UNIT_FOLDER = "/etc/systemd/system"
SYSUSERS = "/usr/lib/sysusers.d/tocsin.conf"


class Holds(StrEnum):
    """What comes into a folder later, by which it is decided what uninstalling does with it."""

    NOTHING = "nothing"
    CACHE = "cache"
    STATE = "state"


class Folder(NamedTuple):
    """A folder.

    Attributes:
        path: absolute.
        mode: permission bits.
        owner: of an account made here; empty for whoever installs.
        group: the same.
        holds: what comes into it later.
    """

    path: str
    mode: int = 0o755
    owner: str = ""
    group: str = ""
    holds: Holds = Holds.NOTHING


class TextFile(NamedTuple):
    """A file.

    Attributes:
        path: absolute.
        text: what is in it.
        mode: permission bits.
        group: empty for that of whoever installs.
        is_settings: the user's to change; one that is there already is left alone.
    """

    path: str
    text: str
    mode: int = 0o644
    group: str = ""
    is_settings: bool = False


class Link(NamedTuple):
    """A symbolic link.

    Attributes:
        path: absolute.
        target: what it leads to.
    """

    path: str
    target: str


class Group(NamedTuple):
    """A system group.

    Attributes:
        name: of it.
    """

    name: str


class User(NamedTuple):
    """A system user who cannot log in.

    Attributes:
        name: of it.
        group: its only group.
        home: its home directory, which is not made.
        comment: what it is for.
    """

    name: str
    group: str
    home: str
    comment: str


Step = Folder | TextFile | Link | Group | User


def system_steps(
    executable: Iterable[str], settings: str, *, units: bool, accounts: bool
) -> list[Step]:
    """What the machine's service needs.

    Args:
        executable: the program and its first arguments, absolute.
        settings: text of a new settings file.
        units: whether systemd is to start it.
        accounts: whether accounts can be made now; else systemd makes them at the next start.
    """
    steps: list[Step] = [Folder(STATE, holds=Holds.STATE)]
    if accounts:
        steps += [
            Group(USER),
            Group(ADMIN_GROUP),
            User(USER, USER, "/nonexistent", "tocsin, malware protection"),
        ]
    else:
        steps.append(TextFile(SYSUSERS, _SYSUSERS_TEXT))
    owner, admins = (USER, ADMIN_GROUP) if accounts else ("", "")
    steps += [
        Folder(CACHE, 0o700, holds=Holds.CACHE),
        Folder(LOGS, 0o750, owner, owner, Holds.STATE),
        Folder(CONFIG, holds=Holds.STATE),
        TextFile(f"{CONFIG}/tocsin.toml", settings, 0o640, admins, is_settings=True),
    ]
    if units:
        steps += [
            TextFile(f"{UNIT_FOLDER}/{UNIT}", system_unit(executable)),
            Link(f"{UNIT_FOLDER}/{WANTED_BY}.wants/{UNIT}", f"{UNIT_FOLDER}/{UNIT}"),
        ]
    return steps


def user_steps(
    executable: Iterable[str], settings: str, *, config: str, state: str, unit_folder: str
) -> list[Step]:
    """What a user's own service needs: no account, no rights.

    Args:
        executable: the program and its first arguments, absolute.
        settings: text of a new settings file.
        config: folder of settings.
        state: folder of what survives restarts.
        unit_folder: where systemd looks for this user's units.
    """
    unit = f"{unit_folder}/{UNIT}"
    return [
        Folder(state, 0o700, holds=Holds.STATE),
        Folder(config, 0o700, holds=Holds.STATE),
        TextFile(f"{config}/tocsin.toml", settings, 0o600, is_settings=True),
        TextFile(unit, user_unit(executable)),
        Link(f"{unit_folder}/default.target.wants/{UNIT}", unit),
    ]


_SYSUSERS_TEXT = f"""\
# Written by 'tocsin install'.
g {ADMIN_GROUP} -
u {USER} - "tocsin, malware protection" /nonexistent
"""


def said(step: Step) -> str:
    """A step in words."""
    if isinstance(step, Folder):
        owner = f", of {step.owner}" if step.owner else ""
        return f"folder {step.path} (mode {step.mode:o}{owner})"
    if isinstance(step, TextFile):
        return f"file {step.path} (mode {step.mode:o})"
    if isinstance(step, Link):
        return f"link {step.path} to {step.target}"
    if isinstance(step, Group):
        return f"group {step.name}"
    return f"user {step.name} (system, no login)"

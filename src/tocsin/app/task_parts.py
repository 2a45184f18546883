"""What each kind of task looks at, as parts that are done one after the other."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import NamedTuple

from tocsin.errors import SettingsError
from tocsin.protect.mounts import read_mounts
from tocsin.protect.schedule.local import local_file_systems, outermost, quick_folders
from tocsin.protect.startup.place import read_users
from tocsin.settings import TaskSettings

START_UP = "start-up places"
MEMORY = "memory"
QUARANTINE = "quarantine"


class Part(NamedTuple):
    """Something that is looked at in one go.

    Attributes:
        name: by which a checkpoint finds it again.
        paths: files and folders, in a fixed order.
        leave: folders that are not entered.
    """

    name: str
    paths: tuple[str, ...] = ()
    leave: frozenset[str] = frozenset()


def parts_of(task: TaskSettings) -> list[Part]:
    """The parts of a task, in the order in which they are done.

    Raises:
        SettingsError: there is nothing to look at.
    """
    if task.kind == "critical":
        return [Part(START_UP)]
    if task.kind == "quick":
        return [Part(START_UP), Part(MEMORY), Part("new files", _quick_paths())]
    if task.kind == "full":
        found = local_file_systems(read_mounts())
        return [Part(top, (top,), found.leave) for top in found.tops]
    if task.kind == "reexamination":
        return [Part(QUARANTINE)]
    if not task.paths:
        raise SettingsError(f"task {task.name} names no paths: say them in its [[task]]")
    return [Part("paths", task.paths)]


def _quick_paths() -> tuple[str, ...]:
    homes = _homes()
    stated = {}
    for home in homes:
        with suppress(OSError, ValueError), open(f"{home}/.config/user-dirs.dirs", "rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                stated[home] = file.read(1 << 16).decode("utf-8", "surrogateescape")
    folders = [folder for folder in quick_folders(homes, stated) if os.path.isdir(folder)]
    return tuple(outermost(folders))


def _homes() -> list[str]:
    """Home folders whose owner this user may look after."""
    try:
        with open("/etc/passwd", encoding="utf-8", errors="surrogateescape") as file:
            users = read_users(file.read())
    except OSError:
        return []
    uid = os.geteuid()
    return [user.home.rstrip("/") or "/" for user in users if uid in (0, user.uid)]

"""What the settings want guarded, and what of it is: marks, and why there is none.

Looked at anew whenever something is mounted or unmounted, and now and then for folders that did
not exist. No file is opened for that; marking takes a path.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from tocsin.protect.file_facts import facts_at
from tocsin.protect.guard.fanotify import FAN_CLOSE_WRITE
from tocsin.protect.guard.scope import Scope
from tocsin.protect.mounts import PSEUDO_FILE_SYSTEMS, Mount, read_mounts
from tocsin.settings import GuardSettings

FOLDER = "folder"
MOUNT = "mount"
FILE_SYSTEM = "file system"


class Marker(Protocol):
    """What can be marked; `fanotify.Group` is one."""

    def is_marked(self, path: str) -> bool:
        """Whether the file system of a path is marked."""

    def mark_file_system(self, path: str, mask: int) -> None:
        """Mark the file system of a path."""

    def mark_mount(self, path: str, mask: int) -> None:
        """Mark a mount."""


class Target(NamedTuple):
    """One thing that is to be guarded.

    Attributes:
        kind: `folder`, `mount` or `file system`.
        path: as the settings name it.
    """

    kind: str
    path: str


class Targets:
    """What is to be guarded.

    Args:
        settings: that say what.
        wanted: the events to hear of, besides the end of writing.

    Attributes:
        trouble: why a target is not guarded, empty when it is.
        scope: what is guarded as of the last look.
        mounts: as of the last look.
    """

    def __init__(self, settings: GuardSettings, wanted: int) -> None:
        self._wanted = wanted
        self._named = [
            *(Target(FOLDER, path) for path in settings.folders),
            *(Target(MOUNT, path) for path in settings.mounts),
            *(Target(FILE_SYSTEM, path) for path in settings.file_systems),
        ]
        self._media: list[Target] = []
        self.trouble: dict[Target, str] = {}
        self.mounts: list[Mount] = []
        self.scope = Scope((), (), (), ())

    def also(self, media: Iterable[str]) -> None:
        """Guard these file systems too, from the next look on."""
        self._media = [Target(FILE_SYSTEM, path) for path in media]

    def look_again(
        self, marker: Marker, read: Callable[[], list[Mount]] = read_mounts
    ) -> tuple[bool, dict[Target, str]]:
        """Mark what is to be marked.

        Args:
            marker: that bears the marks.
            read: tells what is mounted.

        Returns:
            Whether a file system bears a mark that it did not bear before, and what has changed
            of `trouble`.
        """
        self.mounts = read()
        by_number = {mount.number: mount for mount in self.mounts}
        folders: list[tuple[int, str]] = []
        whole_mounts: set[int] = set()
        whole_devices: set[int] = set()
        trouble: dict[Target, str] = {}
        anew = False
        targets = list(dict.fromkeys([*self._named, *self._media]))
        for target in targets:
            try:
                path, mount = _resolve(target, by_number)
                anew |= self._mark(marker, target.kind, path)
            except OSError as error:
                trouble[target] = error.strerror or str(error)
                continue
            trouble[target] = ""
            if target.kind == FOLDER:
                folders.append((mount.number, path))
            elif target.kind == MOUNT:
                whole_mounts.add(mount.number)
            else:
                whole_devices.add(mount.device)
        self.scope = Scope(self.mounts, folders, whole_mounts, whole_devices)
        for place in self.scope.marked:  # what is mounted beneath guarded folders
            try:
                anew |= self._mark(marker, FOLDER, place.seen_at)
            except OSError as error:
                trouble[Target(FOLDER, place.seen_at)] = error.strerror or str(error)
        before, self.trouble = self.trouble, trouble
        changes = {
            target: reason for target, reason in trouble.items() if before.get(target) != reason
        }
        return anew, changes

    def _mark(self, marker: Marker, kind: str, path: str) -> bool:
        """Mark something; whether its file system was unmarked before."""
        anew = not marker.is_marked(path)
        if kind == MOUNT:
            marker.mark_mount(path, self._wanted)
            marker.mark_file_system(path, FAN_CLOSE_WRITE)
        else:
            marker.mark_file_system(path, self._wanted | FAN_CLOSE_WRITE)
        return anew


def _resolve(target: Target, by_number: dict[int, Mount]) -> tuple[str, Mount]:
    """Where a target is.

    Raises:
        OSError: it cannot be guarded.
    """
    path = os.path.realpath(target.path)
    facts = facts_at(path)
    if target.kind == FOLDER and not stat.S_ISDIR(facts.mode):
        raise OSError(0, "not a folder")
    mount = by_number.get(facts.mount)
    if mount is None:
        raise OSError(0, "what it is mounted on is not seen from here")
    if mount.kind in PSEUDO_FILE_SYSTEMS:
        raise OSError(0, f"a file system of type {mount.kind} holds nothing to be guarded")
    return path, mount

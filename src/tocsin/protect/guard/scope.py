"""Which of the files that somebody opens are guarded.

A folder is guarded by marking the file system that it lies on, and by looking at the path of
each file that is opened. The ways that lost: marks on a folder and each folder in it race with
folders that are made meanwhile; a mark on the mount is evaded by anybody who may make a mount
namespace (`unshare -rm`), because the copies of a mount that are in it bear no mark.

What a path means depends on the mount that the file was opened through. So paths are compared
within the file system: a bind mount of a guarded folder is guarded, wherever it is, and whatever
is mounted beneath a guarded folder is guarded with it. A file that is opened through a mount
that is not seen from here (of another mount namespace) is looked up by its handle.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from tocsin.protect.mounts import PSEUDO_FILE_SYSTEMS, Mount

Rule = tuple[str, ...] | None
"""What is guarded of a mount: None for everything, otherwise what lies beneath these paths."""

EVERYTHING: Rule = None
NOTHING: Rule = ()


class Place(NamedTuple):
    """A part of a file system that is guarded.

    Attributes:
        device: of the file system.
        inside: path within it.
        mount: place of a mount through which that is seen from here.
        seen_at: where it is seen there.
    """

    device: int
    inside: str
    mount: str
    seen_at: str


class Scope:
    """What is guarded, as a value; made anew when mounts change.

    Args:
        mounts: that are seen from here.
        folders: mount number and absolute path of each guarded folder, links resolved.
        whole_mounts: numbers of mounts that are guarded wholly.
        whole_devices: file systems that are guarded wholly.

    Attributes:
        marked: parts of file systems that are guarded through whatever mount.
    """

    def __init__(
        self,
        mounts: Iterable[Mount],
        folders: Iterable[tuple[int, str]],
        whole_mounts: Collection[int],
        whole_devices: Collection[int],
    ) -> None:
        by_number = {mount.number: mount for mount in mounts}
        self._whole_devices = frozenset(whole_devices)
        self.marked: list[Place] = []
        for number, path in folders:
            mount = by_number.get(number)
            if mount is None:
                continue
            self.marked.append(Place(mount.device, inside(mount, path), mount.place, path))
            self.marked.extend(
                Place(beneath.device, beneath.root, beneath.place, beneath.place)
                for beneath in by_number.values()
                if beneath.number != number
                and within(beneath.place, path)
                and beneath.kind not in PSEUDO_FILE_SYSTEMS
            )
        self._rules: dict[int, Rule] = {
            mount.number: EVERYTHING
            if mount.device in self._whole_devices or mount.number in whole_mounts
            else self._rule_of(mount)
            for mount in by_number.values()
        }

    def knows(self, mount: int) -> bool:
        """Whether a mount is seen from here."""
        return mount in self._rules

    def rule(self, mount: int) -> Rule:
        """What is guarded of a mount that is seen from here."""
        return self._rules[mount]

    def places_on(self, device: int) -> list[Place] | None:
        """What is guarded of a file system; None for all of it, or when it is not known."""
        if device in self._whole_devices:
            return None
        return [place for place in self.marked if place.device == device] or None

    def _rule_of(self, mount: Mount) -> Rule:
        seen: list[str] = []
        for place in self.marked:
            if place.device != mount.device:
                continue
            if within(mount.root, place.inside):
                return EVERYTHING
            if within(place.inside, mount.root):
                rest = os.path.relpath(place.inside, mount.root)
                seen.append(os.path.join(mount.place, rest))
        return tuple(seen)


class PathExclusions:
    """Paths that are not guarded.

    Args:
        patterns: globs of whole paths, and folders with all beneath them.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        folders: list[str] = []
        globs: list[str] = []
        for pattern in patterns:
            if any(sign in pattern for sign in "*?["):
                globs.append(fnmatch.translate(pattern))
            else:
                folders.append(pattern.rstrip("/") or "/")
        self._folders = tuple(folders)
        self._globs = re.compile("|".join(globs)) if globs else None

    def __bool__(self) -> bool:
        return bool(self._folders) or self._globs is not None

    def hold(self, path: str) -> bool:
        """Whether a path is excluded."""
        if any(within(path, folder) for folder in self._folders):
            return True
        return self._globs is not None and self._globs.match(path) is not None


def within(path: str, folder: str) -> bool:
    """Whether an absolute path is a folder or lies beneath it."""
    return folder in (path, "/") or path.startswith(folder + "/")


def covers(rule: Rule, path: str) -> bool:
    """Whether what is guarded of a mount includes a path seen through it."""
    return rule is None or any(within(path, folder) for folder in rule)


def inside(mount: Mount, path: str) -> str:
    """A path seen through a mount, as it is within the file system."""
    rest = os.path.relpath(path, mount.place)
    return mount.root if rest == "." else os.path.join(mount.root, rest)

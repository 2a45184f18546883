"""Opening what a peer names, with the peer's own rights: one file, or a folder and all beneath.

This runs in the keeper, which is root where the daemon was started by root; who asks holds no
rights at all. Each step gives a few descriptors, so that a walk waits for whoever scans.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from typing import NamedTuple

from tocsin.protect.daemon.peer import Peer, acting_as, open_without_magic
from tocsin.protect.exclusions import is_excluded
from tocsin.protect.mounts import pseudo_devices
from tocsin.protect.own_files import Key, OwnFiles, is_beneath

STEP_SECONDS = 0.05
"""How long one walk may have a thread at a time."""


class Wish(NamedTuple):
    """What is to be opened.

    Attributes:
        path: as it was named.
        follow_links: follow links inside folders.
        cross_file_systems: leave the file system that a folder lies on.
        exclude: globs of what is left out.
        own: this program's own folders and files, left out too, by device and inode.
    """

    path: bytes
    follow_links: bool = False
    cross_file_systems: bool = True
    exclude: tuple[str, ...] = ()
    own: frozenset[Key] = frozenset()


class Opened(NamedTuple):
    """A file to be scanned; its descriptor is the caller's to close."""

    path: bytes
    descriptor: int


class Refused(NamedTuple):
    """What could not be opened.

    Attributes:
        path: its path.
        named: whether it is what was asked for, and not something in it.
        reason: in words, as the system says it.
        special: whether it is no regular file.
        excluded: whether the settings leave it out.
    """

    path: bytes
    named: bool
    reason: str
    special: bool = False
    excluded: bool = False


class Opening:
    """Goes through what a wish stands for, a piece at a time.

    Args:
        wish: what is to be opened.
        peer: as whom.
    """

    def __init__(self, wish: Wish, peer: Peer) -> None:
        self._wish = wish
        self._peer = peer
        self._pseudo = pseudo_devices()
        self._own = OwnFiles(wish.own)
        self._items = self._walk()
        self.done = False

    def step(self, most: int) -> list[Opened | Refused]:
        """The next few, at most `most`; `done` says when there are no more.

        It takes `STEP_SECONDS` at most, and then may have found nothing yet: a tree of empty
        folders is not to hold up those who wait for a thread.
        """
        found: list[Opened | Refused] = []
        until = time.monotonic() + STEP_SECONDS
        try:
            with acting_as(self._peer):
                while len(found) < most and time.monotonic() < until:
                    item = next(self._items, self)
                    if item is self:
                        self.done = True
                        break
                    if isinstance(item, Opened | Refused):
                        found.append(item)
        except PermissionError as error:
            found.append(Refused(self._wish.path, True, error.strerror or str(error)))
            self.done = True
        return found

    def _walk(self) -> Iterator[Opened | Refused | None]:
        """What there is; None where nothing was found and somebody else may have the thread."""
        path = self._wish.path
        if self._excludes(path):
            yield Refused(path, True, "Excluded", excluded=True)
            return
        try:
            if not path.startswith(b"/"):
                raise FileNotFoundError(2, os.strerror(2))
            descriptor = open_without_magic(path)
        except (OSError, ValueError) as error:
            yield Refused(path, True, getattr(error, "strerror", None) or str(error))
            return
        status = os.fstat(descriptor)
        if self._own.leaves_out_open(descriptor):
            os.close(descriptor)
            yield Refused(path, True, "Excluded", excluded=True)
            return
        if stat.S_ISREG(status.st_mode):
            if self._peer.uid != 0 and status.st_dev in self._pseudo:
                os.close(descriptor)  # it may say more to the daemon than to who asks
                yield Refused(path, True, os.strerror(errno.EACCES))
                return
            yield Opened(path, descriptor)
            return
        os.close(descriptor)
        if not stat.S_ISDIR(status.st_mode):
            yield Refused(path, True, "Not supported file type", special=True)
            return
        yield from self._folder(path.rstrip(b"/") or b"/", status.st_dev)

    def _excludes(self, path: bytes) -> bool:
        exclude = self._wish.exclude
        if not exclude:
            return False
        return is_excluded(os.fsdecode(path), os.fsdecode(os.path.basename(path)), exclude)

    def _leads_to_own(self, path: bytes) -> bool:
        """Whether a link leads into a folder of this program's own."""
        left_out = self._own.left_out
        if not left_out or not os.path.islink(path):
            return False
        return is_beneath(os.path.realpath(path), left_out)

    def _folder(self, top: bytes, device: int) -> Iterator[Opened | Refused | None]:
        waiting = [top]
        seen: set[tuple[int, int]] = set()
        while waiting:
            folder = waiting.pop()
            yield None
            try:
                descriptor = open_without_magic(folder)
            except OSError as error:
                yield Refused(folder, folder == top, error.strerror or str(error))
                continue
            inner: list[bytes] = []
            try:
                yield from self._listed(folder, descriptor, device, inner, seen)
            except OSError as error:
                yield Refused(folder, folder == top, error.strerror or str(error))
            finally:
                os.close(descriptor)
            waiting.extend(reversed(inner))

    def _listed(
        self,
        folder: bytes,
        descriptor: int,
        device: int,
        inner: list[bytes],
        seen: set[tuple[int, int]],
    ) -> Iterator[Opened | Refused | None]:
        """What stands in one folder, whatever its path leads to meanwhile."""
        for name in sorted(os.fsencode(each) for each in os.listdir(descriptor)):
            path = os.path.join(folder, name)
            if self._excludes(path):
                yield Refused(path, False, "Excluded", excluded=True)
                continue
            try:
                yield self._entry(path, name, descriptor, device, inner, seen)
            except OSError as error:
                yield Refused(path, False, error.strerror or str(error))

    def _entry(
        self,
        path: bytes,
        name: bytes,
        folder: int,
        device: int,
        inner: list[bytes],
        seen: set[tuple[int, int]],
    ) -> Opened | Refused | None:
        follow = self._wish.follow_links
        status = os.stat(name, dir_fd=folder, follow_symlinks=follow)
        if self._own.leaves_out(status) or (follow and self._leads_to_own(path)):
            return Refused(path, False, "Excluded", excluded=True)
        if stat.S_ISDIR(status.st_mode):
            identity = (status.st_dev, status.st_ino)
            crosses = status.st_dev != device and (
                not self._wish.cross_file_systems or status.st_dev in self._pseudo
            )
            if not crosses and not (follow and identity in seen):
                seen.add(identity)
                inner.append(path)
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        descriptor = open_without_magic(name, follow=follow, folder=folder)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return Opened(path, descriptor)
        os.close(descriptor)
        return None

"""From the paths a user names to the files to scan, and what is said of the others.

Links inside folders are not followed, so a loop cannot hold the walk; a path that is named
is followed. Pseudo file systems are left out unless one is named itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tocsin.engine.report import Report, SkippedObject
from tocsin.protect.exclusions import is_excluded
from tocsin.protect.mounts import pseudo_mounts
from tocsin.protect.own_files import NOTHING, WHAT, OwnFiles, is_beneath


class WalkOptions(NamedTuple):
    """What to leave out.

    Attributes:
        exclude: globs; one with a `/` is held against the whole path, others against names.
        one_file_system: do not enter other file systems than that of each named path.
        pseudo: enter pseudo file systems as well.
        leave: folders that are not entered, by their absolute paths.
        own: this program's own files; not a file that is named, unless `own_named`.
        own_named: leave them out even if they are named.
    """

    exclude: tuple[str, ...] = ()
    one_file_system: bool = False
    pseudo: bool = False
    leave: frozenset[str] = frozenset()
    own: OwnFiles = NOTHING
    own_named: bool = False


class Walk:
    """Walks over the named paths.

    Args:
        options: what to leave out.

    Attributes:
        folders: folders entered so far.
        left_out: what was left out so far, by reason.
        place: which of the named paths it is in.
    """

    def __init__(self, options: WalkOptions) -> None:
        self._options = options
        self._pseudo = frozenset() if options.pseudo else pseudo_mounts()
        self.folders = 0
        self.left_out: dict[str, int] = {}
        self.place = 0

    def items(
        self, paths: Iterable[str], after: tuple[int, str] = (0, "")
    ) -> Iterator[str | Report]:
        """Paths of files to scan, and finished reports for what cannot be scanned.

        Args:
            paths: what the user named.
            after: begin behind this file of an earlier walk, below the named path of this number;
                it need not be there any more, because the order is that of names.
        """
        for place, path in enumerate(paths):
            self.place = place
            if place < after[0]:
                continue
            rest = _below(path, after[1]) if place == after[0] else ()
            try:
                status = os.stat(path)
                is_folder = stat.S_ISDIR(status.st_mode)
                is_own = (is_folder or self._options.own_named) and self._is_own(path, status)
            except (OSError, ValueError) as error:
                yield _failed(path, error)
                continue
            if is_own:
                self.leave_own()
            elif is_folder:
                yield from self._folder(path, status.st_dev, rest)
            elif path == after[1] and place == after[0]:
                continue
            elif stat.S_ISREG(status.st_mode):
                yield path
            else:
                yield _special(path, status.st_mode)

    def _folder(self, top: str, device: int, after: tuple[str, ...]) -> Iterator[str | Report]:
        """A folder's files, then the folders in it, each in the order of names.

        Args:
            top: the folder.
            device: of its file system.
            after: the way down to the file behind which to begin; empty for the beginning.
        """
        waiting = [(top, after)]
        while waiting:
            folder, rest = waiting.pop()
            self.folders += 1
            try:
                with os.scandir(folder) as entries:
                    listed = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                yield _failed(folder, error)
                continue
            inner: list[tuple[str, tuple[str, ...]]] = []
            for entry in listed:
                if is_excluded(entry.path, entry.name, self._options.exclude):
                    self._count("excluded")
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                    mode = status.st_mode
                    if self._options.own.leaves_out(status):
                        self.leave_own()
                        continue
                    if stat.S_ISDIR(mode):
                        if not _is_before(entry.name, rest[:-1]) and self._enters(entry, device):
                            further = rest[1:] if rest[:1] == (entry.name,) else ()
                            inner.append((entry.path, further))
                        continue
                except OSError as error:
                    yield _failed(entry.path, error)
                    continue
                if rest and (len(rest) > 1 or entry.name <= rest[0]):
                    continue
                if stat.S_ISREG(mode):
                    yield entry.path
                elif stat.S_ISLNK(mode):
                    self._count("links")
                else:
                    self._count("special files")
            waiting.extend(reversed(inner))

    def _enters(self, entry: os.DirEntry[str], device: int) -> bool:
        if self._options.one_file_system and (entry.stat(follow_symlinks=False).st_dev != device):
            self._count("other file systems")
            return False
        if self._options.leave and os.path.abspath(entry.path) in self._options.leave:
            self._count("other file systems")
            return False
        if self._pseudo and os.path.abspath(entry.path) in self._pseudo:
            self._count("pseudo file systems")
            return False
        return True

    def leave_own(self) -> None:
        """Count something of this program's own that was left out."""
        self._count(WHAT)

    def _is_own(self, path: str, status: os.stat_result) -> bool:
        """Whether what was named is this program's own, or lies in it.

        Raises:
            OSError: a link in the path was changed while it was followed.
        """
        own = self._options.own
        if own.leaves_out(status):
            return True
        return is_beneath(os.fsencode(os.path.realpath(path)), own.left_out)

    def _count(self, reason: str) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


def _below(top: str, path: str) -> tuple[str, ...]:
    """The names that lead from a folder down to a file; none when it is not below it."""
    prefix = top if top.endswith("/") else top + "/"
    return tuple(path[len(prefix) :].split("/")) if path.startswith(prefix) else ()


def _is_before(name: str, way: tuple[str, ...]) -> bool:
    """Whether a folder comes before the one that a way leads through."""
    return bool(way) and name < way[0]


def read_file_list(data: bytes) -> list[str]:
    """Paths from a list in which each ends with a NUL byte (`find -print0`)."""
    return [os.fsdecode(path) for path in data.split(b"\0") if path]


def _failed(path: str, error: OSError | ValueError) -> Report:
    report = Report(path)
    said = error.strerror if isinstance(error, OSError) else None
    report.errors.append(said or str(error))
    return report


def _special(path: str, mode: int) -> Report:
    kinds = (
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISBLK, "a block device"),
        (stat.S_ISCHR, "a character device"),
    )
    kind = next((name for test, name in kinds if test(mode)), "a special file")
    report = Report(path)
    report.skipped.append(SkippedObject(path, "unsupported", f"{kind}, not a regular file"))
    return report

"""The file system below some root, read by the paths that hold in it; it never raises.

What may not be read is kept in `refused`. A link is followed within the root.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator
from contextlib import suppress

LONGEST = 256 << 10
"""Bytes of a file that are read to find what it names."""

_MOST_LINKS = 40
_MOST_WALKED = 200_000


class Tree:
    """A file system.

    Args:
        root: where it begins.
        release: the kernel's release; None for the one that runs.

    Attributes:
        root: where it begins, without a `/` at its end.
        release: the kernel's release.
        refused: paths that may not be read.
    """

    def __init__(self, root: str = "/", release: str | None = None) -> None:
        self.root = root.rstrip("/")
        self.release = os.uname().release if release is None else release
        self.refused: set[str] = set()

    def real(self, path: str) -> str:
        """What to open for a path: its links followed without leaving the root."""
        if not self.root:
            return path
        done = ""
        waiting = path.split("/")[::-1]
        links = 0
        while waiting:
            part = waiting.pop()
            if part in ("", "."):
                continue
            if part == "..":
                done = done.rpartition("/")[0]
                continue
            here = f"{done}/{part}"
            target = ""
            with suppress(OSError):
                target = os.readlink(self.root + here)
            if not target or links >= _MOST_LINKS:
                done = here
                continue
            links += 1
            if target.startswith("/"):
                done = ""
            waiting += target.split("/")[::-1]
        return self.root + (done or "/")

    def status(self, path: str) -> os.stat_result | None:
        """What a path leads to; None when there is nothing or it may not be seen."""
        try:
            return os.stat(self.real(path))
        except PermissionError:
            self.refused.add(path)
        except (OSError, ValueError):
            return None
        return None

    def is_file(self, path: str) -> bool:
        """Whether a path leads to a regular file."""
        status = self.status(path)
        return status is not None and stat.S_ISREG(status.st_mode)

    def is_program(self, path: str) -> bool:
        """Whether it is a regular file that somebody may execute."""
        status = self.status(path)
        return status is not None and stat.S_ISREG(status.st_mode) and bool(status.st_mode & 0o111)

    def text(self, path: str) -> str:
        """The beginning of a file as text; empty when it cannot be read."""
        try:
            descriptor = os.open(
                self.real(path), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            )
            with open(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return ""
                return file.read(LONGEST).decode("utf-8", "surrogateescape")
        except PermissionError:
            self.refused.add(path)
        except (OSError, ValueError):
            return ""
        return ""

    def names(self, folder: str) -> list[str]:
        """What is in a folder, sorted; nothing when there is none."""
        try:
            return sorted(os.listdir(self.real(folder)))
        except PermissionError:
            self.refused.add(folder)
        except (OSError, ValueError):
            return []
        return []

    def files(self, *folders: str, ends: str = "") -> Iterator[str]:
        """Regular files right in some folders."""
        for folder in folders:
            for name in self.names(folder):
                path = f"{folder}/{name}"
                if name.endswith(ends) and self.is_file(path):
                    yield path

    def below(self, folder: str, *, depth: int = 8, ends: str = "") -> Iterator[str]:
        """Regular files in a folder and in those inside it; no link to a folder is followed."""
        waiting = [(folder, depth)]
        seen = 0
        while waiting and seen < _MOST_WALKED:
            here, left = waiting.pop()
            for name in self.names(here):
                seen += 1
                path = f"{here}/{name}"
                if left and os.path.isdir(self.root + path):
                    if not os.path.islink(self.root + path):
                        waiting.append((path, left - 1))
                elif name.endswith(ends) and self.is_file(path):
                    yield path

    def matching(self, *patterns: str) -> Iterator[str]:
        """Paths that fit globs, sorted, folders too."""
        for pattern in patterns:
            found = glob.glob(glob.escape(self.root) + pattern, include_hidden=True)
            for path in sorted(found):
                yield path[len(self.root) :]

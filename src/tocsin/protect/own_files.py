"""Which files are this program's own, so that it neither examines nor takes away itself.

An index holds the very patterns that are looked for, and so do plain signatures: scanned, they
would be found. They are known by device and inode, which a link, another mount of the same place
or another name does not change. What may be told so is decided elsewhere: here is only asked.
"""

from __future__ import annotations

import os
from typing import NamedTuple

Key = tuple[int, int]
"""Device and inode."""

WHAT = "tocsin's own files"


class OwnFiles(NamedTuple):
    """Folders and files by device and inode; a folder stands for all beneath it.

    Attributes:
        left_out: what walks leave out; nobody but root and this user could have put it there.
        kept: what is never taken away or deleted, besides; it is scanned all the same.
    """

    left_out: frozenset[Key] = frozenset()
    kept: frozenset[Key] = frozenset()

    def leaves_out(self, status: os.stat_result) -> bool:
        """Whether a folder or file that a walk meets is left out; what is above it was asked."""
        return (status.st_dev, status.st_ino) in self.left_out

    def leaves_out_open(self, descriptor: int) -> bool:
        """Whether an open file, or a folder above it, is left out."""
        if not self.left_out:
            return False
        status = os.fstat(descriptor)
        return self.leaves_out(status) or is_beneath(_path_of(descriptor, status), self.left_out)

    def keeps(self, key: Key, path: bytes) -> bool:
        """Whether a file is never acted upon.

        Args:
            key: which it is.
            path: where it is, absolute and without links.
        """
        every = self.left_out | self.kept
        return key in every or is_beneath(path, every)


NOTHING = OwnFiles()


def is_beneath(path: bytes, folders: frozenset[Key]) -> bool:
    """Whether a path lies in one of the folders, at any depth.

    Args:
        path: absolute and without links; of others nothing is known.
        folders: by device and inode.
    """
    if not folders or not path.startswith(b"/"):
        return False
    while path != b"/":
        path = os.path.dirname(path)
        try:
            status = os.stat(path)
        except (OSError, ValueError):  # gone, or not for this user to see
            continue
        if (status.st_dev, status.st_ino) in folders:
            return True
    return False


def _path_of(descriptor: int, status: os.stat_result) -> bytes:
    """Where an open file is; empty where it has no name any more."""
    if not status.st_nlink:
        return b""
    try:
        return os.readlink(b"/proc/self/fd/%d" % descriptor)
    except OSError:
        return b""

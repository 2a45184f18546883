"""Marks of files that the keeper opened: equal only where the content is (`file_facts`).

A file system may be mounted in the place of another and be made to look like it, times and
numbers and all. So a mark holds only until something is mounted or unmounted, and only with this
keeper: both go into it.
"""

from __future__ import annotations

import hashlib
import secrets
import threading

from tocsin.protect.file_facts import mark_of_content, prepare_leases
from tocsin.protect.mounts import MountWatch


class Marks:
    """Gives marks; may be asked by several threads."""

    def __init__(self) -> None:
        prepare_leases()
        self._lock = threading.Lock()
        self._salt = secrets.token_bytes(16)
        self._mounts: MountWatch | None = None
        try:
            self._mounts = MountWatch()
        except OSError:  # no /proc: nothing is known of mounts, and so nothing of files
            return

    def of(self, descriptor: int) -> bytes:
        """A file's mark, or nothing where its content cannot be known; see `mark_of_content`.

        Args:
            descriptor: opened for reading only.
        """
        if self._mounts is None:
            return b""
        mark = mark_of_content(descriptor)
        if not mark:
            return b""
        with self._lock:
            if self._mounts.changed():
                self._salt = secrets.token_bytes(16)
            return hashlib.blake2b(mark, digest_size=16, key=self._salt).digest()

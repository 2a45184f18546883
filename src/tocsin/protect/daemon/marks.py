"""Marks of files that the keeper opened: equal only where the content is, without reading it.

Only for files that nobody but root may write to. For others times and identity say too little:
there are ways to change a file that set no time (`docs/adr/0010` names some), but all of them need
the right to write to it. What is said of a file holds while

- it is the same (device, number, birth) with the same size and times to the nanosecond,
- nobody has it open for writing or mapped writable, when the mark is made and when it is compared,
- it had not changed within the last ticks of the clock when the mark was made,
- nothing was mounted or unmounted: a file system in another's place may be made to look like it,
- it has the same path: a verdict may depend on it, and
- it is on a file system that sets times for stores through mappings as well (not tmpfs), and
  on no loop or network block device, which may be written to beneath the file system.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time

from tocsin.protect.file_facts import (
    facts_of,
    is_settled,
    is_tmpfs,
    is_trusted,
    nobody_writes,
    prepare_leases,
)
from tocsin.protect.mounts import MountWatch

_BENEATH = frozenset({7, 43})  # major numbers of loop and network block devices


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

    def of(self, descriptor: int, path: bytes) -> bytes:
        """A file's mark, or nothing where its content cannot be known.

        Args:
            descriptor: opened for reading only.
            path: by which it was opened.
        """
        if self._mounts is None:
            return b""
        now = time.time()
        try:
            facts = facts_of(descriptor)
        except OSError:
            return b""
        if not facts.root_alone_writes or facts.key[0] in _BENEATH:
            return b""
        if not is_trusted(descriptor) or is_tmpfs(descriptor):
            return b""
        if not is_settled(facts, now) or not nobody_writes(descriptor):
            return b""
        text = repr((facts.key, facts.stamp, path)).encode()
        with self._lock:
            if self._mounts.changed():
                self._salt = secrets.token_bytes(16)
            return hashlib.blake2b(text, digest_size=16, key=self._salt).digest()

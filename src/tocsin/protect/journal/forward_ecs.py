"""Events to a file of ECS JSON lines, for collectors that read files.

The file is opened anew for each batch, so that whoever rotates it needs to tell nobody. A batch
counts when it is on the disk.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence

from tocsin.durable import sync_folder
from tocsin.errors import ForwardError
from tocsin.protect.journal.ecs import ecs_document
from tocsin.protect.journal.store import Entry

_MODE = 0o640


class EcsTarget:
    """A file of JSON lines.

    Args:
        path: the file.
        most: bytes at which it is renamed to `.1`, in place of what has that name; 0: never.

    Attributes:
        batch: most events that are sent at once.
        where: the target for people.
    """

    batch = 500

    def __init__(self, path: str, most: int = 0) -> None:
        self.where = path
        self._most = most

    def send(self, entries: Sequence[Entry], journal: str) -> int:
        """Write events; how many are on the disk."""
        lines = [
            json.dumps(ecs_document(entry, journal), separators=(",", ":")).encode() + b"\n"
            for entry in entries
        ]
        try:
            self._append(b"".join(lines))
        except OSError as error:
            raise ForwardError(f"{self.where}: {error.strerror or error}") from error
        return len(entries)

    def close(self) -> None:
        """Nothing stays open."""

    def _append(self, content: bytes) -> None:
        try:
            size = os.lstat(self.where).st_size
        except FileNotFoundError:
            size = -1
        if self._most and size > 0 and size + len(content) > self._most:
            os.rename(self.where, f"{self.where}.1")
            size = -1
        descriptor = self._open()
        try:
            end = os.fstat(descriptor).st_size
            if end and os.pread(descriptor, 1, end - 1) != b"\n":
                content = b"\n" + content  # a line that an end in the middle left unfinished
            try:
                _write_all(descriptor, content)
                os.fsync(descriptor)
            except OSError:  # a full disk: what was written of the batch would be there twice
                os.ftruncate(descriptor, end)
                raise
        finally:
            os.close(descriptor)
        if size < 0:
            sync_folder(os.path.dirname(self.where))

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(self.where, flags, _MODE)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError("not a file")
        return descriptor


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]

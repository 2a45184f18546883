"""Where the bytes of an `INSTREAM` are kept until all have come: memory first, then a file.

The file has no name and goes when it is closed. A full disk costs one stream, and is said.
"""

from __future__ import annotations

import hashlib
import os
import tempfile

from tocsin.engine.messages import MOST_INLINE

IN_MEMORY = 1 << 20
"""Bytes of one stream that are kept in memory; more go to a file."""


class StreamStore:
    """Takes the pieces of one stream.

    Args:
        folder: where a file without a name may be made.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._pieces = bytearray()
        self._descriptor = -1
        self._digest = hashlib.sha256()
        self.size = 0

    def add(self, piece: bytes) -> None:
        """Take a piece.

        Raises:
            OSError: there is no room for it.
        """
        self.size += len(piece)
        self._digest.update(piece)
        if self._descriptor < 0 and len(self._pieces) + len(piece) <= MOST_INLINE:
            self._pieces += piece
            return
        if self._descriptor < 0:
            self._descriptor = os.memfd_create("stream", os.MFD_CLOEXEC)
            self._write(bytes(self._pieces))
            self._pieces.clear()
        if self.size > IN_MEMORY >= self.size - len(piece):
            self._move_to_disk()
        self._write(piece)

    def mark(self) -> bytes:
        """What the bytes so far are known by: their SHA-256."""
        return self._digest.digest()

    def take(self) -> tuple[int | None, bytes | None]:
        """What was kept: a descriptor, which is the caller's, or the bytes of a small stream."""
        if self._descriptor < 0:
            return None, bytes(self._pieces)
        descriptor, self._descriptor = self._descriptor, -1
        return descriptor, None

    def close(self) -> None:
        """Forget what was kept."""
        self._pieces.clear()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _move_to_disk(self) -> None:
        with tempfile.TemporaryFile(dir=self._folder, buffering=0) as file:
            on_disk = os.dup(file.fileno())
        in_memory, self._descriptor = self._descriptor, on_disk
        try:
            kept = os.lseek(in_memory, 0, os.SEEK_CUR)
            position = 0
            while position < kept:
                chunk = os.pread(in_memory, 1 << 18, position)
                position += len(chunk)
                self._write(chunk)
        finally:
            os.close(in_memory)

    def _write(self, data: bytes) -> None:
        _write_all(self._descriptor, data)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]

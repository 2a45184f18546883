"""Files that came, a piece at a time: digests, copies and lines within bounds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tocsin.updates.sources.errors import SourceTooLarge
from tocsin.updates.sources.partial import storage_error

_PIECE = 1 << 18


def file_digest(path: Path) -> tuple[str, int]:
    """SHA-256 of a file, lower-case hex, and its size in bytes.

    Raises:
        SourceStorage: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return stream_digest(file), file.tell()
    except OSError as error:
        raise storage_error(error, path) from error


def stream_digest(file: BinaryIO) -> str:
    """SHA-256 of a file from its beginning to its end, lower-case hex."""
    state = hashlib.sha256()
    file.seek(0)
    while piece := file.read(_PIECE):
        state.update(piece)
    return state.hexdigest()


def copy_bytes(source: BinaryIO, target: BinaryIO, size: int) -> None:
    """Copy so many bytes from where a file stands, or as many as there are."""
    while size > 0 and (piece := source.read(min(size, _PIECE))):
        target.write(piece)
        size -= len(piece)


def copy_within(source: BinaryIO, target: BinaryIO, most: int, name: str) -> int:
    """Copy what follows in a file; gives how many bytes it was.

    Raises:
        SourceTooLarge: more than are taken.
    """
    size = 0
    while piece := source.read(_PIECE):
        size += len(piece)
        if size > most:
            raise SourceTooLarge(f"{name}: more than the {most:,} bytes that are taken")
        target.write(piece)
    return size


def bounded_lines(file: BinaryIO, longest: int) -> Iterator[bytes]:
    """Lines of a file from its beginning, each with its end; of one that is longer the beginning.

    Args:
        file: which is read once.
        longest: bytes of a line that are handed out at most.
    """
    file.seek(0)
    while line := file.readline(longest):
        yield line
        while not line.endswith(b"\n") and (line := file.readline(longest)):
            pass

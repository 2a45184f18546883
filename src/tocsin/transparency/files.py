"""A file that is there whole or not at all, also after a loss of power."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from tocsin.transparency.errors import TransparencyError


def write_file(path: Path, content: bytes) -> None:
    """Write a file in one step, in place of one that may be there.

    Raises:
        TransparencyError: it could not be written; what was there still is.
    """
    temporary = path.with_name(f".{path.name[:64]}.{secrets.token_hex(6)}")
    try:
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise TransparencyError(f"{path}: {error.strerror or error}") from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last.

    Raises:
        OSError: the disk does not do it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

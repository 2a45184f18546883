"""Writing a log's or a witness's files, with errors in this room's words."""

from __future__ import annotations

from pathlib import Path

from tocsin import durable
from tocsin.transparency.errors import TransparencyError


def write_file(path: Path, content: bytes) -> None:
    """Write a file in one step, in place of one that may be there.

    Raises:
        TransparencyError: it could not be written; what was there still is.
    """
    try:
        durable.write_file(path, content)
    except OSError as error:
        raise TransparencyError(f"{path}: {error.strerror or error}") from error

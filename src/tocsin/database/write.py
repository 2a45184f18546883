"""Writing a portable database to disk, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tocsin.database.inspect import Gathered, Progress, gather
from tocsin.database.portable import build_portable
from tocsin.durable import sync_folder
from tocsin.errors import DatabaseError, UsageError


class Built(NamedTuple):
    """A database that was written.

    Attributes:
        path: where.
        size: its bytes.
        sha256: their digest, lower-case hex.
        content: what went in, and what was left out.
    """

    path: Path
    size: int
    sha256: str
    content: Gathered


def build_database(
    sources: Iterable[Path],
    output: Path,
    *,
    lenient: bool = False,
    progress: Progress | None = None,
) -> Built:
    """Write one portable database from signature files, archives, folders and databases.

    Args:
        sources: in any order; the order does not show in what is written.
        output: an existing file is replaced when everything else has succeeded.
        lenient: leave out what is malformed instead of raising.
        progress: told in a few words how far it is.

    Raises:
        DatabaseError: a source is missing or damaged, nothing is in them, or the output cannot
            be written.
        SignatureError: something is malformed, unless lenient.
        UsageError: the output is something else than a file.
    """
    if output.exists() and not output.is_file():
        raise UsageError(f"{output}: not a file; name a file to write the database to")
    content = gather(sources, lenient=lenient, progress=progress)
    if not content.records:
        raise DatabaseError("there is no signature in the sources; nothing was written")
    if progress:
        progress(f"sorting {len(content.records):,} records")
    data = build_portable(content.records)
    replace_file(output, data)
    return Built(output, len(data), hashlib.sha256(data).hexdigest(), content)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file so that at any moment the old one or the new one is there, complete.

    Raises:
        DatabaseError: it cannot be written; the old one is untouched.
    """
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(6)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with open(os.open(temporary, flags, 0o666), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise DatabaseError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)

"""Writing so that at any moment the old file or the new one is there, complete."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from tocsin import durable
from tocsin.durable import sync_folder
from tocsin.updates.publish.errors import WorkspaceError

_CHUNK = 1 << 20


def write_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file whole, making the folders above it; an old one is replaced.

    Raises:
        WorkspaceError: it cannot be written; what was there is untouched.
    """
    try:
        make_folder(path.parent)
        durable.write_file(path, data, mode=mode)
    except OSError as error:
        raise _failed(path, error) from error


def create_file(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file that must not be there yet.

    Raises:
        WorkspaceError: something is there, or it cannot be written; nothing is left of it.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, mode)
    except OSError as error:
        if error.errno == errno.EEXIST:
            raise WorkspaceError(f"{path}: something is there; it is not written over") from None
        raise _failed(path, error) from error
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise _failed(path, error) from error


def place_file(source: Path, path: Path) -> None:
    """Put a file of this program's own into place whole; on one file system that costs no bytes.

    Both names may then be of one file, so neither may be written in place afterwards.

    Raises:
        WorkspaceError: it cannot be written.
    """
    temporary = _beside(path)
    try:
        make_folder(path.parent)
        try:
            os.link(source, temporary)
        except OSError:
            with (
                source.open("rb") as origin,
                open(
                    os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644),
                    "wb",
                ) as copy,
            ):
                shutil.copyfileobj(origin, copy, _CHUNK)
                copy.flush()
                os.fsync(copy.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise _failed(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def copy_file(source: Path, path: Path) -> None:
    """Write a copy of somebody else's file, with bytes of its own.

    Raises:
        WorkspaceError: it cannot be read or written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with source.open("rb") as origin, open(os.open(path, flags, 0o644), "wb") as copy:
            shutil.copyfileobj(origin, copy, _CHUNK)
            copy.flush()
            os.fsync(copy.fileno())
    except OSError as error:
        raise _failed(path, error) from error


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that they last."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir()
    sync_folder(folder.parent)


def read_bounded(path: Path, most: int) -> bytes:
    """Read a file that has at most so many bytes.

    Raises:
        WorkspaceError: it has more, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise _failed(path, error) from error
    if len(data) > most:
        raise WorkspaceError(f"{path}: larger than {most:,} bytes; this is no such file")
    return data


def sha256_of(path: Path) -> tuple[str, int]:
    """SHA-256 and length of a file.

    Raises:
        WorkspaceError: it cannot be read.
    """
    state = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                state.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise _failed(path, error) from error
    return state.hexdigest(), size


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:120]}.{secrets.token_hex(6)}.part")


def _failed(path: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(f"{path}: {error.strerror or error}")

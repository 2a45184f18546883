"""Deltas between portable databases: made by a publisher, applied and checked by a device.

A device that has yesterday's database fetches some hundred kilobytes instead of all of it.
A delta is never trusted: what comes out is hashed while it is written, under another name,
and takes its place only when digest and length are those that were signed. Whatever
goes wrong before leaves nothing behind but, after a loss of power, a file `.NAME.….part`.

`delta_apply` describes the format, `delta_format` its bytes, `delta_text` how records are packed.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tocsin.database.portable import read_header
from tocsin.durable import sync_folder
from tocsin.errors import DatabaseError
from tocsin.updates.delta_apply import rebuilt
from tocsin.updates.delta_format import MAX_DELTA_BYTES
from tocsin.updates.delta_make import compared
from tocsin.updates.errors import DeltaError
from tocsin.updates.record_file import BLOCK, RecordFile

Progress = Callable[[int, int], None]
"""Is told bytes done and bytes in all."""


class Digest(NamedTuple):
    """What a file has to be.

    Attributes:
        sha256: lower-case hex.
        length: bytes.
    """

    sha256: str
    length: int


class DeltaSummary(NamedTuple):
    """A delta that was made.

    Attributes:
        added: records that only the new database has.
        removed: records that only the old one has.
        bytes: of the delta.
    """

    added: int
    removed: int
    bytes: int


def make_delta(old: Path, new: Path, out: Path) -> DeltaSummary:
    """Write the delta from one portable database to another, after trying it.

    Memory is bounded whatever the databases' size. Where a source only got another number or
    digest, its records count as neither added nor removed.

    Raises:
        DeltaError: one of them is damaged, they differ too much for a delta, or it cannot be
            written; nothing was.
    """
    try:
        before, after = read_header(old).sources, read_header(new).sources
    except (DatabaseError, OSError) as error:
        raise DeltaError(str(error)) from error
    with RecordFile(old) as was, RecordFile(new) as now:
        made = compared(was, now, before, after)
        expected = _digest(now.blocks(0, now.size))
        if _digest(rebuilt(was, made.data)) != expected:
            raise DeltaError(
                f"{old} and {new}: no delta leads from one to the other; one of them is not laid "
                "out canonically, build it again"
            )
    _write(out, [made.data], Digest(hashlib.sha256(made.data).hexdigest(), len(made.data)), None)
    return DeltaSummary(made.added, made.removed, len(made.data))


def apply_delta(
    old: Path, delta: Path, out: Path, *, expected: Digest, progress: Progress | None = None
) -> None:
    """Write the database that a delta leads to, if it is the one that was signed.

    Args:
        old: the portable database there is; it is only read, and may be `out`.
        delta: from anywhere.
        out: appears, or is replaced, when everything has been checked.
        expected: what the result has to be, from signed metadata.
        progress: told of every MiB.

    Raises:
        DeltaError: the delta is damaged, for another database, or leads elsewhere; the disk is
            full or fails. `out` is as it was.
    """
    data = _read(delta)
    with RecordFile(old) as base:
        _write(out, rebuilt(base, data), expected, progress)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_DELTA_BYTES + 1)
    except OSError as error:
        raise DeltaError(f"{path}: {error.strerror}") from error
    if len(data) > MAX_DELTA_BYTES:
        raise DeltaError(
            f"{path}: more than {MAX_DELTA_BYTES:,} bytes; fetch the whole database instead"
        )
    return data


def _digest(pieces: Iterable[bytes]) -> Digest:
    state, length = hashlib.sha256(), 0
    for piece in pieces:
        state.update(piece)
        length += len(piece)
    return Digest(state.hexdigest(), length)


def _write(
    path: Path, pieces: Iterable[bytes], expected: Digest, progress: Progress | None
) -> None:
    """Write a file whole and as expected, or not at all."""
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(6)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with open(os.open(temporary, flags, 0o666), "wb", buffering=0) as file:
            _write_checked(file, pieces, expected, progress)
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise DeltaError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _write_checked(
    file: BinaryIO, pieces: Iterable[bytes], expected: Digest, progress: Progress | None
) -> None:
    state, length = hashlib.sha256(), 0
    for piece in _gathered(pieces):
        length += len(piece)
        # A delta that leads further than it should must not fill the disk first.
        if length > expected.length:
            break
        state.update(piece)
        view = memoryview(piece)
        while view:
            view = view[file.write(view) :]
        if progress:
            progress(length, expected.length)
    if (state.hexdigest(), length) != expected:
        raise DeltaError(
            "the delta does not lead to the database that was signed; "
            "fetch it again, or the whole database"
        )


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that are worth a call of the system."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= BLOCK:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)

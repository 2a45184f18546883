"""Files out of a zip that somebody else made, within bounds.

Source: PKWARE's APPNOTE, read by the standard library; what is charged here are bytes that came
out, not what the directory claims.
"""

from __future__ import annotations

import errno
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from tocsin.updates.sources.errors import SourceRefused, SourceTooLarge

MOST_ENTRIES = 20_000
LARGEST_MEMBER = 1 << 28
LARGEST_TOTAL = 1 << 29
_CHUNK = 1 << 20


def is_zip(file: BinaryIO) -> bool:
    """Whether a file begins like a zip with something in it."""
    file.seek(0)
    return file.read(4) == b"PK\x03\x04"


def read_members(file: BinaryIO, name: str, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """The files of a zip whose names are wanted, by name.

    Args:
        file: the whole zip.
        name: for messages.
        wanted: decides by a name as it stands in the zip.

    Raises:
        SourceTooLarge: more entries or bytes than are taken.
        SourceRefused: damaged, encrypted, or one name twice.
    """
    found: dict[str, bytes] = {}
    room = LARGEST_TOTAL
    with _opened(file, name) as archive:
        for entry in _entries(archive, name, wanted):
            buffer = io.BytesIO()
            room -= _copy(archive, entry, buffer, min(room, LARGEST_MEMBER), name)
            found[entry.filename] = buffer.getvalue()
    return found


def unpack_one(file: BinaryIO, name: str, wanted: Callable[[str], bool], target: BinaryIO) -> None:
    """Write the one file of a zip whose name is wanted.

    Args:
        file: the whole zip.
        name: for messages.
        wanted: decides by a name as it stands in the zip.
        target: where it is written.

    Raises:
        SourceTooLarge: more entries or bytes than are taken.
        SourceRefused: damaged, encrypted, or there is not one such file.
    """
    with _opened(file, name) as archive:
        entries = _entries(archive, name, wanted)
        if len(entries) != 1:
            raise SourceRefused(f"{name}: {len(entries)} lists in the archive instead of one")
        _copy(archive, entries[0], target, LARGEST_TOTAL, name)


@contextmanager
def _opened(file: BinaryIO, name: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (
        zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError,
        NotImplementedError, IndexError, OverflowError,
    ) as error:  # fmt: skip
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # nothing is wrong with the archive
        raise SourceRefused(f"{name}: the archive is damaged: {error}") from error


def _entries(
    archive: zipfile.ZipFile, name: str, wanted: Callable[[str], bool]
) -> list[zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > MOST_ENTRIES:
        raise SourceTooLarge(f"{name}: {len(entries):,} files; none has so many")
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        if entry.is_dir() or not wanted(entry.filename):
            continue
        if entry.flag_bits & 1:
            raise SourceRefused(f"{name}: {entry.filename} is encrypted")
        if entry.filename in found:
            raise SourceRefused(f"{name}: {entry.filename} is in it twice")
        found[entry.filename] = entry
    return list(found.values())


def _copy(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: BinaryIO, most: int, name: str
) -> int:
    size = 0
    with archive.open(entry) as file:
        while piece := file.read(_CHUNK):
            size += len(piece)
            if size > most:
                raise SourceTooLarge(f"{name}: {entry.filename} unpacks to too many bytes")
            target.write(piece)
    return size

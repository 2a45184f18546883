"""Files out of a zip that somebody else made, within bounds, in memory.

Source: PKWARE's APPNOTE, read by the standard library; what is charged here are bytes that came
out, not what the directory claims.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable

from tocsin.updates.sources.errors import SourceRefused, SourceTooLarge

MOST_ENTRIES = 20_000
LARGEST_MEMBER = 1 << 28
LARGEST_TOTAL = 1 << 29
_CHUNK = 1 << 20


def is_zip(data: bytes) -> bool:
    """Whether bytes begin like a zip with something in it."""
    return data.startswith(b"PK\x03\x04")


def read_members(data: bytes, name: str, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """The files of a zip whose names are wanted, by name.

    Args:
        data: the whole zip.
        name: for messages.
        wanted: decides by a name as it stands in the zip.

    Raises:
        SourceTooLarge: more entries or bytes than are taken.
        SourceRefused: damaged, encrypted, or one name twice.
    """
    found: dict[str, bytes] = {}
    room = LARGEST_TOTAL
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_ENTRIES:
                raise SourceTooLarge(f"{name}: {len(entries):,} files; none has so many")
            for entry in entries:
                if entry.is_dir() or not wanted(entry.filename):
                    continue
                if entry.flag_bits & 1:
                    raise SourceRefused(f"{name}: {entry.filename} is encrypted")
                if entry.filename in found:
                    raise SourceRefused(f"{name}: {entry.filename} is in it twice")
                content = _read(archive, entry, min(room, LARGEST_MEMBER), name)
                room -= len(content)
                found[entry.filename] = content
    except (
        zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError,
        NotImplementedError, IndexError, OverflowError,
    ) as error:  # fmt: skip
        raise SourceRefused(f"{name}: the archive is damaged: {error}") from error
    return found


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int, name: str) -> bytes:
    pieces: list[bytes] = []
    size = 0
    with archive.open(entry) as file:
        while piece := file.read(_CHUNK):
            size += len(piece)
            if size > most:
                raise SourceTooLarge(f"{name}: {entry.filename} unpacks to too many bytes")
            pieces.append(piece)
    return b"".join(pieces)

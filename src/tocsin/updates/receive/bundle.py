"""A bundle: what a device without a network needs of a repository, in one file.

It is a zip archive whose members are stored, not compressed, under the paths that they have in
the repository. Nothing in it is believed: it is one more place that files come from.
"""

from __future__ import annotations

import os
import secrets
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tuf.api.exceptions import DownloadError

from tocsin.durable import sync_folder
from tocsin.updates.receive.errors import BundleDamaged
from tocsin.updates.receive.fetch import CHUNK, Fetcher, absent
from tocsin.updates.receive.files import raise_if_full

URL = "bundle:/"
MOST_MEMBERS = 100_000
_MOST_DIRECTORY = 32 << 20
_END = b"PK\x05\x06"
_END_BYTES = 22
_EPOCH = (1980, 1, 1, 0, 0, 0)


class BundleFetcher(Fetcher):
    """Reads `bundle:` URLs out of one file.

    Args:
        place: the bundle.

    Raises:
        BundleDamaged: it is none, or has more in it than a bundle may.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        try:
            _demand_small_directory(place)
            self._archive = zipfile.ZipFile(place)
        except OSError as error:
            raise BundleDamaged(f"{place}: {error.strerror or error}") from error
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
            raise BundleDamaged(f"{place}: not a bundle, or cut off: {error}") from None
        self._members = {member.filename: member for member in self._archive.infolist()}

    def close(self) -> None:
        """Close the file."""
        self._archive.close()

    def fetch_from(self, url: str, offset: int) -> Iterator[bytes]:
        """See `Fetcher`."""
        name = unquote(urlsplit(url).path).lstrip("/")
        member = self._members.get(name)
        if member is None:
            raise absent(name)
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise DownloadError(f"{self._place}: {name} is compressed, which no bundle's file is")
        return self._chunks(member, offset)

    def _chunks(self, member: zipfile.ZipInfo, offset: int) -> Iterator[bytes]:
        try:
            with self._archive.open(member) as file:
                file.seek(min(offset, member.file_size))
                while chunk := file.read(CHUNK):
                    yield chunk
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
            raise DownloadError(f"{self._place}: {member.filename}: {error}") from None


def _demand_small_directory(place: Path) -> None:
    """Refuse an archive whose list of members alone would fill the memory.

    PKWARE's APPNOTE, 4.3.16: the end record has the list's count and size; beyond its 16 and 32
    bits another form is used, which no bundle needs.
    """
    with place.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _END_BYTES))
        end = file.read(_END_BYTES)
    if len(end) < _END_BYTES or not end.startswith(_END):
        raise BundleDamaged(f"{place}: not a bundle, or cut off")
    count, length = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    if count > min(MOST_MEMBERS, 0xFFFE) or length > _MOST_DIRECTORY:
        raise BundleDamaged(f"{place}: more files than a bundle may have")


def write_bundle(place: Path, files: Iterable[tuple[str, Path]]) -> int:
    """Write a bundle, all at once.

    Args:
        place: the new file; an earlier one is replaced.
        files: paths in the repository, and where their bytes are.

    Returns:
        Its size in bytes.

    Raises:
        NoRoom: the disk is full.
        OSError: it cannot be written.
    """
    # In a folder of others nobody may guess the name, and have another file written instead.
    half = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
    try:
        with half.open("xb") as out:
            with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                for name, source in files:
                    member = zipfile.ZipInfo(name, _EPOCH)  # the same bytes whenever it is made
                    member.external_attr = 0o100644 << 16
                    with (
                        source.open("rb") as read,
                        archive.open(member, "w", force_zip64=_is_large(source)) as write,
                    ):
                        while chunk := read.read(1 << 20):
                            write.write(chunk)
            out.flush()
            os.fsync(out.fileno())
            size = out.tell()
        os.replace(half, place)
        sync_folder(place.parent)
    except BaseException as error:
        half.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise_if_full(error, place)
        raise
    return size


def _is_large(source: Path) -> bool:
    return source.stat().st_size >= 0xFFFF_0000

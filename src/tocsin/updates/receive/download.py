"""From a signed description of a file to the file: resumed, bounded, and checked before use."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from pathlib import Path

import zstandard
from tuf.api.exceptions import DownloadError, LengthOrHashMismatchError
from tuf.api.metadata import TargetFile

from tocsin.updates.layout import stored_target
from tocsin.updates.receive.errors import ContentRefused
from tocsin.updates.receive.fetch import is_absent
from tocsin.updates.receive.files import refused
from tocsin.updates.receive.mirrors import REPOSITORY, MirrorFetcher

Progress = Callable[[str, int, int], None]
"""Told what is being done, bytes done and bytes in all (0: not known)."""

_BLOCK = 1 << 20
_MOST_WINDOW = 1 << 27
"""Bytes of memory that a compressed file may ask for (zstd's own bound for its tool)."""


def fetch_small(mirrors: MirrorFetcher, path: str, most: int) -> bytes | None:
    """Fetch a small file whole.

    Args:
        mirrors: where from.
        path: in the repository.
        most: bytes.

    Returns:
        None when no mirror has it.

    Raises:
        NothingReached: no mirror could be asked.
        ContentRefused: it is longer.
    """
    try:
        return mirrors.download_bytes(f"{REPOSITORY}{path}", most)
    except DownloadError as error:
        if is_absent(error):
            return None
        if mirrors.standing():  # too long, or cut off: the next mirror may have the right one
            raise ContentRefused(f"{path}: {error}") from error
        raise mirrors.nothing_reached(str(error)) from error


def fetch_part(mirrors: MirrorFetcher, path: str, offset: int, most: int) -> bytes | None:
    """Fetch the rest of a file from a byte on.

    Args:
        mirrors: where from.
        path: in the repository.
        offset: bytes to leave out.
        most: bytes that may come.

    Returns:
        None when no mirror has it.

    Raises:
        NothingReached: no mirror could be asked.
        ContentRefused: more came, or it was cut off.
    """
    data = b""
    try:
        for chunk in mirrors.fetch_from(f"{REPOSITORY}{path}", offset):
            data += chunk
            if len(data) > most:
                raise ContentRefused(f"{path}: longer than such a file may be")
    except DownloadError as error:
        if is_absent(error):
            return None
        if mirrors.standing():
            raise ContentRefused(f"{path}: {error}") from error
        raise mirrors.nothing_reached(str(error)) from error
    return data


def download_target(
    mirrors: MirrorFetcher, target: TargetFile, place: Path, progress: Progress
) -> None:
    """Download what a TUF target describes; goes on where an earlier download stopped.

    Args:
        mirrors: where from.
        target: with length and digests.
        place: where to; what is there already is taken for the beginning of it.
        progress: told how far it is.

    Raises:
        ContentRefused: what came is not what was signed; it is removed.
        NothingReached: no mirror had it.
        NoRoom: the disk is full.
    """
    url = REPOSITORY + stored_target(target.path, target.hashes["sha256"])
    while True:
        try:
            begun = place.stat().st_size if place.exists() else 0
            if begun > target.length:
                place.unlink()
                begun = 0
            if begun < target.length or not place.exists():
                _append(mirrors, url, place, begun, target, progress)
            with place.open("rb") as file:
                target.verify_length_and_hashes(file)
            return
        except LengthOrHashMismatchError as error:
            place.unlink(missing_ok=True)
            if begun:  # of two who gave a part each, nobody knows which one lied
                continue
            raise ContentRefused(
                f"{target.path}: {mirrors.last} gave something else than was signed: {error}"
            ) from None
        except DownloadError as error:
            if is_absent(error) or not mirrors.standing():
                raise mirrors.nothing_reached(str(error)) from error
        except OSError as error:
            raise refused(error, place) from error


def fetch_file(
    mirrors: MirrorFetcher, path: str, sha256: str, length: int, place: Path, progress: Progress
) -> bool:
    """Fetch a file that is no target, by its digest, from any mirror that has the right one.

    Args:
        mirrors: where from.
        path: in the repository.
        sha256: that it must have.
        length: in bytes; not one more is taken.
        place: where to; nothing is left there unless it is the right one.
        progress: told how far it is.

    Returns:
        Whether a mirror had it.

    Raises:
        NotWritten: it cannot be written.
    """
    target = TargetFile(length, {"sha256": sha256}, path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            done = 0
            for chunk in mirrors.fetch_from(f"{REPOSITORY}{path}", 0):
                done += len(chunk)
                if done > length:
                    break
                file.write(chunk)
                progress(path, done, length)
        with place.open("rb") as file:
            target.verify_length_and_hashes(file)
        return True
    except (DownloadError, LengthOrHashMismatchError):
        place.unlink(missing_ok=True)
        return False
    except OSError as error:
        raise refused(error, place) from error


def _append(
    mirrors: MirrorFetcher,
    url: str,
    place: Path,
    begun: int,
    target: TargetFile,
    progress: Progress,
) -> None:
    with place.open("ab") as file:
        done = begun
        for chunk in mirrors.fetch_from(url, begun):
            done += len(chunk)
            if done > target.length:
                file.truncate(0)
                mirrors.set_aside(mirrors.last, f"{target.path}: more bytes than were signed")
                raise DownloadError(f"{target.path}: more bytes than were signed")
            file.write(chunk)
            progress(target.path, done, target.length)
        file.flush()
        os.fsync(file.fileno())


def unpack_database(packed: Path, out: Path, sha256: str, length: int, progress: Progress) -> None:
    """Decompress a database, and insist that it is the one that was signed.

    Args:
        packed: one zstd frame.
        out: the plain database, written anew.
        sha256: that it must have.
        length: in bytes; not one more is written.
        progress: told how far it is.

    Raises:
        ContentRefused: it is another; nothing is left of it.
        NoRoom: the disk is full.
    """
    state, done = hashlib.sha256(), 0
    try:
        with packed.open("rb") as read, out.open("wb") as write:
            reader = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW).stream_reader(read)
            while block := reader.read(_BLOCK):
                done += len(block)
                if done > length:
                    raise ContentRefused(
                        f"{packed.name}: holds more than the signed {length:,} bytes"
                    )
                state.update(block)
                write.write(block)
                progress("unpacking", done, length)
            write.flush()
            os.fsync(write.fileno())
        if done != length or not hmac.compare_digest(state.hexdigest(), sha256):
            raise ContentRefused(
                f"{packed.name}: the database in it is not the one that was signed"
            )
    except BaseException as error:
        out.unlink(missing_ok=True)
        if isinstance(error, zstandard.ZstdError):
            raise ContentRefused(f"{packed.name}: not compressed as it must be: {error}") from None
        if isinstance(error, OSError):
            raise refused(error, out) from error
        raise


def digest_of(place: Path) -> tuple[str, int]:
    """SHA-256 and length of a file."""
    with place.open("rb") as file:
        state = hashlib.file_digest(file, "sha256")
        return state.hexdigest(), file.tell()

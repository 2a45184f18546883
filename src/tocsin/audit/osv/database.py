"""OSV records from where people have them: a folder, an export (`all.zip`), one file.

A folder may be laid out as the malicious-packages collection is, `malicious/<ecosystem>/<name>/`:
records of packages that nobody asked for are then not even opened.
"""

from __future__ import annotations

import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from tocsin.audit.model import Skipped
from tocsin.audit.osv.record import MOST_BYTES, Record, decode
from tocsin.audit.source import Unreadable

MOST_RECORDS = 5_000_000
MOST_UNPACKED = 64 << 30
"""Bytes that all records of an archive may have unpacked; today's export has some five GB."""

MOST_DEPTH = 20
MOST_SKIPPED = 1_000

_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, EOFError, ValueError,
)  # fmt: skip

Wanted = Callable[[str, str], bool]
"""Whether a package may be asked for, by ecosystem and name, as folders are named."""

Progress = Callable[[int, int], None]
"""Told how many records were read, and of how many; 0: not known yet."""


def read(
    place: Path, wanted: Wanted | None = None, progress: Progress | None = None
) -> Iterator[Record | Skipped]:
    """Read records.

    Args:
        place: a folder, an archive, or one record.
        wanted: which packages' folders are opened; None: all.
        progress: told from time to time.

    Yields:
        Records, also those withdrawn, and what could not be read.
    """
    try:
        mode = place.stat().st_mode
        if stat.S_ISDIR(mode):
            found = _bounded(_folder(place, wanted, progress), str(place))
        elif not stat.S_ISREG(mode):
            found = iter([Skipped(str(place), "neither a folder nor a file")])
        elif place.suffix == ".json":
            found = _file(place)
        else:
            with place.open("rb") as file:
                yield from _bounded(archive(file, str(place), progress), str(place))
            return
        yield from found
    except OSError as error:
        yield Skipped(str(place), f"cannot be read: {error.strerror or error}")


def archive(
    file: BinaryIO, place: str, progress: Progress | None = None
) -> Iterator[Record | Skipped]:
    """Read the records of an export.

    Args:
        file: a zip.
        place: its name.
        progress: told from time to time.
    """
    try:
        with zipfile.ZipFile(file) as opened:
            yield from _members(opened, place, progress)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, ValueError) as error:
        yield Skipped(place, f"no whole zip: {error}; fetch it again")


def _members(
    opened: zipfile.ZipFile, place: str, progress: Progress | None
) -> Iterator[Record | Skipped]:
    entries = [entry for entry in opened.infolist() if entry.filename.endswith(".json")]
    unpacked = 0
    for number, entry in enumerate(entries):
        if progress is not None and not number % 1_000:
            progress(number, len(entries))
        inside = f"{place}!{entry.filename}"
        if entry.flag_bits & 1:
            yield Skipped(inside, "encrypted")
            continue
        try:
            with opened.open(entry) as member:
                data = member.read(MOST_BYTES + 1)
        except _BROKEN as error:
            yield Skipped(inside, f"cannot be unpacked: {error}")
            continue
        unpacked += len(data)
        if unpacked > MOST_UNPACKED:
            yield Skipped(
                place, f"more than {MOST_UNPACKED >> 30} GB unpacked; the rest is not read"
            )
            return
        yield _decoded(data, inside)


def _folder(
    folder: Path, wanted: Wanted | None, progress: Progress | None
) -> Iterator[Record | Skipped]:
    waiting: list[tuple[str, int]] = [(str(folder), 0)]
    count = 0
    while waiting:
        path, depth = waiting.pop()
        try:
            entries = sorted(os.scandir(path), key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            yield Skipped(path, f"cannot be read: {error.strerror or error}")
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if depth >= MOST_DEPTH:
                    yield Skipped(entry.path, f"folders are nested more than {MOST_DEPTH} deep")
                else:
                    waiting.append((entry.path, depth + 1))
            elif not entry.is_file(follow_symlinks=False):
                continue
            elif entry.name.endswith(".zip"):  # one an ecosystem, as OSV exports them
                yield from _export(entry.path, progress)
            elif entry.name.endswith(".json"):
                if wanted is not None and not _may_be_wanted(entry.path, wanted):
                    continue
                count += 1
                if progress is not None and not count % 1_000:
                    progress(count, 0)
                yield from _file(Path(entry.path))


def _export(path: str, progress: Progress | None) -> Iterator[Record | Skipped]:
    try:
        with open(path, "rb") as file:
            yield from archive(file, path, progress)
    except OSError as error:
        yield Skipped(path, f"cannot be read: {error.strerror or error}")


def _may_be_wanted(path: str, wanted: Wanted) -> bool:
    """Whether the package that a path of the malicious-packages collection names is asked for."""
    parts = path.split(os.sep)
    for at in range(len(parts) - 4, -1, -1):
        if parts[at] == "malicious":
            return wanted(parts[at + 1], "/".join(parts[at + 2 : -1]))
    return True


def _file(path: Path) -> Iterator[Record | Skipped]:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        yield Skipped(str(path), f"cannot be read: {error.strerror or error}")
        return
    yield _decoded(data, str(path))


def _decoded(data: bytes, place: str) -> Record | Skipped:
    try:
        return decode(data, place.replace(os.sep, "/").rpartition("/")[2].removesuffix(".json"))
    except Unreadable as error:
        return Skipped(place, str(error))


def _bounded(found: Iterator[Record | Skipped], place: str) -> Iterator[Record | Skipped]:
    records = skipped = 0
    for one in found:
        if isinstance(one, Skipped):
            skipped += 1
            if skipped > MOST_SKIPPED:
                yield Skipped(
                    place, f"more than {MOST_SKIPPED:,} records cannot be read; is it a database?"
                )
                return
        else:
            records += 1
            if records > MOST_RECORDS:
                yield Skipped(place, f"more than {MOST_RECORDS:,} records; the rest is not read")
                return
        yield one

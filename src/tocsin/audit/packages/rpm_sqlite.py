"""rpm's database as SQLite has it: `rpmdb.sqlite` (rpm 4.16 and later)."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator

from tocsin.audit.model import Skipped
from tocsin.audit.packages.rpm_header import MOST_BYTES, component
from tocsin.audit.source import Found, Source, Unreadable, content, reader

_WRITE_AND_READ_VERSION = slice(18, 20)  # SQLite file format, 1.3.3: 2 is a write-ahead log
_SHORTEST = 512
_ROLLBACK_JOURNAL = b"\1\1"
_MOST_STEPS = 20_000
"""Times that SQLite's machine may have done 10,000 steps; a database of 10,000 packages needs
some ten."""


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read the installed packages, from memory: nothing is written beside the database."""
    data = content(source)
    if len(data) < _SHORTEST or not data.startswith(b"SQLite format 3\0"):
        raise Unreadable("no SQLite database")
    if data[_WRITE_AND_READ_VERSION] == b"\2\2":
        # A database in memory has no log; what is in the file is looked at as it is.
        data = data[:18] + _ROLLBACK_JOURNAL + data[20:]
        yield from _log_beside(source, place)
    connection = sqlite3.connect(":memory:")
    try:
        yield from _rows(connection, data, place)
    except (sqlite3.Error, UnicodeError) as error:
        raise Unreadable(f"the SQLite database is broken: {error}") from None
    finally:
        connection.close()


def _rows(connection: sqlite3.Connection, data: bytes, place: str) -> Iterator[Found]:
    steps = 0

    def is_too_long() -> bool:
        nonlocal steps
        steps += 1
        return steps > _MOST_STEPS

    connection.deserialize(data)
    connection.set_progress_handler(is_too_long, 10_000)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    found = connection.execute("SELECT type FROM sqlite_schema WHERE name='Packages'").fetchone()
    if found is None or found[0] != "table":
        raise Unreadable("no table of packages in it")
    for (blob,) in connection.execute("SELECT blob FROM Packages"):
        yield component(blob if isinstance(blob, bytes) else b"", place)


def _log_beside(source: Source, place: str) -> Iterator[Found]:
    """What was written last may still stand in a log beside the file."""
    path = getattr(source, "name", None)
    if not isinstance(path, str):
        return
    try:
        size = os.stat(f"{path}-wal").st_size
    except OSError:
        return
    if size:
        yield Skipped(
            f"{place}-wal",
            "packages that were installed last stand here, and are not read; 'rpm -qa' lists them, "
            "and what it prints can be audited",
        )

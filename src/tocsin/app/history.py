"""What was found clean before, for `--incremental`: unchanged files under an unchanged database.

A file counts as unchanged when its device, inode, size, time of change and time of
modification are what they were, under the same database and the same options. Only `clean`
is remembered. A program with the rights to set the system's clock can defeat this; that is
why it is off by default and said in the report.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import time
from pathlib import Path

from tocsin.app.places import state_dir
from tocsin.engine.options import Options
from tocsin.engine.report import Report, Verdict
from tocsin.errors import SettingsError
from tocsin.version import VERSION

FILE_NAME = "history.sqlite"
MOST_ROWS = 5_000_000
_SETTLED_NS = 2_000_000_000
"""A file changed so recently could change again within the clock's grain."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS clean (
    device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL,
    modified INTEGER NOT NULL, changed INTEGER NOT NULL, terms TEXT NOT NULL,
    sha256 TEXT NOT NULL, type TEXT NOT NULL,
    PRIMARY KEY (device, inode)
) WITHOUT ROWID
"""


class History:
    """Remembers clean files.

    Args:
        database_identity: identity of the index that is scanned with.
        options: how is scanned.
        path: the file; None for the user's own.

    Raises:
        SettingsError: it cannot be opened.
    """

    def __init__(self, database_identity: str, options: Options, path: Path | None = None) -> None:
        place = path or state_dir() / FILE_NAME
        stated = f"{VERSION}\n{database_identity}\n{options!r}"
        self._terms = hashlib.sha256(stated.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        try:
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = sqlite3.connect(place, timeout=10, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute(_SCHEMA)
            self._connection.execute("BEGIN")
        except (OSError, sqlite3.Error) as error:
            raise SettingsError(f"{place}: {error}; remove it to begin anew") from error

    def known_clean(self, path: str) -> Report | None:
        """A report for a file that is unchanged since it was found clean, else None."""
        key = _key(path)
        if key is None:
            return None
        row = self._connection.execute(
            "SELECT sha256, type FROM clean WHERE device=? AND inode=? AND size=? AND modified=? "
            "AND changed=? AND terms=?",
            (*key, self._terms),
        ).fetchone()
        if row is None:
            return None
        report = Report(path)
        report.size = key[2]
        report.sha256, report.type_name = row
        report.unchanged = True
        return report

    def remember(self, report: Report) -> None:
        """Remember a clean file; forget one that no longer is."""
        if report.unchanged:
            return
        key = _key(report.path)
        if key is None:
            return
        settled = time.time_ns() - max(key[3], key[4]) > _SETTLED_NS
        if report.verdict is Verdict.CLEAN and settled and key[2] == report.size:
            self._connection.execute(
                "INSERT OR REPLACE INTO clean VALUES (?,?,?,?,?,?,?,?)",
                (*key, self._terms, report.sha256, report.type_name),
            )
        else:
            self._connection.execute("DELETE FROM clean WHERE device=? AND inode=?", key[:2])

    def close(self) -> None:
        """Write what was remembered."""
        (rows,) = self._connection.execute("SELECT COUNT(*) FROM clean").fetchone()
        if rows > MOST_ROWS:
            self._connection.execute("DELETE FROM clean WHERE terms != ?", (self._terms,))
        self._connection.execute("COMMIT")
        self._connection.close()


def _key(path: str) -> tuple[int, int, int, int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )

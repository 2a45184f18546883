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
from tocsin.engine.exceptions import NONE
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

    Whatever goes wrong with it after it was opened only means that files are scanned again;
    `trouble` then says what it was.

    Args:
        database_identity: identity of the index that is scanned with.
        options: how is scanned.
        path: the file; None for the user's own.

    Attributes:
        trouble: why it stopped remembering, or empty.

    Raises:
        SettingsError: it cannot be opened.
    """

    def __init__(self, database_identity: str, options: Options, path: Path | None = None) -> None:
        place = path or state_dir() / FILE_NAME
        ordered = [sorted(part) for part in options.exceptions]  # sets have no order of their own
        stated = f"{VERSION}\n{database_identity}\n{options._replace(exceptions=NONE)}\n{ordered}"
        self._terms = hashlib.sha256(stated.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._before: dict[str, Key] = {}
        self.trouble = ""
        try:
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = sqlite3.connect(place, timeout=10, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise SettingsError(f"{place}: {error}; remove it to begin anew") from error

    def known_clean(self, path: str) -> Report | None:
        """A report for a file that is unchanged since it was found clean, else None.

        What the file is now is kept until its report comes: only a file that is still the
        same then is remembered.
        """
        key = _key(path)
        if key is None or self.trouble:
            return None
        row = self._ask(
            "SELECT sha256, type FROM clean WHERE device=? AND inode=? AND size=? AND modified=? "
            "AND changed=? AND terms=?",
            (*key, self._terms),
        )
        if row is None:
            self._before[path] = key
            return None
        report = Report(path)
        report.size = key[2]
        report.sha256, report.type_name = str(row[0]), str(row[1])
        report.unchanged = True
        return report

    def remember(self, report: Report) -> None:
        """Remember a clean file; forget one that no longer is."""
        key = self._before.pop(report.path, None)
        if report.unchanged or key is None or self.trouble:
            return
        settled = time.time_ns() - max(key[3], key[4]) > _SETTLED_NS
        if report.verdict is Verdict.CLEAN and settled and key == _key(report.path):
            self._ask(
                "INSERT OR REPLACE INTO clean VALUES (?,?,?,?,?,?,?,?)",
                (*key, self._terms, report.sha256, report.type_name),
            )
        else:
            self._ask("DELETE FROM clean WHERE device=? AND inode=?", key[:2])

    def close(self) -> None:
        """Write what was remembered."""
        count = self._ask("SELECT COUNT(*) FROM clean", ())
        if count is not None and int(str(count[0])) > MOST_ROWS:
            self._ask("DELETE FROM clean WHERE terms != ?", (self._terms,))
        self._connection.close()

    def _ask(self, statement: str, values: tuple[object, ...]) -> tuple[object, ...] | None:
        """Run one statement, which is one transaction; the first row, or None."""
        try:
            row: tuple[object, ...] | None = self._connection.execute(statement, values).fetchone()
        except sqlite3.Error as error:
            self.trouble = f"{FILE_NAME}: {error}; nothing more is remembered"
            return None
        return row


Key = tuple[int, int, int, int, int]
"""Device, inode, size, time of modification and time of change, in nanoseconds."""


def _key(path: str) -> Key | None:
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
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

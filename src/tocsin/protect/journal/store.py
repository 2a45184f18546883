"""The journal: events in the order in which they were written, durable when a write returns.

An append-only SQLite file in WAL mode that several processes may write. Triggers in the file
refuse changes; only what retention gives up is removed, oldest first, and never before every
target had it. The digest of the last removed event is kept, so that the chain of digests can
still be verified from there on.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tocsin.errors import JournalError
from tocsin.protect.journal.content import Row, pack, unpack
from tocsin.protect.journal.event import Event, Kind, Severity
from tocsin.protect.journal.file import (
    DamagedError,
    identity_of,
    is_damage,
    open_for_reading,
    open_for_writing,
    put_aside,
)
from tocsin.protect.journal.filters import Filter, question
from tocsin.protect.journal.upkeep import (
    REMOVED_AT_ONCE,
    Verification,
    head_of,
    remove_some,
    verify,
)

__all__ = ["Entry", "Filter", "Journal", "Verification"]

_PAGE = 500
_TRIES = 3
_ALL = Filter()
_SELECT = "SELECT number, content, digest FROM event WHERE number > ?"
_INSERT = (
    f"INSERT INTO event ({', '.join(Row._fields)}) "  # noqa: S608
    f"VALUES ({','.join('?' * len(Row._fields))})"
)
T = TypeVar("T")


class Entry(NamedTuple):
    """An event with the digest that ties it to all before.

    Attributes:
        event: what happened, with its number.
        digest: hexadecimal.
    """

    event: Event
    digest: str


class Journal:
    """An open journal; may be used from several threads, not across a fork.

    Args:
        path: the file.
        read_only: only read; there must be one then.

    Raises:
        JournalError: it cannot be opened.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._read_only = read_only
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._still = False
        with self._lock:
            self._reopen()

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def close(self) -> None:
        """Close it; whatever was written stays."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def write(self, event: Event) -> int:
        """Write an event; it survives power loss when this returns.

        Returns:
            Its number, which the event is also given.

        Raises:
            JournalError: it was not written.
        """
        return self.write_many([event])

    def write_many(self, events: Iterable[Event]) -> int:
        """Write events together, all or none.

        Returns:
            The number of the last one; 0 when there were none.

        Raises:
            JournalError: none was written.
        """
        held = list(events)
        if not held:
            return 0
        last = self._change(lambda connection: self._append(connection, held))
        for number, event in enumerate(held, last - len(held) + 1):
            event.number = number
        return last

    def read(self, filters: Filter = _ALL) -> Iterator[Event]:
        """Events in the order of their numbers, looked up while they are taken."""
        for entry in self.read_entries(filters):
            yield entry.event

    def read_entries(self, filters: Filter = _ALL) -> Iterator[Entry]:
        """The same with their digests."""
        asked = question(filters)
        if filters.newest and filters.limit:
            rows = self._ask(
                f"{_SELECT} AND {asked.where} ORDER BY number DESC LIMIT ?",
                (filters.after, *asked.values, filters.limit),
            )
            yield from map(_entry, reversed(rows))
            return
        after, left = filters.after, filters.limit or -1
        while left:
            count = _PAGE if left < 0 else min(_PAGE, left)
            rows = self._ask(
                f"{_SELECT} AND {asked.where} ORDER BY number LIMIT ?",
                (after, *asked.values, count),
            )
            yield from map(_entry, rows)
            if len(rows) < count:
                return
            after = int(rows[-1][0])
            left -= len(rows) if left > 0 else 0

    def count(self, filters: Filter = _ALL) -> int:
        """How many events there are of what is asked for; its limit does not count."""
        asked = question(filters)
        rows = self._ask(
            f"SELECT count(*) FROM event WHERE number > ? AND {asked.where}",  # noqa: S608
            (filters.after, *asked.values),
        )
        return int(rows[0][0])

    def last_number(self) -> int:
        """The number of the last event that was written, 0 when there is none."""
        return int(self._ask("SELECT head_number FROM chain")[0][0])

    def first_number(self) -> int:
        """The number from which events are still kept."""
        return int(self._ask("SELECT base_number FROM chain")[0][0]) + 1

    def identity(self) -> str:
        """What tells this journal from every other; a new file has a new one."""
        return str(self._ask("SELECT journal FROM chain")[0][0])

    # --- what was forwarded -----------------------------------------------------------

    def progress(self) -> dict[str, int]:
        """For each target the number of the last event that it has."""
        return {str(name): int(number) for name, number in self._ask("SELECT * FROM progress")}

    def register(self, name: str, *, within: float = 86400.0) -> int:
        """Begin to remember what a target has; from now on nothing is removed that it lacks.

        Args:
            name: of the target.
            within: a new target is given the events of so many seconds before now.

        Returns:
            The number of the last event that it has, or that it is not given.
        """

        def change(connection: sqlite3.Connection) -> int:
            row = connection.execute(
                "SELECT number FROM event WHERE time >= ? ORDER BY number LIMIT 1",
                (time.time() - within,),
            ).fetchone()
            start = row[0] - 1 if row else head_of(connection)[0]
            connection.execute("INSERT OR IGNORE INTO progress VALUES (?, ?)", (name, start))
            row = connection.execute("SELECT number FROM progress WHERE name = ?", (name,))
            return int(row.fetchone()[0])

        return self._change(change)

    def advance(self, name: str, number: int) -> None:
        """Remember that a target has everything up to a number."""
        self._change(
            lambda connection: connection.execute(
                "INSERT INTO progress VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET number = max(number, excluded.number)",
                (name, number),
            )
        )

    def keep_progress(self, names: Collection[str]) -> None:
        """Forget targets that are no longer in the settings, so that they hold nothing up."""

        def change(connection: sqlite3.Connection) -> None:
            for (name,) in connection.execute("SELECT name FROM progress").fetchall():
                if name not in names:
                    connection.execute("DELETE FROM progress WHERE name = ?", (name,))

        self._change(change)

    # --- retention --------------------------------------------------------------------

    def retain(self, *, keep_days: float = 0.0, max_events: int = 0) -> int:
        """Remove the oldest events that are too old or too many and that every target has.

        Args:
            keep_days: age from which an event may go; 0: never.
            max_events: events that are kept; 0: all.

        Returns:
            How many were removed.
        """
        removed = 0
        while True:
            count = self._change(lambda connection: remove_some(connection, keep_days, max_events))
            removed += count
            if count < REMOVED_AT_ONCE:
                return removed

    def verify(self) -> Verification:
        """Look at every event: whether it and its place are as they were written."""
        with self._lock:
            connection = self._connected()
            try:
                connection.execute("BEGIN")
                try:
                    return verify(connection)
                finally:
                    connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise self._error(error) from error
                return Verification(0, 0, 0, "", (f"the file is damaged: {error}",))

    # --- the file ---------------------------------------------------------------------

    def _append(self, connection: sqlite3.Connection, events: list[Event]) -> int:
        number, digest = head_of(connection)
        rows = []
        for event in events:
            number += 1
            rows.append(pack(event, number, digest))
            digest = rows[-1].digest
        connection.executemany(_INSERT, rows)
        return number

    def _change(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Make a change as one transaction, in the file that is there now.

        Raises:
            JournalError: it was not made.
        """
        if self._read_only:
            raise JournalError(f"{self._path} was opened for reading only")
        with self._lock:
            for last in [*[False] * (_TRIES - 1), True]:
                try:
                    return self._try_change(change)
                except sqlite3.Error as error:
                    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
                    if is_damage(error):
                        found = DamagedError(str(error), self._identity or (0, 0))
                        self._begin_anew(found)
                    elif code not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or last:
                        raise self._error(error) from error
            raise JournalError(f"{self._path} is damaged again and again; look at the disk")

    def _try_change(self, change: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connected()
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = change(connection)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        return result

    def _ask(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._connected().execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise self._error(error) from error

    def _connected(self) -> sqlite3.Connection:
        """The connection to the file that lies at the path now."""
        moved = identity_of(self._path) != self._identity
        if self._connection is None or self._still or moved:
            self._reopen()
        assert self._connection is not None
        return self._connection

    def _reopen(self) -> None:
        self.close()
        if self._read_only:
            self._connection, self._still = open_for_reading(self._path)
            self._identity = identity_of(self._path)
            return
        try:
            self._connection, news = open_for_writing(self._path)
        except DamagedError as error:
            self._begin_anew(error)
            return
        except (OSError, sqlite3.Error) as error:
            raise self._error(error) from error
        self._identity = identity_of(self._path)
        if news:
            self._tell(news, {})

    def _begin_anew(self, damage: DamagedError) -> None:
        """Put a damaged file aside and begin a new one that says so."""
        self.close()
        try:
            aside = put_aside(self._path, damage.identity)
            self._connection, _ = open_for_writing(self._path)
        except DamagedError as error:
            raise JournalError(f"{self._path} is damaged: {error.reason}") from error
        except (OSError, sqlite3.Error) as error:
            raise self._error(error) from error
        self._identity = identity_of(self._path)
        if aside:
            self._tell(
                f"the journal was damaged ({damage.reason}); it was moved to {aside} and a new "
                "one was begun",
                {"moved_to": aside},
            )

    def _tell(self, message: str, details: dict[str, str]) -> None:
        event = Event(
            kind=Kind.FAILURE,
            severity=Severity.ALARM,
            message=message,
            origin="journal",
            path=os.fspath(self._path),
            details=details,
        )
        self._try_change(lambda connection: self._append(connection, [event]))

    def _error(self, error: Exception) -> JournalError:
        advice = {
            sqlite3.SQLITE_FULL: "; free some space on that disk",
            sqlite3.SQLITE_BUSY: "; another process holds it, try again",
            sqlite3.SQLITE_READONLY: "; it cannot be written, look at its owner and mode",
            sqlite3.SQLITE_CANTOPEN: "; look at the owner and mode of its folder",
        }.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "")
        said = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        return JournalError(f"{self._path}: {said}{advice}")


def _entry(row: tuple[Any, ...]) -> Entry:
    number, content, digest = row
    return Entry(unpack(content, number), bytes(digest).hex())

"""The journal's file: created safely, opened, brought up to date, put aside when it is damaged.

Creating, bringing up to date and putting aside are done under a lock on a companion file, so
that of several processes one does it. The companion also says that there was a journal: when
the file is gone or empty although it says so, that is told in the new one.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tocsin.durable import sync_folder
from tocsin.errors import JournalError
from tocsin.protect.journal.content import START
from tocsin.protect.journal.filters import add_functions

APPLICATION = 0x746F636A
"""`tocj`: what tells a journal from any other SQLite file."""

VERSION = 1
MODE = 0o640
BUSY_SECONDS = 10.0
_BEGUN = b"begun\n"
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_SCHEMA = (
    """
    CREATE TABLE event (
        number INTEGER PRIMARY KEY,
        time REAL NOT NULL,
        kind TEXT NOT NULL,
        severity INTEGER NOT NULL,
        path BLOB NOT NULL,
        action BLOB NOT NULL,
        signatures BLOB NOT NULL,
        content BLOB NOT NULL,
        digest BLOB NOT NULL
    )
    """,
    "CREATE INDEX event_kind ON event (kind, number)",
    "CREATE INDEX event_severity ON event (severity, number) WHERE severity > 0",
    """
    CREATE TABLE chain (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        journal TEXT NOT NULL,
        base_number INTEGER NOT NULL,
        base_digest BLOB NOT NULL,
        head_number INTEGER NOT NULL,
        head_digest BLOB NOT NULL,
        CHECK (base_number <= head_number)
    )
    """,
    "CREATE TABLE progress (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID",
    """
    CREATE TRIGGER event_stays BEFORE UPDATE ON event
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
    """,
    # What retention gave up first is the only thing that goes.
    """
    CREATE TRIGGER event_is_kept BEFORE DELETE ON event
    WHEN OLD.number > (SELECT base_number FROM chain)
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
    """,
    """
    CREATE TRIGGER event_follows BEFORE INSERT ON event
    WHEN NEW.number != (SELECT head_number FROM chain) + 1
    BEGIN SELECT RAISE(ABORT, 'an event follows the last one'); END
    """,
    """
    CREATE TRIGGER head_follows AFTER INSERT ON event
    BEGIN UPDATE chain SET head_number = NEW.number, head_digest = NEW.digest; END
    """,
    """
    CREATE TRIGGER chain_grows BEFORE UPDATE ON chain
    WHEN NEW.head_number < OLD.head_number OR NEW.base_number < OLD.base_number
        OR NEW.journal != OLD.journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
    """,
    """
    CREATE TRIGGER chain_stays BEFORE DELETE ON chain
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
    """,
)

MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {}
"""What brings a journal of a version to the next one, within one transaction."""


class DamagedError(Exception):
    """The file was a journal and cannot be read as one.

    Attributes:
        reason: why.
        identity: device and inode of the file.
    """

    def __init__(self, reason: str, identity: tuple[int, int]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.identity = identity


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error means that the file's content cannot be trusted."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGE


def identity_of(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file at a path, None when there is none."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def open_for_writing(path: Path) -> tuple[sqlite3.Connection, str]:
    """Open the journal, creating it or bringing it up to date as needed.

    Returns:
        The connection, and what has to be told in the journal about its file, or nothing.

    Raises:
        JournalError: it cannot be opened, or is something else.
        DamagedError: it cannot be read.
        OSError: the folder or the file cannot be reached.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    with _locked(path) as companion:
        news = ""
        begun = os.pread(companion, len(_BEGUN), 0) == _BEGUN
        _refuse_links(path)
        if not path.exists() or path.stat().st_size == 0:
            if begun:
                news = "the journal's file was gone or empty; a new one was begun"
            _put_aside_leftovers(path)
            _create(path)
        connection = _prepared(path, uri=False)
        try:
            _bring_up_to_date(connection, path)
        except DamagedError as error:
            connection.close()
            if not begun:  # then nothing says that it ever was one
                raise JournalError(f"{path} is not a journal of tocsin: {error.reason}") from error
            raise
        except BaseException:
            connection.close()
            raise
        if not begun:
            os.pwrite(companion, _BEGUN, 0)
            os.fsync(companion)
    return connection, news


def open_for_reading(path: Path) -> tuple[sqlite3.Connection, bool]:
    """Open the journal without being able to change it.

    Returns:
        The connection, and whether it sees only what was there when it was opened: where nobody
        writes and this process can make no companion files.

    Raises:
        JournalError: there is none, or it cannot be read.
    """
    # Not opened to see: closing it would drop the locks that SQLite holds in this process.
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise JournalError(f"{path} is no file, and no journal")
    except FileNotFoundError:
        raise JournalError(f"there is no journal at {path}: nothing was recorded yet") from None
    except OSError as error:
        raise JournalError(f"{path} cannot be read: ask root, or join its group") from error
    if not os.access(path, os.R_OK, effective_ids=True):
        raise JournalError(f"{path} cannot be read: ask root, or join its group")
    try:
        return _reader(path, "mode=ro"), False
    except sqlite3.Error as error:
        if Path(f"{path}-wal").exists():
            raise JournalError(f"{path} cannot be read: {error}") from error
    try:
        return _reader(path, "mode=ro&immutable=1"), True
    except sqlite3.Error as error:
        raise JournalError(f"{path} cannot be read: {error}") from error


def _reader(path: Path, options: str) -> sqlite3.Connection:
    """Open it; whoever makes the file has an empty one for a moment, which is waited for."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        connection = _prepared(f"{path.absolute().as_uri()}?{options}", uri=True)
        try:
            if connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                _check_version(connection, path)
                return connection
        except BaseException:
            connection.close()
            raise
        connection.close()
        if time.monotonic() > end:
            raise JournalError(f"there is no journal in {path}: nothing was recorded yet")
        time.sleep(0.01)


def put_aside(path: Path, identity: tuple[int, int]) -> str:
    """Move a damaged journal out of the way; nothing of it is deleted.

    Args:
        path: where the journal is.
        identity: the file that was found damaged; another one there is left alone.

    Returns:
        The new name, empty when somebody else has done it.

    Raises:
        OSError: it cannot be moved.
    """
    with _locked(path):
        if identity_of(path) != identity:
            return ""
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        aside = _free_name(path.with_name(f"{path.name}.damaged-{stamp}"))
        os.rename(path, aside)
        for ending in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.rename(f"{path}{ending}", f"{aside}{ending}")
        sync_folder(path.parent)
        return str(aside)


def _prepared(place: Path | str, *, uri: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(
        place, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=uri
    )
    add_functions(connection)
    return connection


def _create(path: Path) -> None:
    """An empty file with the right owner and mode, nobody else's."""
    with suppress(FileNotFoundError):
        path.unlink()  # empty, or nothing
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE)
    try:
        _own(descriptor, path.parent)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


def _own(descriptor: int, folder: Path) -> None:
    """Give a file that root makes to whom its folder belongs, the umask aside."""
    os.fchmod(descriptor, MODE)
    if os.geteuid() == 0:
        status = folder.stat()
        os.fchown(descriptor, status.st_uid, status.st_gid)


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    try:
        connection.execute("PRAGMA synchronous = FULL")
        _migrate(connection, path)
        _examine(connection)
    except sqlite3.Error as error:
        if is_damage(error):
            raise DamagedError(str(error), identity_of(path) or (0, 0)) from error
        raise


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    empty = version == 0 and application == 0
    if empty and not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN EXCLUSIVE")
        with _transaction(connection):
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute(
                "INSERT INTO chain VALUES (1, ?, 0, ?, 0, ?)", (secrets.token_hex(16), START, START)
            )
        return
    _check_version(connection, path)
    while version < VERSION:
        connection.execute("BEGIN EXCLUSIVE")
        with _transaction(connection):
            MIGRATIONS[version](connection)
            version += 1
            connection.execute(f"PRAGMA user_version = {version}")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    if application != APPLICATION:
        raise JournalError(
            f"{path} is not a journal of tocsin; name another file in [journal] file, or move "
            "it away"
        )
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise JournalError(f"{path} was written by a newer tocsin (journal version {version})")


def _examine(connection: sqlite3.Connection) -> None:
    """Read what every writer needs; raise SQLite's error when it cannot be read."""
    # One statement, so that both are of one moment while others write.
    row = connection.execute(
        "SELECT head_number, head_digest, number, digest FROM chain LEFT JOIN "
        "(SELECT number, digest FROM event ORDER BY number DESC LIMIT 1)"
    ).fetchone()
    if row is None or (row[2] is not None and row[:2] != row[2:]):
        error = sqlite3.DatabaseError("its last event is not the one that it says")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def _refuse_links(path: Path) -> None:
    """Follow nothing that somebody laid where the journal's files are.

    Raises:
        JournalError: one of them is no file of its own.
    """
    for ending in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            status = os.lstat(f"{path}{ending}")
            if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
                raise JournalError(f"{path}{ending} is a link or no file; move it away")


def _put_aside_leftovers(path: Path) -> None:
    """A log of writes whose file is gone belongs to no journal any more, but may be looked at."""
    for ending in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            aside = path.with_name(f"{path.name}.left-{time.strftime('%Y%m%d-%H%M%S')}{ending}")
            os.rename(f"{path}{ending}", _free_name(aside))


def _free_name(path: Path) -> Path:
    name, number = path, 1
    while os.path.lexists(name):
        name, number = path.with_name(f"{path.name}.{number}"), number + 1
    return name


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(f"{path}.lock", flags, MODE)
    try:
        if os.fstat(descriptor).st_size == 0:
            _own(descriptor, path.parent)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)

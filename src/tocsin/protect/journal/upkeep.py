"""Upkeep of the journal: what retention removes, and whether all is as it was written."""

from __future__ import annotations

import sqlite3
import time
from typing import NamedTuple

from tocsin.errors import JournalError
from tocsin.protect.journal.content import Row, chained, row_of, to_bytes, unpack

REMOVED_AT_ONCE = 5000
"""Events removed in one transaction, so that nobody waits for long."""

_MOST_PROBLEMS = 20
_SELECT = f"SELECT {', '.join(Row._fields)} FROM event ORDER BY number"  # noqa: S608


class Verification(NamedTuple):
    """Whether the journal is as it was written.

    Attributes:
        events: how many were looked at.
        first: number of the first, 0 when there is none.
        last: number of the last one written.
        digest: of the last one, hexadecimal; compare it with what was forwarded.
        problems: what is not as it was written.
    """

    events: int
    first: int
    last: int
    digest: str
    problems: tuple[str, ...]


def head_of(connection: sqlite3.Connection) -> tuple[int, bytes]:
    """Number and digest of the last event."""
    number, digest = connection.execute("SELECT head_number, head_digest FROM chain").fetchone()
    return int(number), bytes(digest)


def remove_some(connection: sqlite3.Connection, keep_days: float, max_events: int) -> int:
    """Remove some of what may go; how many.

    Fewer than `REMOVED_AT_ONCE` mean that nothing is left to be removed.
    """
    head, _ = head_of(connection)
    base = int(connection.execute("SELECT base_number FROM chain").fetchone()[0])
    cut = head - max_events if max_events else base
    if keep_days:
        # Numbers decide, not times: a clock that jumped must not let newer ones go first.
        row = connection.execute(
            "SELECT number FROM event WHERE time >= ? ORDER BY number LIMIT 1",
            (time.time() - keep_days * 86400,),
        ).fetchone()
        cut = max(cut, int(row[0]) - 1 if row else head)
    (delivered,) = connection.execute("SELECT min(number) FROM progress").fetchone()
    cut = min(cut, head if delivered is None else int(delivered), base + REMOVED_AT_ONCE)
    if cut <= base:
        return 0
    connection.execute(
        "UPDATE chain SET base_number = ?, "
        "base_digest = (SELECT digest FROM event WHERE number = ?)",
        (cut, cut),
    )
    connection.execute("DELETE FROM event WHERE number <= ?", (cut,))
    return cut - base


def verify(connection: sqlite3.Connection) -> Verification:
    """Look at every event."""
    base, digest, head, head_digest = connection.execute(
        "SELECT base_number, base_digest, head_number, head_digest FROM chain"
    ).fetchone()
    problems: list[str] = []
    number, count = int(base), 0
    for held in connection.execute(_SELECT):
        if len(problems) >= _MOST_PROBLEMS:
            problems.append("and perhaps more")
            break
        row = Row(*held)
        if not all(isinstance(part, bytes) for part in row[4:]):
            problems.append(f"event {row.number} is not what was written")
            number, digest = row.number, to_bytes(str(row.digest))
            continue
        count += 1
        if row.number != number + 1:
            problems.append(f"events {number + 1} to {row.number - 1} are missing")
        elif row.digest != chained(digest, row.content):
            problems.append(f"event {row.number} is not what was written, or the one before it")
        try:
            if row_of(unpack(row.content, row.number), row.content, row.digest) != row:
                problems.append(f"event {row.number} is filed under what it does not say")
        except JournalError as error:
            problems.append(str(error))
        number, digest = row.number, row.digest
    if not problems and (number, digest) != (head, head_digest):
        problems.append(f"the last event should be {head}, and it is {number}")
    for name, delivered in connection.execute("SELECT name, number FROM progress"):
        if delivered > head:
            problems.append(f"{name} was given event {delivered}, which is no longer there")
    first = int(base) + 1 if count else 0
    return Verification(count, first, int(head), bytes(head_digest).hex(), tuple(problems))

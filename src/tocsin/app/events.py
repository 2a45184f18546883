"""Reading the journal for people: what is asked for, and what is added to it as it comes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from tocsin.errors import JournalError
from tocsin.protect.journal.event import Event
from tocsin.protect.journal.store import Entry, Filter, Journal

_POLL_SECONDS = 0.5


def event_values(event: Event) -> dict[str, Any]:
    """An event as plain values, every field of it."""
    values = {field: getattr(event, field) for field in Event.__struct_fields__}
    plain = msgspec.to_builtins(values)
    assert isinstance(plain, dict)
    return plain


def events(path: Path, wanted: Filter) -> list[Entry]:
    """What the journal holds of what is asked for; nothing when there is no journal yet.

    Raises:
        JournalError: it cannot be read.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return []
    except OSError:
        pass  # said below, better
    journal = Journal(path, read_only=True)
    try:
        return list(journal.read_entries(wanted))
    finally:
        journal.close()


def follow(
    path: Path,
    wanted: Filter,
    *,
    stop: threading.Event | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> Iterator[Entry]:
    """What the journal holds of what is asked for, and then what comes, until `stop`.

    A journal that is not there yet is waited for; one that takes the place of another is read
    from its beginning.

    Args:
        path: the file.
        wanted: which events; its limit is for those that are there already.
        stop: set to end.
        told: is told what a reader should know, each thing once.
    """
    stop = stop or threading.Event()
    journal: Journal | None = None
    identity, after, said = "", 0, ""
    first = True
    while True:
        try:
            journal = journal or Journal(path, read_only=True)
            current = journal.identity()
            if identity and current != identity:
                told("the journal was replaced by a new one; it is read from its beginning")
                after = 0
            identity = current
            if after and journal.first_number() > after + 1:
                told(f"events up to {journal.first_number() - 1} were removed by retention")
            asked = wanted if first else wanted._replace(after=after, limit=0)
            last = journal.last_number()
            for entry in journal.read_entries(asked):
                after = max(after, entry.event.number)
                yield entry
            after = max(after, last)
            first, said = False, ""
        except JournalError as error:
            if journal is not None:
                journal.close()
                journal = None
            if str(error) != said:
                said = str(error)
                told(said)
        if stop.wait(_POLL_SECONDS):
            break
    if journal is not None:
        journal.close()


def verification(path: Path) -> dict[str, Any]:
    """Whether the journal is as it was written, as plain values.

    Raises:
        JournalError: there is none, or it cannot be read.
    """
    journal = Journal(path, read_only=True)
    try:
        result = journal.verify()
    finally:
        journal.close()
    return {**result._asdict(), "problems": list(result.problems)}

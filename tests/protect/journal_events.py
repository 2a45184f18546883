"""Events for the tests of the journal, and a writer that can be killed."""

from __future__ import annotations

import sys
from pathlib import Path

from tocsin.protect.journal.event import Event, Kind, Severity


def event(number: int = 0, **fields) -> Event:
    fields = {
        "kind": Kind.DETECTION,
        "severity": Severity.ALARM,
        "message": f"found {number}",
        "origin": "test",
        "path": f"/srv/{number}",
        "signatures": ("Test.Name",),
        **fields,
    }
    return Event(**fields)


def write_until_killed(path: str, mark: str) -> None:
    """Write one event after the other; print each number once it is durable."""
    from tocsin.protect.journal.store import Journal

    journal = Journal(Path(path))
    number = 0
    while True:
        number += 1
        written = journal.write(event(number, origin=mark, message="x" * 500))
        sys.stdout.write(f"{written}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    write_until_killed(*sys.argv[1:3])

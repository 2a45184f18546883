"""How many records one database has that another has not, where no delta says it."""

from __future__ import annotations

from pathlib import Path

from tocsin.database.portable import read_header


def count_changes(old: Path, new: Path) -> tuple[int, int]:
    """Count records that were added and removed, whatever number their source has.

    Returns:
        Added, removed.
    """
    before, after = _records(old), _records(new)
    return len(after - before), len(before - after)


def _records(path: Path) -> set[int]:
    """Records by a hash of kind, source's name, flags and text; a collision miscounts by one."""
    names = [source.name.encode("utf-8", "surrogateescape") for source in read_header(path).sources]
    found = set()
    with path.open("rb") as file:
        file.readline()
        file.readline()
        for line in file:
            kind, number, rest = line.split(b"\t", 2)
            found.add(hash((kind, names[int(number)], rest)))
    return found

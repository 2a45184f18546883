"""What updates know of a rulebook: its bytes, which edition it is, and what is in it by name.

What a rule means is not this room's. Whoever publishes or receives an edition is handed `Read`,
which reads the bytes and insists that they are a rulebook to be used. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple

MOST_BYTES = 16 << 20
"""Of an edition."""


class Facts(NamedTuple):
    """An edition as updates see it.

    Attributes:
        version: the edition's number.
        checked: the day on which its rules were last held against their sources.
        counts: what is in it, by kind.
        rules: what tells each rule from the same rule otherwise, by its identifier.
        others: the same of what is in it besides rules.
    """

    version: int
    checked: date
    counts: Mapping[str, int]
    rules: Mapping[str, str]
    others: Mapping[str, str] = {}


Read = Callable[[bytes], Facts]
"""Reads an edition; raises `TocsinError` if it cannot be used."""


class Changes(NamedTuple):
    """What an edition has otherwise than the one before: identifiers, in order."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    def __str__(self) -> str:
        """In short: `+2 -1 ~3`."""
        return f"+{len(self.added)} -{len(self.removed)} ~{len(self.changed)}"


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> Changes:
    """Compare what two editions have."""
    return Changes(
        tuple(sorted(after.keys() - before.keys())),
        tuple(sorted(before.keys() - after.keys())),
        tuple(sorted(name for name in before.keys() & after.keys() if before[name] != after[name])),
    )

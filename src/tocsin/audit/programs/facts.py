"""What a reader of programs gives."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from tocsin.audit.model import Component, Trace
from tocsin.jurisdiction.vocabulary import MarkerKind

LONGEST_VALUE = 300
"""Characters of a word that is kept."""

MOST_TRACES = 200
"""Traces of one component."""


class Facts(NamedTuple):
    """What a program tells of itself.

    Attributes:
        kind: `program`, `android`, `catalogue`, `installer` …
        name: as it calls itself; empty: it does not.
        version: the same.
        traces: of who made it.
        made: day on which it was signed.
        embedded: whether it is part of another product; None: not told.
        trouble: what of it could not be read, and why.
    """

    kind: str
    name: str = ""
    version: str = ""
    traces: tuple[Trace, ...] = ()
    made: date | None = None
    embedded: bool | None = None
    trouble: tuple[str, ...] = ()

    def component(self, place: str) -> Component:
        """The component that a program at a place is."""
        name = self.name or place.rpartition("!")[2].rpartition("/")[2]
        return Component(
            place=place,
            kind=self.kind,
            name=name,
            version=self.version,
            traces=distinct(self.traces)[:MOST_TRACES],
            embedded=self.embedded,
            made=self.made,
        )


def trace(kind: MarkerKind, value: str, where: str) -> tuple[Trace, ...]:
    """A trace, or none where the value says nothing."""
    value = " ".join(value.replace("\0", " ").split())[:LONGEST_VALUE]
    return (Trace(kind, value, where),) if value else ()


def distinct(traces: tuple[Trace, ...]) -> tuple[Trace, ...]:
    """Each value of a kind once, where it stood first; a text that is another trace is that."""
    found: dict[tuple[MarkerKind, str], Trace] = {}
    for each in traces:
        found.setdefault((each.kind, each.value), each)
    known = {value for kind, value in found if kind is not MarkerKind.TEXT}
    return tuple(
        each
        for each in found.values()
        if each.kind is not MarkerKind.TEXT or each.value not in known
    )

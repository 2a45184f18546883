"""Paragraphs of `Field: value` lines, as dpkg, apk, rpm and Python's metadata have them."""

from __future__ import annotations

from collections.abc import Iterator

MOST_LINE = 1 << 16
"""Characters of a line that are looked at; fields that matter have some hundred."""

MOST_VALUES = 1_000
"""Of one field."""

Stanza = dict[str, list[str]]


def stanzas(written: str) -> Iterator[Stanza]:
    """The paragraphs of a text; fields in small letters, each with the values it has.

    A line that begins with a space goes on with the one before (Debian policy 5.1; core metadata
    is read the same way); what goes on is not kept, since no field that matters is that long.
    """
    current: Stanza = {}
    for line in lines(written):
        if not line.strip():
            if current:
                yield current
                current = {}
            continue
        if line[0] in " \t":
            continue
        name, colon, value = line.partition(":")
        if colon:
            values = current.setdefault(name.strip().lower(), [])
            if len(values) < MOST_VALUES:
                values.append(value.strip())
    if current:
        yield current


def lines(written: str) -> Iterator[str]:
    """Lines, cut to what is looked at; only line feeds end them."""
    at, end = 0, len(written)
    while at < end:
        line_end = written.find("\n", at)
        line_end = end if line_end < 0 else line_end
        yield written[at : min(line_end, at + MOST_LINE)].rstrip("\r")
        at = line_end + 1


def first(stanza: Stanza, name: str) -> str:
    """The first value of a field; empty if it has none."""
    values = stanza.get(name)
    return values[0] if values else ""

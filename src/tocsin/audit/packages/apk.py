"""Alpine's packages: `/lib/apk/db/installed` (apk database, fields of one letter)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

from tocsin.audit.model import Component, Skipped
from tocsin.audit.packages.stanzas import lines
from tocsin.audit.purl import write
from tocsin.audit.source import Found, Source, content, reader, text
from tocsin.audit.traces import host, named, of_package, told

_WANTED = frozenset("PVAomUt")  # letters mean other things in small and in capitals


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read the installed packages."""
    fields: dict[str, str] = {}
    for line in [*lines(text(content(source))), ""]:
        if line[1:2] == ":":
            if line[0] in _WANTED:
                fields.setdefault(line[0], line[2:].strip())
        elif not line and fields:
            yield _component(fields, place)
            fields = {}


def _component(fields: dict[str, str], place: str) -> Found:
    name, version = fields.get("P", ""), fields.get("V", "")
    if not name:
        return Skipped(place, "a paragraph without a package's name (P:)")
    qualifiers = (("arch", fields.get("A", "")), ("upstream", fields.get("o", "")))
    return Component(
        place=place,
        kind="apk",
        name=name,
        version=version,
        purl=write("apk", name, version, "", qualifiers),
        traces=told(
            of_package("apk", name),
            named(fields.get("m"), "maintainer"),
            host(fields.get("U"), "address"),
        ),
        made=day_of(fields.get("t", "")),
    )


def day_of(seconds: str | int) -> date | None:
    """The day, in UTC, of seconds since 1970; None for what is no time."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC).date()
    except (ValueError, OverflowError, OSError):
        return None

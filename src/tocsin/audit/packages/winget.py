"""Windows packages as winget tells them: `winget export` (JSON) and the table of `winget list`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

from tocsin.audit.json_stream import members
from tocsin.audit.model import Component, Skipped, Trace
from tocsin.audit.source import Found, Source, Unreadable, content, reader, text
from tocsin.audit.traces import clean, of_package, told
from tocsin.jurisdiction.vocabulary import MarkerKind

MOST_BYTES = 64 << 20
_RULE = re.compile(r"-{20,}\s*\Z")
_IDENTIFIER = re.compile(r"[A-Za-z0-9][\w+-]*(?:\.[\w+-]+)+\Z")


@reader
def read_export(source: Source, place: str) -> Iterator[Found]:
    """Read what `winget export` writes (packages.schema 2.0)."""
    for member in members(text(content(source, MOST_BYTES))):
        if member.key != "Sources" or not isinstance(member.value, Mapping):
            continue
        packages = member.value.get("Packages")
        for stated in packages if isinstance(packages, list) else ():
            identifier = stated.get("PackageIdentifier") if isinstance(stated, Mapping) else None
            if not isinstance(identifier, str):
                yield Skipped(place, "an entry without a PackageIdentifier")
                continue
            version = stated.get("Version")
            yield _component(
                identifier, identifier, version if isinstance(version, str) else "", place
            )


@reader
def read_list(source: Source, place: str) -> Iterator[Found]:
    """Read the table of `winget list`: columns stand where their headings do, in any language."""
    header: list[int] = []
    before = ""
    for line in text(content(source, MOST_BYTES)).splitlines():
        line = line.rpartition("\r")[2]  # a progress bar was drawn over
        if _RULE.match(line) and not header:
            header = columns(before)
            if len(header) < 3:
                raise Unreadable("no table of 'winget list': its headings are not there")
            continue
        before = line
        if header and line.strip():
            row = cells(line, header)
            if len(row) < 3 or not row[1]:
                yield Skipped(place, f"no line of the table: {line[:100]!r}")
                continue
            yield _component(row[0] or row[1], row[1], row[2], place)
    if not header:
        raise Unreadable("no table of 'winget list'")


def _component(name: str, identifier: str, version: str, place: str) -> Component:
    traces = of_package("windows", identifier)
    if name != identifier:
        traces += of_package("windows", name)
    if _IDENTIFIER.match(identifier.rstrip("…")):
        publisher = clean(identifier.partition(".")[0])
        traces.append(Trace(MarkerKind.WINGET_PUBLISHER, publisher, "winget identifier"))
    return Component(
        place=place,
        kind="windows",
        name=name,
        version=version.lstrip("<> "),
        traces=told(traces),
        reference=identifier,
    )


def columns(line: str) -> list[int]:
    """Where headings begin, in cells of a terminal."""
    starts, at, was_space = [], 0, True
    for character in line:
        if not character.isspace() and was_space:
            starts.append(at)
        was_space = character.isspace()
        at += _width(character)
    return starts


def cells(line: str, starts: list[int]) -> list[str]:
    """What stands in a line under each heading."""
    held = ["" for _ in starts]
    at, column = 0, 0
    for character in line:
        while column + 1 < len(starts) and at >= starts[column + 1]:
            column += 1
        held[column] += character
        at += _width(character)
    return [cell.strip() for cell in held]


def _width(character: str) -> int:
    if character < "\u1100":
        return 1
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

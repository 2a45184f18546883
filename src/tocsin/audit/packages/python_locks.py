"""What Python projects pin: poetry.lock, uv.lock, pdm.lock, pylock.toml (PEP 751), Pipfile.lock."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from tocsin.audit.json_stream import members
from tocsin.audit.model import Component, Skipped, Trace
from tocsin.audit.packages.python_installed import normalised
from tocsin.audit.purl import write
from tocsin.audit.source import Found, Source, Unreadable, content, reader, text
from tocsin.audit.traces import host, of_package, told

MOST_BYTES = 64 << 20
_PACKAGE = re.compile(r"^\[\[packages?\]\][ \t]*\r?$", re.M)
_ADDRESSES = ("url", "registry", "git", "index")


@reader
def read_toml(source: Source, place: str) -> Iterator[Found]:
    """Read a lock file in TOML, package by package: a broken one hides no other."""
    written = text(content(source, MOST_BYTES))
    starts = [found.start() for found in _PACKAGE.finditer(written)]
    if not starts:
        raise Unreadable("no [[package]] in it")
    for start, end in zip(starts, [*starts[1:], len(written)], strict=True):
        line = written.count("\n", 0, start) + 1 if end - start > MOST_TABLE else 0
        if line:
            yield Skipped(place, f"the package at line {line:,} is longer than {MOST_TABLE:,}")
            continue
        try:
            tree = tomllib.loads(written[start:end])
        except tomllib.TOMLDecodeError as error:
            line = written.count("\n", 0, start) + 1
            yield Skipped(place, f"the package at line {line:,} is broken TOML: {error}")
            continue
        for stated in tree.get("package", tree.get("packages", ())):
            yield _component(stated, place)


MOST_TABLE = 4 << 20
"""Characters of one package: some have hundreds of wheels."""


@reader
def read_pipfile(source: Source, place: str) -> Iterator[Found]:
    """Read a Pipfile.lock."""
    for member in members(text(content(source, MOST_BYTES)), into=("default", "develop")):
        if member.key == "_meta":
            continue
        named = {member.name: member.value} if member.name else member.value
        for name, stated in named.items() if isinstance(named, Mapping) else ():
            if not isinstance(stated, Mapping):
                yield Skipped(place, f"the entry of {name[:100]!r} is no package")
                continue
            version = stated.get("version")
            pinned = version.lstrip("=") if isinstance(version, str) else ""
            yield pinned_component(name, pinned, place, _places_of(stated))


def pinned_component(name: str, version: str, place: str, found: list[Trace]) -> Component:
    """A Python project that is asked for."""
    return Component(
        place=place,
        kind="pypi",
        name=name,
        version=version,
        purl=write("pypi", name.replace("_", "-").lower(), version),
        traces=told(of_package("pypi", normalised(name)), found),
    )


def _component(stated: object, place: str) -> Found:
    if not isinstance(stated, Mapping) or not isinstance(stated.get("name"), str):
        return Skipped(place, "a package without a name")
    version = stated.get("version")
    found = _places_of(stated.get("source")) + _places_of(stated)
    return pinned_component(
        stated["name"], version if isinstance(version, str) else "", place, found
    )


def _places_of(stated: object) -> list[Trace]:
    if not isinstance(stated, Mapping):
        return []
    found: list[Trace] = []
    for key in _ADDRESSES:
        value: Any = stated.get(key)
        if isinstance(value, str) and "://" in value:
            found += host(value, f"source, {key}")
    return found

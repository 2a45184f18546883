"""Installed Python distributions, by their metadata or as pip lists them.

METADATA of `.dist-info`, PKG-INFO of `.egg-info` (core metadata specification), and what
`pip list --format json` and `pip inspect` print.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tocsin.audit.json_stream import members
from tocsin.audit.model import Component, Skipped, Trace
from tocsin.audit.packages.stanzas import MOST_VALUES, Stanza, first, stanzas
from tocsin.audit.purl import write
from tocsin.audit.source import Found, Source, content, reader, text
from tocsin.audit.traces import host, mail_hosts, named, of_package, told

MOST_METADATA = 16 << 20


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read the metadata of one distribution; its description is passed over."""
    for stanza in stanzas(text(content(source, MOST_METADATA))):
        if first(stanza, "name"):
            yield _component(stanza, place)
        else:
            yield Skipped(place, "metadata without the field Name")
        return
    yield Skipped(place, "metadata without a field")


def read_site_packages(folder: Path) -> Iterator[Found]:
    """Read all distributions of a folder such as `site-packages`."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        yield Skipped(str(folder), f"cannot be read: {error.strerror}")
        return
    for entry in entries:
        if entry.suffix == ".dist-info":
            path = entry / "METADATA"
        elif entry.suffix == ".egg-info":
            path = entry / "PKG-INFO" if entry.is_dir() else entry
        else:
            continue
        try:
            with path.open("rb") as file:
                yield from read(file, str(path))
        except OSError as error:
            yield Skipped(str(path), f"cannot be read: {error.strerror}")


@reader
def read_pip_json(source: Source, place: str) -> Iterator[Found]:
    """Read what `pip list --format json` or `pip inspect` prints."""
    for member in members(text(content(source))):
        stated = member.value
        if member.key == "installed" and isinstance(stated, Mapping):
            stated = stated.get("metadata")
        elif member.key:
            continue
        if isinstance(stated, Mapping) and isinstance(stated.get("name"), str):
            yield _component(_stanza(stated), place)
        else:
            yield Skipped(place, "an entry without a name")


def _stanza(stated: Mapping[str, Any]) -> Stanza:
    """Core metadata as JSON (PEP 566): names in small letters with underscores."""
    shaped: Stanza = {}
    for key, value in stated.items():
        values = value if isinstance(value, list) else [value]
        shaped[key.replace("_", "-")] = [v for v in values[:MOST_VALUES] if isinstance(v, str)]
    return shaped


def _component(stanza: Stanza, place: str) -> Component:
    name, version = first(stanza, "name"), first(stanza, "version")
    found: list[Trace] = []
    for label in ("author", "maintainer"):
        found += named(first(stanza, label), label.capitalize())
        found += mail_names(first(stanza, f"{label}-email"), f"{label.capitalize()}-email")
    for label in ("home-page", "download-url"):
        found += host(first(stanza, label), label.capitalize())
    for value in stanza.get("project-url", ()):
        what, _, address = value.partition(",")
        found += host(address.strip(), f"Project-URL, {what.strip()}"[:100])
    return Component(
        place=place,
        kind="pypi",
        name=name,
        version=version,
        purl=write("pypi", name.replace("_", "-").lower(), version),
        traces=told(of_package("pypi", normalised(name)), found),
    )


def mail_names(value: str, where: str) -> list[Trace]:
    """Names and hosts of `name <mail>, name <mail>`."""
    found: list[Trace] = []
    for part in value.split(",")[:100]:
        name = part.partition("<")[0].strip().strip('"')
        if name and "@" not in name:
            found += named(name, where)
    return found + mail_hosts(value, where)


def normalised(name: str) -> str:
    """A project's name as registries compare it (name normalization specification)."""
    flat = name.lower().replace("_", "-").replace(".", "-")
    while "--" in flat:
        flat = flat.replace("--", "-")
    return flat

"""Debian packages: `/var/lib/dpkg/status`, and the files of `status.d` in images without dpkg."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.audit.model import Component, Skipped
from tocsin.audit.packages.stanzas import Stanza, first, stanzas
from tocsin.audit.purl import write
from tocsin.audit.source import Found, Source, content, reader, text
from tocsin.audit.traces import host, named, of_package, told

_NOT_THERE = frozenset({"not-installed", "config-files"})


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read the packages that are on the system; of those removed, settings may be left."""
    for stanza in stanzas(text(content(source))):
        status = first(stanza, "status").split()
        if status and status[-1] in _NOT_THERE:
            continue
        name = first(stanza, "package")
        if name:
            yield _component(stanza, name, place)
        else:
            yield Skipped(place, "a paragraph without the field Package")


def _component(stanza: Stanza, name: str, place: str) -> Component:
    version, made_from = first(stanza, "version"), first(stanza, "source")
    upstream, _, rest = made_from.partition(" ")
    source_version = rest.strip("() ")
    if source_version:
        upstream = f"{upstream}@{source_version}"
    qualifiers = (("arch", first(stanza, "architecture")), ("upstream", upstream))
    distribution = first(stanza, "origin").lower()
    return Component(
        place=place,
        kind="deb",
        name=name,
        version=version,
        purl=write(
            "deb", name, version, distribution if distribution.isalnum() else "", qualifiers
        ),
        traces=told(
            of_package("deb", name),
            named(first(stanza, "maintainer"), "Maintainer"),
            named(first(stanza, "original-maintainer"), "Original-Maintainer"),
            named(first(stanza, "vendor"), "Vendor"),
            named(first(stanza, "origin"), "Origin"),
            host(first(stanza, "homepage"), "Homepage"),
            host(first(stanza, "bugs"), "Bugs"),
        ),
    )

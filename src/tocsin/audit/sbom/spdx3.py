"""SPDX 3.0 as JSON-LD: a graph of elements that point at each other (SPDX 3.0.1).

The context that comes with the specification is taken for granted, as its JSON Schema does; a
document with another one has other names and is not understood.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tocsin.audit.json_stream import members
from tocsin.audit.model import Component, Skipped, Trace
from tocsin.audit.purl import full_name, parse
from tocsin.audit.sbom.spdx import day
from tocsin.audit.source import MOST_COMPONENTS, Found, Source, Unreadable, content, reader, text
from tocsin.audit.traces import clean, cpe_vendor, host, hosts, mail_hosts, named, of_purl, told
from tocsin.jurisdiction.vocabulary import MarkerKind

_PACKAGES = frozenset({"software_Package", "ai_AIPackage", "dataset_DatasetPackage"})
_AGENTS = frozenset({"Agent", "Organization", "Person", "SoftwareAgent"})
_HOLDS = frozenset({"contains", "hasStaticLink"})
_PLATFORMS = frozenset({"container", "operatingSystem", "archive", "filesystemImage", "diskImage"})
_PURL_KINDS = frozenset({"packageUrl", "purl"})


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read a document; files, snippets, licences and assessments are passed over."""
    graph = _Graph(place)
    broken = None
    try:
        for member in members(text(content(source))):
            if member.key in ("@graph", ""):
                graph.take(member.value)
    except (Unreadable, RecursionError) as error:
        broken = error
    yield from graph.finish()
    if broken is not None:
        raise broken


class _Graph:
    """Elements that were read."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._packages: list[Mapping[str, Any]] = []
        self._agents: dict[str, Mapping[str, Any]] = {}
        self._parts: list[tuple[str, str]] = []
        self._roots: set[str] = set()
        self._skipped: list[Skipped] = []

    def take(self, stated: object) -> None:
        """Keep an element if it matters."""
        if not isinstance(stated, Mapping):
            self._skipped.append(Skipped(self._place, "an entry of the graph is no element"))
            return
        kind = _type(stated)
        if kind in _PACKAGES:
            self._packages.append(stated)
            if len(self._packages) > MOST_COMPONENTS:
                raise Unreadable(f"more than {MOST_COMPONENTS:,} packages; split it")
        elif kind in _AGENTS:
            self._agents[_identifier(stated)] = stated
        elif kind.endswith("Relationship"):
            if stated.get("relationshipType") in _HOLDS:
                holder = _reference(stated.get("from"))
                self._parts += [(holder, _reference(each)) for each in _each(stated.get("to"))]
        elif kind in ("SpdxDocument", "software_Sbom", "Bom"):
            self._roots |= {_reference(each) for each in _each(stated.get("rootElement"))}

    def finish(self) -> Iterator[Found]:
        """All packages."""
        purposes = {
            _identifier(each): each.get("software_primaryPurpose") for each in self._packages
        }
        embedded: dict[str, bool] = dict.fromkeys(self._roots, False)
        for holder, part in self._parts:
            if holder in purposes and purposes[holder] not in _PLATFORMS and holder != part:
                embedded[part] = True
        for stated in self._packages:
            yield self._component(stated, embedded.get(_identifier(stated)))
        yield from self._skipped

    def _component(self, stated: Mapping[str, Any], embedded: bool | None) -> Component:
        found: list[Trace] = []
        written = _word(stated, "software_packageUrl")
        for identifier in _each(stated.get("externalIdentifier")):
            if not isinstance(identifier, Mapping):
                continue
            value = identifier.get("identifier")
            kind = str(identifier.get("externalIdentifierType"))
            if kind in _PURL_KINDS and isinstance(value, str):
                written = written or value
            elif kind.startswith("cpe"):
                found += cpe_vendor(value, "CPE name")
            elif kind == "email":
                found += mail_hosts(value, "external identifier")
            else:
                found += host(value, f"external identifier, {kind}"[:100])
        for reference in _each(stated.get("externalRef")):
            if isinstance(reference, Mapping):
                kind = clean(reference.get("externalRefType")) or "other"
                found += hosts(reference.get("locator"), f"external reference, {kind}"[:100])
        purl = parse(written) if written else None
        name = _word(stated, "name")
        if purl is not None and (purl.name == name or not name):
            name = full_name(purl)
        copyrighted = clean(stated.get("software_copyrightText"))
        purpose = _word(stated, "software_primaryPurpose")
        return Component(
            place=self._place,
            kind=purl.type if purl is not None else purpose or "package",
            name=name,
            version=_word(stated, "software_packageVersion") or (purl.version if purl else ""),
            purl=written if purl is not None else "",
            traces=told(
                self._people(stated.get("suppliedBy"), "supplier"),
                self._people(stated.get("originatedBy"), "originator"),
                of_purl(purl) if purl is not None else (),
                found,
                host(stated.get("software_homePage"), "homepage"),
                host(stated.get("software_downloadLocation"), "download location"),
                [Trace(MarkerKind.TEXT, copyrighted, "copyright")] if copyrighted else (),
            ),
            embedded=embedded,
            made=day(stated.get("builtTime")) or day(stated.get("releaseTime")),
            reference=_identifier(stated),
        )

    def _people(self, stated: object, where: str) -> list[Trace]:
        """Agents, which stand here or are pointed at."""
        found: list[Trace] = []
        for one in _each(stated):
            agent = one if isinstance(one, Mapping) else self._agents.get(str(one))
            if agent is None:
                continue
            found += named(agent.get("name"), where)
            for identifier in _each(agent.get("externalIdentifier")):
                if isinstance(identifier, Mapping):
                    found += mail_hosts(identifier.get("identifier"), where)
        return found


def _type(stated: Mapping[str, Any]) -> str:
    kind = stated.get("type", stated.get("@type"))
    if isinstance(kind, list):
        kind = kind[0] if kind else ""
    return kind.rpartition("/")[2] if isinstance(kind, str) else ""


def _identifier(stated: Mapping[str, Any]) -> str:
    for key in ("spdxId", "@id"):
        value = stated.get(key)
        if isinstance(value, str):
            return value
    return ""


def _reference(stated: object) -> str:
    return _identifier(stated) if isinstance(stated, Mapping) else str(stated)[:4096]


def _each(stated: object) -> Iterable[Any]:
    if stated is None:
        return ()
    return stated if isinstance(stated, list) else (stated,)


def _word(stated: Mapping[str, Any], key: str) -> str:
    value = stated.get(key)
    return value.strip()[:4096] if isinstance(value, str) else ""

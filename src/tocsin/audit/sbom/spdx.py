"""What an SPDX 2 package means (SPDX 2.2 and 2.3, clauses 7 and 11).

Every encoding is brought into the shape that JSON has. Which package is part of which stands in
relationships, often at the end: a document's packages are handed on when all of it was read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from tocsin.audit.model import Component, Skipped, Trace
from tocsin.audit.purl import Purl, full_name, parse
from tocsin.audit.source import MOST_COMPONENTS, Found, Unreadable
from tocsin.audit.traces import clean, cpe_vendor, host, named, of_purl, told
from tocsin.jurisdiction.vocabulary import MarkerKind

_HOLDS = frozenset({"CONTAINS", "STATIC_LINK"})
_IS_PART = frozenset({"CONTAINED_BY", "PACKAGE_OF", "OPTIONAL_COMPONENT_OF"})
_PLATFORMS = frozenset({"CONTAINER", "OPERATING-SYSTEM", "OPERATING_SYSTEM", "FILE", "ARCHIVE"})
"""Purposes of what holds packages without their being parts of one product."""

MOST_RELATIONSHIPS = 5_000_000


class Document:
    """What was read of a document so far.

    Args:
        place: of the document.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._packages: dict[str, tuple[Component, str]] = {}
        self._unnamed = 0
        self._parts: list[tuple[str, str]] = []
        self._described: set[str] = set()
        self._skipped: list[Skipped] = []

    def package(self, stated: object) -> None:
        """Keep a package, as JSON has it."""
        if not isinstance(stated, Mapping):
            self._skipped.append(Skipped(self._place, "an entry among the packages is none"))
            return
        made = package(stated, self._place)
        key = made.reference
        if not key or key in self._packages:
            self._unnamed += 1
            key = f"\0{self._unnamed}"
        self._packages[key] = (made, _word(stated, "primaryPackagePurpose").upper())
        if len(self._packages) > MOST_COMPONENTS:
            raise Unreadable(f"more than {MOST_COMPONENTS:,} packages; split it into several files")

    def relationship(self, one: object, kind: object, other: object) -> None:
        """Keep what tells of parts."""
        if not (isinstance(one, str) and isinstance(kind, str) and isinstance(other, str)):
            return
        kind = kind.upper()
        if kind in _HOLDS:
            self._parts.append((one, other))
        elif kind in _IS_PART:
            self._parts.append((other, one))
        elif kind == "DESCRIBES":
            self._described.add(other)
        elif kind == "DESCRIBED_BY":
            self._described.add(one)
        if len(self._parts) > MOST_RELATIONSHIPS:
            raise Unreadable(f"more than {MOST_RELATIONSHIPS:,} relationships")

    def described(self, reference: object) -> None:
        """The document is about it (`documentDescribes`)."""
        if isinstance(reference, str):
            self._described.add(reference)

    def finish(self) -> Iterator[Found]:
        """All packages, with whether they are parts of others."""
        embedded: dict[str, bool] = dict.fromkeys(self._described, False)
        for holder, part in self._parts:
            held = self._packages.get(holder)
            if held is not None and held[1] not in _PLATFORMS and holder != part:
                embedded[part] = True
        for key, (made, _) in self._packages.items():
            yield made if key not in embedded else made._replace(embedded=embedded[key])
        yield from self._skipped


def package(stated: Mapping[str, Any], place: str) -> Component:
    """A package as a component."""
    purl, written, others = _external(stated.get("externalRefs"))
    name = _word(stated, "name")
    if purl is not None and (purl.name == name or not name):
        name = full_name(purl)
    copyrighted = clean(stated.get("copyrightText"))
    traces = told(
        _agent(stated.get("supplier"), "supplier"),
        _agent(stated.get("originator"), "originator"),
        of_purl(purl) if purl is not None else (),
        others,
        host(stated.get("homepage"), "homepage"),
        host(stated.get("downloadLocation"), "download location"),
        [Trace(MarkerKind.TEXT, copyrighted, "copyright")] if copyrighted else (),
    )
    purpose = _word(stated, "primaryPackagePurpose").lower().replace("_", "-")
    version = _word(stated, "versionInfo")
    return Component(
        place=place,
        kind=purl.type if purl is not None else purpose or "package",
        name=name,
        version=version or (purl.version if purl is not None else ""),
        purl=written,
        traces=traces,
        made=day(stated.get("builtDate")) or day(stated.get("releaseDate")),
        reference=_word(stated, "SPDXID"),
    )


def day(stated: object) -> date | None:
    """The day of a time as SPDX writes it; None for what is none."""
    if not isinstance(stated, str):
        return None
    try:
        return date.fromisoformat(stated[:10])
    except ValueError:
        return None


def _external(stated: object) -> tuple[Purl | None, str, list[Trace]]:
    """The first package URL, as parsed and as written, and what the other references tell."""
    found: list[Trace] = []
    first: Purl | None = None
    written = ""
    for reference in _mappings(stated):
        locator = reference.get("referenceLocator")
        if not isinstance(locator, str):
            continue
        locator = locator.strip()
        start = locator[:4].lower()
        if start == "cpe:":
            found += cpe_vendor(locator, "CPE name")
        elif start == "pkg:":
            purl = parse(locator)
            if purl is not None and first is None:
                first, written = purl, locator
            elif purl is not None:
                found += of_purl(purl)
        else:
            kind = clean(reference.get("referenceType")).rpartition("/")[2] or "other"
            if "://" in locator:
                found += host(locator, f"external reference, {kind}")
    return first, written, found


def _agent(stated: object, where: str) -> list[Trace]:
    """`Organization: name (mail)`, `Person: name (mail)` (SPDX 2.3, 7.5)."""
    word = clean(stated)
    for kind in ("Organization:", "Person:", "Tool:"):
        if word.startswith(kind):
            word = word[len(kind) :].strip()
            where += ", person" if kind == "Person:" else ""
            break
    return named(word, where)


def _mappings(stated: object) -> Iterable[Mapping[str, Any]]:
    if isinstance(stated, Mapping):
        return (stated,)
    if not isinstance(stated, list):
        return ()
    return (each for each in stated if isinstance(each, Mapping))


def _word(stated: Mapping[str, Any], key: str) -> str:
    value = stated.get(key)
    return value.strip()[:4096] if isinstance(value, str) else ""

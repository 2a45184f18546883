"""Whose a component is: its traces against the marks that suppliers are known by. Pure.

A trace is held against the marks of its kind alone: a company's name in a text is a text. What a
mark says counts less once its time is over, where it tells of code built into others' products,
which change what they build in, and before it was first seen. Several marks that were found in
different ways make surer; strings in a program, hosts among them, are one way, however many: a
scanner's own signatures hold them by the hundred.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from tocsin.audit.model import Component, Match, Trace
from tocsin.audit.programs.words import Interests, literals
from tocsin.jurisdiction.model import Marker, Supplier
from tocsin.jurisdiction.vocabulary import MarkerKind

AGED = 0.5
"""A mark after its time says half of what it said."""

EMBEDDED = 0.75
"""What a mark of built-in code says of whose the product's engine is, where no day is known that
falls into the mark's time."""

EARLY = 0.75
"""A mark in what was made before anybody saw it."""

SURNAME = 0.5
"""A single word of a company in a field that names people, with other words around it: it may be
the name of somebody's family."""

MOST_TEXT = 0.45
"""What strings in a program alone can say, however many there are."""

_STRINGS = frozenset({MarkerKind.TEXT, MarkerKind.HOST})
_SURE = 0.995

_WAYS: dict[MarkerKind, str] = {
    MarkerKind.TEXT: "strings",
    MarkerKind.HOST: "strings",
    MarkerKind.NPM_SCOPE: "name",
    MarkerKind.PACKAGE: "name",
    MarkerKind.ANDROID_PACKAGE: "name",
    MarkerKind.COMPANY: "claim",
    MarkerKind.SUPPLIER_NAME: "claim",
    MarkerKind.WINGET_PUBLISHER: "claim",
    MarkerKind.CPE_VENDOR: "catalogue",
    MarkerKind.SIGNER: "signature",
}
"""Ways of finding out that do not depend on each other: whoever writes one of a way's words
commonly writes the others."""

_PURL_NPM = re.compile(r"pkg:npm/(?:%40|@)([^/@?#]+)/", re.IGNORECASE)
_UNSEEN = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
                     "\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")  # fmt: skip
"""What a word may have in it and nobody sees."""

_OF_PEOPLE = re.compile("author|maintainer|packager|person", re.IGNORECASE)
"""Fields in which people stand, and companies as well."""

_URL = re.compile(r"(?:[a-z][a-z0-9+.\-]*:)?//([^/?#]*)")


class _Mark(NamedTuple):
    supplier: Supplier
    marker: Marker
    pattern: _Pattern


class _Pattern(NamedTuple):
    """A mark's value: folded, without the `*`, and at which ends there was one."""

    text: str
    before: bool
    behind: bool

    def fits(self, value: str) -> bool:
        """Whether a folded value is one that it stands for."""
        if self.before and self.behind:
            return self.text in value
        if self.behind:
            return value.startswith(self.text)
        if self.before:
            return value.endswith(self.text)
        return value == self.text


def folded(text: str) -> str:
    """Text as it is compared: case, width, spaces and what nobody sees in it do not matter."""
    if not text.isascii():
        text = _UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    return " ".join(text.casefold().split())


def _pattern(value: str) -> _Pattern:
    before, behind = value.startswith("*"), len(value) > 1 and value.endswith("*")
    return _Pattern(folded(value.strip("*")), before, behind)


class Matcher:
    """Holds components against what is known of suppliers.

    Args:
        suppliers: with their marks.
    """

    def __init__(self, suppliers: Iterable[Supplier]) -> None:
        self._marks: dict[MarkerKind, list[_Mark]] = {}
        for supplier in suppliers:
            for marker in supplier.marker:
                pattern = _pattern(marker.value)
                if pattern.text:  # a mark that stands for anything marks nothing
                    mark = _Mark(supplier, marker, pattern)
                    self._marks.setdefault(marker.kind, []).append(mark)
        self._fitting = lru_cache(1 << 16)(self._find)

    def interests(self) -> Interests:
        """What readers of programs are to look for."""

        def values(kind: MarkerKind) -> tuple[str, ...]:
            return literals(mark.marker.value for mark in self._marks.get(kind, ()))

        hosts = tuple(each.lstrip(".") for each in values(MarkerKind.HOST))
        return Interests(values(MarkerKind.TEXT), hosts, values(MarkerKind.ANDROID_PACKAGE))

    def matches(self, component: Component, at: date) -> dict[str, tuple[Match, ...]]:
        """The marks in a component.

        Args:
            component: what was found.
            at: the day that counts where the component does not tell its own.

        Returns:
            By the supplier's identifier, the surest first; of one mark its surest place alone.
        """
        found: dict[str, dict[Marker, Match]] = {}
        for trace in traces_of(component):
            for mark in self._fitting(trace.kind, trace.value):
                match = _weighed(mark, trace, component.made, at)
                of_one = found.setdefault(mark.supplier.id, {})
                held = of_one.get(mark.marker)
                if held is None or match.confidence > held.confidence:
                    of_one[mark.marker] = match
        return {
            supplier: tuple(sorted(each.values(), key=lambda match: -match.confidence))
            for supplier, each in sorted(found.items())
        }

    def _find(self, kind: MarkerKind, value: str) -> tuple[_Mark, ...]:
        marks = self._marks.get(kind, ())
        if not marks:
            return ()
        if kind is MarkerKind.HOST:
            host = host_of(value)
            return tuple(mark for mark in marks if _is_beneath(host, mark.pattern.text, "."))
        text = folded(value)
        if kind is MarkerKind.CPE_VENDOR:
            text = _cpe_vendor(text)
        elif kind is MarkerKind.NPM_SCOPE:
            text = "@" + text.partition("/")[0].lstrip("@")
        elif kind is MarkerKind.ANDROID_PACKAGE:
            return tuple(mark for mark in marks if _is_package(text, mark.pattern))
        return tuple(mark for mark in marks if mark.pattern.fits(text))


def traces_of(component: Component) -> list[Trace]:
    """A component's traces, with those that its own name is."""
    traces = list(component.traces)
    if component.kind and component.name:
        name = f"{component.kind}:{component.name}"
        traces.append(Trace(MarkerKind.PACKAGE, name, "name of the package"))
    scoped = component.kind == "npm" and component.name.startswith("@")
    purl = _PURL_NPM.match(component.purl)
    if scoped or purl:
        scope = component.name if scoped else "@" + (purl[1] if purl else "")
        traces.append(Trace(MarkerKind.NPM_SCOPE, scope.partition("/")[0], "scope of the package"))
    return traces


def host_of(value: str) -> str:
    """The host of an address, or of a mail's, or what is one already."""
    text = folded(value)
    found = _URL.match(text)
    text = found[1] if found else text.partition("/")[0]
    text = text.rpartition("@")[2]
    return re.sub(r":\d*$", "", text).strip(".")


def _is_beneath(name: str, domain: str, dot: str) -> bool:
    domain = domain.lstrip(dot)
    return name == domain or name.endswith(dot + domain)


def _is_package(name: str, pattern: _Pattern) -> bool:
    """`com.example.*` stands for `com.example` as well."""
    return pattern.fits(name) or (
        pattern.behind and not pattern.before and name == pattern.text.rstrip(".")
    )


def _cpe_vendor(text: str) -> str:
    """The vendor of a whole CPE name of either form, or what is a vendor already."""
    if text.startswith("cpe:2.3:"):
        return text.split(":")[3] if text.count(":") >= 3 else ""
    if text.startswith("cpe:/"):
        return text.split(":")[2] if text.count(":") >= 2 else ""
    return text


def _weighed(mark: _Mark, trace: Trace, made: date | None, at: date) -> Match:
    """What a mark says by what is known of its age."""
    marker = mark.marker
    confidence = marker.confidence
    cautions: list[str] = []
    day = made or at
    if marker.until is not None and day > marker.until:
        confidence *= AGED
        cautions.append(
            f"the mark says less after {marker.until}; this is "
            f"{'of' if made else 'looked at on'} {day}"
        )
    elif marker.since is not None and made is not None and made < marker.since:
        confidence *= EARLY
        cautions.append(f"made on {made}, before the mark was first seen ({marker.since})")
    if marker.embedded:
        confidence *= EMBEDDED
        version = f", and with {marker.versions}" if marker.versions else ""
        cautions.append(
            "built into other makers' products, which change what they build in: compare the "
            f"product's version and date{version}"
        )
    if _may_be_surname(mark, trace):
        confidence *= SURNAME
        cautions.append("somebody of that name, or the supplier: the field names people as well")
    if trace.kind is MarkerKind.TEXT:
        cautions.append("a text alone: whoever writes about the supplier writes it too")
    return Match(mark.supplier, marker, trace, round(confidence, 4), "; ".join(cautions))


def _may_be_surname(mark: _Mark, trace: Trace) -> bool:
    """Whether a word of a supplier's name may be a person's, where others stand around it."""
    if trace.kind is not MarkerKind.SUPPLIER_NAME or not _OF_PEOPLE.search(trace.where):
        return False
    return " " not in mark.pattern.text and len(folded(trace.value).split()) > 1


def confidence(matches: Sequence[Match]) -> float:
    """How sure it is that a component with these marks is the supplier's, from 0 to 1.

    The surest mark of each way in which one was found counts, and those together: the chance that
    all of them mislead. Strings of a program, if nothing else was found, stay below `MOST_TEXT`.
    """
    surest: dict[str, float] = {}
    for match in matches:
        way = _WAYS[match.trace.kind]
        surest[way] = max(surest.get(way, 0.0), match.confidence)
    wrong = 1.0
    for each in surest.values():
        wrong *= 1.0 - each
    total = 1.0 - wrong
    if set(surest) <= {"strings"}:
        return round(min(total, MOST_TEXT), 4)
    if max(surest.values(), default=0.0) < 1.0:
        total = min(total, _SURE)
    return round(total, 4)

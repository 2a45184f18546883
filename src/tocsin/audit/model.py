"""What readers find, and what an audit says of it."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from tocsin.jurisdiction.decide import Decision
from tocsin.jurisdiction.model import Marker, Supplier
from tocsin.jurisdiction.vocabulary import MarkerKind


class Trace(NamedTuple):
    """A word of who made something, as it was found.

    Attributes:
        kind: where such words are looked for.
        value: the word.
        where: exactly where it stood, in words: `Authenticode signer`, `supplier.name`.
    """

    kind: MarkerKind
    value: str
    where: str


class Component(NamedTuple):
    """Something that an audit looks at: a package, a program, a line of a bill of materials.

    Attributes:
        place: the file it was found in or is; members of archives follow a `!`.
        kind: `deb`, `rpm`, `pypi`, `npm`, `windows`, `program`, `android`, `library` …
        name: as it calls itself.
        version: the same; may be empty.
        purl: package URL, if it has one.
        traces: of who made it.
        embedded: whether it is part of another product; None: not told.
        made: day on which it was built or signed, if that is told.
        reference: how the place itself refers to it (`bom-ref`, `SPDXRef-…`); may be empty.
    """

    place: str
    kind: str
    name: str
    version: str = ""
    purl: str = ""
    traces: tuple[Trace, ...] = ()
    embedded: bool | None = None
    made: date | None = None
    reference: str = ""


class Skipped(NamedTuple):
    """What was not looked at, or not wholly.

    Attributes:
        place: the file or member.
        reason: why, and what to do about it.
    """

    place: str
    reason: str


class Match(NamedTuple):
    """A trace that is a supplier's mark.

    Attributes:
        supplier: whose.
        marker: the mark, as the supplier's file has it.
        trace: what was found.
        confidence: from 0 to 1; less than the mark's where its time is over.
        caution: why it is less, or what to look at besides; may be empty.
    """

    supplier: Supplier
    marker: Marker
    trace: Trace
    confidence: float
    caution: str = ""


class SupplierFinding(NamedTuple):
    """A component of a supplier under a rule.

    Attributes:
        component: which.
        matches: what tells whose it is, the surest first; all of one supplier.
        confidence: that it is, from 0 to 1.
        use: what the rules say of going on to use it.
        decisions: what they say of the other operations that matter to whoever has it.
    """

    component: Component
    matches: tuple[Match, ...]
    confidence: float
    use: Decision
    decisions: tuple[Decision, ...] = ()


class Advisory(NamedTuple):
    """What an OSV record says of a component's version.

    Attributes:
        id: of the record (`MAL-2024-1234`, `GHSA-…`, `CVE-…`).
        aliases: other identifiers of the same.
        is_malicious: whether the package was made to do harm, and not only can be misused.
        summary: in one line.
        published: the day.
        fixed: versions in which it is mended; empty: none is known.
        link: to where it can be read; may be empty.
    """

    id: str
    aliases: tuple[str, ...]
    is_malicious: bool
    summary: str
    published: date | None = None
    fixed: tuple[str, ...] = ()
    link: str = ""


class AdvisoryFinding(NamedTuple):
    """A component that an advisory is about."""

    component: Component
    advisory: Advisory


class Audit(NamedTuple):
    """The result.

    Attributes:
        looked_at: how many components.
        suppliers: what comes from a supplier under a rule.
        advisories: what is malicious or vulnerable.
        skipped: what was not looked at.
    """

    looked_at: int
    suppliers: tuple[SupplierFinding, ...]
    advisories: tuple[AdvisoryFinding, ...]
    skipped: tuple[Skipped, ...]

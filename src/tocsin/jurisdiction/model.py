"""What a rulebook is made of: instruments with their rules, and suppliers with their marks.

One TOML file is one `Instrument` or one `Supplier`; the JSON Schema of either is made from these
types (`schema`). Times of law are instants with their zones, since a day begins at another moment
in every zone; `announced` and `published` are days, since nothing follows from them.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import msgspec

from tocsin.jurisdiction.vocabulary import (
    Addressee,
    Basis,
    Binds,
    Circumstance,
    Embedded,
    Kind,
    MarkerKind,
    Operation,
    PersonTie,
    Product,
    Status,
)

RuleId = Annotated[str, msgspec.Meta(extra={"form": "id"})]
Text = Annotated[str, msgspec.Meta(extra={"form": "line"})]
Link = Annotated[str, msgspec.Meta(extra={"form": "link"})]
Place = Annotated[str, msgspec.Meta(extra={"form": "place"})]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Confidence = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a file; a key that it does not have is a mistake."""


class Nexus(_Table, frozen=True, kw_only=True):
    """What ties a supply to a rule: one of the persons, or one of the places.

    Attributes:
        places: where the system stands that is supplied; empty: no place is enough.
        persons: whose countries the person is tied to; empty: no person is enough.
        ties: by what a person is tied to a country.
    """

    places: tuple[Place, ...] = ()
    persons: tuple[Place, ...] = ()
    ties: tuple[PersonTie, ...] = tuple(PersonTie)


class Reading(_Table, frozen=True, kw_only=True):
    """Another instant at which a source has the same rule begin.

    Attributes:
        effective: the instant.
        basis: how well that was checked.
        note: who reads it so.
    """

    effective: Instant
    basis: Basis
    note: Text


class Rule(_Table, frozen=True, kw_only=True):
    """One thing that an instrument says, of certain operations from an instant on.

    Attributes:
        name: within the instrument; `<instrument>/<name>` is the rule's identifier.
        summary: in one sentence.
        kind: what it does about its operations.
        binds: whom it obliges.
        operations: that it is about.
        products: classes that it is about; `cybersecurity` is all of that field.
        nexus: what ties a supply to it.
        addressees: customers and users that it is about; empty: everybody.
        circumstances: all of them must hold.
        embedded: whether it is about a product that is part of another.
        effective: from when on.
        certain_from: when sources do not say the day: from when on nobody doubts that it holds.
            In between it is unknown whether it does.
        comply_by: until when what it demands is to be done.
        ends: from when on it holds no more.
        exempts: for an exemption: the instruments or rules it takes out of; empty: its own
            instrument's.
        obligations: what whoever is bound must do, each a sentence.
        basis: how well this was checked.
        readings: other instants that sources give.
        note: what a reader should know besides.
    """

    name: RuleId
    summary: Text
    kind: Kind
    binds: tuple[Binds, ...]
    operations: tuple[Operation, ...]
    products: tuple[Product, ...]
    nexus: Nexus
    addressees: tuple[Addressee, ...] = ()
    circumstances: tuple[Circumstance, ...] = ()
    embedded: Embedded
    effective: Instant
    certain_from: Instant | None = None
    comply_by: Instant | None = None
    ends: Instant | None = None
    exempts: tuple[Text, ...] = ()
    obligations: tuple[Text, ...] = ()
    basis: Basis
    readings: tuple[Reading, ...] = ()
    note: Text = ""


class Instrument(_Table, frozen=True, kw_only=True):
    """One act of an authority.

    Attributes:
        id: of the instrument, as its file is named.
        title: what it is called.
        authority: who acted.
        instrument: what kind of act, with its number.
        citation: where it is found, as lawyers cite it.
        link: to its text.
        jurisdiction: whose law it is.
        suppliers: identifiers of those whose products it is about; affiliates and successors,
            as their files list them, are meant with them.
        status: whether it is law.
        announced: the day.
        published: the day.
        basis: how well what stands here was checked.
        notes: what a reader should know besides.
        conflicts: what sources say otherwise.
        rule: what it says, a table each.
    """

    id: RuleId
    title: Text
    authority: Text
    instrument: Text
    citation: Text
    link: Link = ""
    jurisdiction: Place
    suppliers: tuple[RuleId, ...]
    status: Status
    announced: date | None = None
    published: date | None = None
    basis: Basis
    notes: tuple[Text, ...] = ()
    conflicts: tuple[Text, ...] = ()
    rule: tuple[Rule, ...]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What it says."""
        return self.rule


class Affiliate(_Table, frozen=True, kw_only=True):
    """A company or person that is meant with a supplier.

    Attributes:
        name: of the company.
        relation: affiliate, subsidiary, parent, successor, assignee …
        since: from which day on.
        until: until which day.
    """

    name: Text
    relation: Text
    since: date | None = None
    until: date | None = None


class Marker(_Table, frozen=True, kw_only=True):
    """How a supplier is recognised in software.

    Attributes:
        kind: where the mark is looked for.
        value: what stands there; with `*` for any characters at the end or the beginning.
        products: classes of product that have it.
        since: from which day on it was seen.
        until: after which day it says less: marks of what is built into other products age.
        versions: of the product that has it, in words; empty: all.
        confidence: from 0 to 1, that what has it is the supplier's.
        embedded: whether it tells of the supplier's code in another's product.
        note: whose product it is, or what to look at besides.
    """

    kind: MarkerKind
    value: Text
    products: tuple[Product, ...] = (Product.ANTIVIRUS,)
    since: date | None = None
    until: date | None = None
    versions: Text = ""
    confidence: Confidence = 1.0
    embedded: bool = False
    note: Text = ""


class Supplier(_Table, frozen=True, kw_only=True):
    """Whose products rules are about.

    Attributes:
        id: a short name, as its file is named.
        name: in full.
        names: other names of the same.
        affiliate: who is meant with it.
        marker: how its software is recognised.
        notes: what a reader should know besides.
    """

    id: RuleId
    name: Text
    names: tuple[Text, ...] = ()
    affiliate: tuple[Affiliate, ...] = ()
    marker: tuple[Marker, ...] = ()
    notes: tuple[Text, ...] = ()


class Edition(_Table, frozen=True, kw_only=True):
    """Which state of a rulebook this is.

    Attributes:
        number: counted up by whoever edits it.
        checked: the day on which its rules were last held against their sources.
        note: what is new in it.
    """

    number: Annotated[int, msgspec.Meta(ge=1, le=2_000_000_000)]
    checked: date
    note: Text = ""

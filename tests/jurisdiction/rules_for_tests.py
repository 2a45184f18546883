"""Rulebooks and questions as the tests of this folder need them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from tocsin.jurisdiction.decide import Decision, decide
from tocsin.jurisdiction.folder import packaged, read_folder
from tocsin.jurisdiction.model import Edition, Instrument, Nexus, Rule, Supplier
from tocsin.jurisdiction.question import Person, ask
from tocsin.jurisdiction.rulebook import Rulebook
from tocsin.jurisdiction.vocabulary import (
    Basis,
    Binds,
    Embedded,
    Kind,
    Operation,
    PersonTie,
    Product,
    Status,
)


@cache
def the_book() -> Rulebook:
    """The rulebook that comes with the package."""
    return read_folder(packaged())


def answer(
    operation: str, product: str, at: str, place: str | Iterable[str] = (), **facts: Any
) -> Decision:
    """A decision by the packaged rulebook about the supplier it is about."""
    places = (place,) if isinstance(place, str) else tuple(place)
    question = ask(
        Operation(operation),
        Product(product),
        "kaspersky",
        datetime.fromisoformat(at),
        places=places,
        **facts,
    )
    return decide(the_book(), question)


def citizen(country: str) -> tuple[Person, ...]:
    """Somebody with a nationality."""
    return (Person(PersonTie.CITIZEN, country),)


def rule(name: str = "one", **fields: Any) -> Rule:
    """A rule that forbids selling antivirus in the US from 2024 on, but for what is stated."""
    stated: dict[str, Any] = {
        "name": name,
        "summary": "a rule of these tests",
        "kind": Kind.PROHIBITION,
        "binds": (Binds.SUPPLIER,),
        "operations": (Operation.SELL,),
        "products": (Product.ANTIVIRUS,),
        "nexus": Nexus(places=("US",)),
        "embedded": Embedded.INCLUDED,
        "effective": datetime(2024, 1, 1, tzinfo=UTC),
        "basis": Basis.GENERAL,
    }
    return Rule(**(stated | fields))


def instrument(*rules: Rule, identifier: str = "xx-act", **fields: Any) -> Instrument:
    """An act in force about `acme`, but for what is stated."""
    stated: dict[str, Any] = {
        "id": identifier,
        "title": "an act of these tests",
        "authority": "an authority",
        "instrument": "an act",
        "citation": "1 Tests 1",
        "jurisdiction": "US",
        "suppliers": ("acme",),
        "status": Status.IN_FORCE,
        "basis": Basis.GENERAL,
        "rule": rules,
    }
    return Instrument(**(stated | fields))


def book(*instruments: Instrument) -> Rulebook:
    """A rulebook about `acme`."""
    return Rulebook(
        instruments,
        [Supplier(id="acme", name="Acme Security")],
        Edition(number=1, checked=date(2026, 1, 1)),
    )

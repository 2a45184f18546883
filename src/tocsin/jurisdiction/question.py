"""What a decision is asked about: an operation, and the facts that rules need.

A fact is known to hold, known not to hold, or unknown. Three states of it are kept apart, since
only one of them may be filled in: what was *stated*, what was stated to be *unknown*, and what
was *left open*. Left open, a fact is taken as the printed `assumptions` say, and those are made
only where a place is named; without, it stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple

from tocsin.errors import LawError
from tocsin.jurisdiction.places import UNKNOWN, place_name
from tocsin.jurisdiction.vocabulary import (
    ADDRESSEE_ABOVE,
    Addressee,
    Circumstance,
    Operation,
    PersonTie,
    Product,
)


class Person(NamedTuple):
    """What ties whoever is supplied to a country.

    Attributes:
        tie: by what.
        country: its code, or `unknown`.
    """

    tie: PersonTie
    country: str

    def __str__(self) -> str:
        """In words."""
        tie = {"citizen": "citizen of", "resident": "resident of", "organised": "organised in"}
        return f"{tie[self.tie.value]} {place_name(self.country)}"


UNKNOWN_PERSON = tuple(Person(tie, UNKNOWN) for tie in PersonTie)


class Question(NamedTuple):
    """An operation with what is stated about it; `ask` makes one.

    Attributes:
        operation: what is to be done.
        product: class of product; None: unknown.
        supplier: its identifier in the rulebook.
        places: where who is supplied is, as codes; `unknown` for an unknown one.
        persons: their ties; empty: left open.
        systems: where the systems stand; empty: left open.
        addressees: what who is supplied is; empty: left open; None: unknown.
        holding: circumstances that hold.
        absent: circumstances that are stated not to.
        unsure: circumstances that are stated to be unknown.
        embedded: whether it is about the product as a part of another: None: unknown.
        at: when, with a time zone.
    """

    operation: Operation
    product: Product | None
    supplier: str
    places: tuple[str, ...]
    persons: tuple[Person, ...]
    systems: tuple[str, ...]
    addressees: frozenset[Addressee] | None
    holding: frozenset[Circumstance]
    absent: frozenset[Circumstance]
    unsure: frozenset[Circumstance]
    embedded: bool | None
    at: datetime


class Facts:
    """A question with its assumptions worked in: what rules are held against.

    Args:
        question: as it was stated.

    Attributes:
        question: the same.
        persons: ties that are known.
        systems: where systems are known to stand.
        persons_open: whether the person may have ties besides.
        systems_open: whether systems may stand elsewhere besides.
        addressees: which hold; those in neither set are unknown.
        not_addressees: which do not.
        assumptions: what was taken for granted, each a sentence.
        unknown: what was stated to be unknown, each in words.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        self.assumptions: list[str] = []
        self.unknown: list[str] = []
        placed = tuple(place for place in question.places if place != UNKNOWN)
        self._place(question, placed)
        self._person(question, placed)
        self._standing(question, is_placed=bool(placed))
        if question.product is None:
            self.unknown.append("the class of product")
        if question.embedded is None:
            self.unknown.append("whether the product is part of another")

    def _place(self, question: Question, placed: tuple[str, ...]) -> None:
        if question.places != placed:
            self.unknown.append("the place")
        if question.systems:
            self.systems = tuple(place for place in question.systems if place != UNKNOWN)
            self.systems_open = self.systems != question.systems
            if self.systems_open:
                self.unknown.append("where the system stands")
            return
        self.systems = placed
        self.systems_open = not question.places or question.places != placed
        if placed:
            self.assumptions.append(f"the system stands in {_places(placed)}")

    def _person(self, question: Question, placed: tuple[str, ...]) -> None:
        stated = question.persons
        known = tuple(person for person in stated if person.country != UNKNOWN)
        self.persons_open = known != stated
        if self.persons_open:
            self.unknown.append("the person")
        is_resident = any(person.tie is PersonTie.RESIDENT for person in stated)
        is_body = any(person.tie is PersonTie.ORGANISED for person in stated)
        if placed and not is_resident and not is_body:
            known += tuple(Person(PersonTie.RESIDENT, place) for place in placed)
            also = "" if stated else ", and tied to no other country"
            self.assumptions.append(f"the person is resident in {_places(placed)}{also}")
        elif stated and not placed and not is_resident and not is_body:
            self.persons_open = True  # resident somewhere
        elif not stated:
            self.persons_open = True
        if UNKNOWN in question.places and not (is_resident or is_body):
            self.persons_open = True
        self.persons = known

    def _standing(self, question: Question, *, is_placed: bool) -> None:
        self.addressees: frozenset[Addressee] = frozenset()
        self.not_addressees: frozenset[Addressee] = frozenset()
        stated = question.addressees
        if stated is None:
            self.unknown.append("what who is supplied is")
        elif stated:
            self.addressees = frozenset(_with_those_above(stated))
            possible = {each for each in Addressee if _above(each) & stated}
            self.not_addressees = frozenset(Addressee) - self.addressees - possible
            self.assumptions.append(
                f"who is supplied is {' and '.join(sorted(stated))}, and nothing else of the list"
            )
        elif is_placed:
            self.addressees = frozenset({Addressee.PRIVATE})
            self.not_addressees = frozenset(Addressee) - self.addressees
            self.assumptions.append(
                "a private person: no public body and no contractor of one, outside critical "
                "sectors and groups at special risk"
            )
        self.holding, self.absent = question.holding, question.absent
        self.unknown += [f"whether it is {each.value}" for each in sorted(question.unsure)]
        if is_placed:
            rest = frozenset(Circumstance) - self.holding - question.unsure
            assumed = rest - self.absent
            self.absent = rest
            if assumed:
                words = ", ".join(_ASSUMED[each] for each in Circumstance if each in assumed)
                self.assumptions.append(f"supplied commercially for ordinary use: {words}")

    @cached_property
    def person_words(self) -> str:
        """Who is supplied, in words."""
        return ", ".join(map(str, self.persons)) or "an unknown person"

    @cached_property
    def system_words(self) -> str:
        """Where the systems stand, in words."""
        return _places(self.systems) or "an unknown place"


_ASSUMED = {
    Circumstance.SUBSIDISED: "without subsidy",
    Circumstance.MOBILE_DEVICE_OF_GOVERNMENT: "not on a government's mobile device",
    Circumstance.CLASSIFIED: "nothing classified is processed",
    Circumstance.IN_TELECOM_EQUIPMENT: "not in equipment for telecommunication",
    Circumstance.LISTED_PARTY: "no party is named on a list of sanctions",
}


def ask(
    operation: Operation,
    product: Product | None,
    supplier: str,
    at: datetime,
    *,
    places: Iterable[str] = (),
    persons: Iterable[Person] = (),
    systems: Iterable[str] = (),
    addressees: Iterable[Addressee] | None = (),
    holding: Iterable[Circumstance] = (),
    absent: Iterable[Circumstance] = (),
    unsure: Iterable[Circumstance] = (),
    embedded: bool | None = False,
) -> Question:
    """A question; the arguments are those of `Question`.

    Raises:
        LawError: an instant without a time zone, or a circumstance that is stated both ways.
    """
    if at.tzinfo is None:
        raise LawError(f"{at.isoformat()} has no time zone; law begins at an instant: add one")
    held, gone, doubted = frozenset(holding), frozenset(absent), frozenset(unsure)
    if both := (held & gone) | (held & doubted) | (gone & doubted):
        raise LawError(f"{', '.join(sorted(both))}: stated in two ways")
    return Question(
        operation,
        product,
        supplier,
        tuple(dict.fromkeys(places)),
        tuple(dict.fromkeys(persons)),
        tuple(dict.fromkeys(systems)),
        None if addressees is None else frozenset(addressees),
        held,
        gone,
        doubted,
        embedded,
        at.astimezone(UTC),
    )


def _above(addressee: Addressee) -> set[Addressee]:
    """What an addressee is as well, without itself."""
    found = set()
    above = ADDRESSEE_ABOVE.get(addressee)
    while above is not None:
        found.add(above)
        above = ADDRESSEE_ABOVE.get(above)
    return found


def _with_those_above(stated: frozenset[Addressee]) -> set[Addressee]:
    return set(stated).union(*map(_above, stated))


def _places(codes: Iterable[str]) -> str:
    return " and ".join(place_name(code) for code in codes)

"""What a decision is asked about: an operation, and the facts that rules need.

A fact is known to hold, known not to hold, or unknown. Three states of it are kept apart, since
only one of them may be filled in: what was *stated*, what was stated to be *unknown*, and what
was *left open*. Left open, a fact is taken as the printed `assumptions` say, and those are made
only where a place is named; without, it stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import NamedTuple

from tocsin.errors import LawError
from tocsin.jurisdiction.places import GROUPS, UNKNOWN, place_name, somewhere_in
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
        persons_within: ties of which only a group of countries is known, to each of its members.
        systems_within: where systems may stand of which only a group is known.
        addressees: which hold; those in neither set are unknown.
        not_addressees: which do not.
        holding: circumstances that hold; those in neither set are unknown.
        absent: circumstances that do not.
        is_unsure: whether a fact was stated to be unknown.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        places = question.places
        self._is_lost = UNKNOWN in places
        self._placed = tuple(p for p in places if p != UNKNOWN) if self._is_lost else places
        stated_systems = question.systems
        self.systems = stated_systems or self._placed
        self.systems_open = self._is_lost or not self.systems
        if stated_systems:
            self.systems_open = UNKNOWN in stated_systems
        self._is_anybody = any(person.country == UNKNOWN for person in question.persons)
        self._is_settled = any(
            person.tie is not PersonTie.CITIZEN and person.country != UNKNOWN
            for person in question.persons
        )
        ties = {each.tie for each in question.persons if each.country != UNKNOWN}
        is_whole = PersonTie.ORGANISED in ties or {PersonTie.CITIZEN, PersonTie.RESIDENT} <= ties
        # Who is neither resident nor organised anywhere by what is stated is resident in the place.
        self._lives_there = bool(self._placed) and not self._is_settled and not self._is_anybody
        self.persons = question.persons
        if self._lives_there:
            self.persons += tuple(Person(PersonTie.RESIDENT, place) for place in self._placed)
        self.persons_open = self._is_anybody or (
            not is_whole and (not self._placed or self._is_lost)
        )
        self.systems_within = somewhere_in(self.systems)
        self.persons_within: tuple[Person, ...] = ()
        for each in self.persons:
            if each.country in GROUPS:
                within = somewhere_in((each.country,))
                self.persons_within += tuple(Person(each.tie, country) for country in within)
        self.addressees, self.not_addressees = _standing(question.addressees, bool(self._placed))
        self.holding = question.holding
        self.absent = question.absent
        if self._placed:
            self.absent = _EVERY_CIRCUMSTANCE - question.holding - question.unsure
        self.is_unsure = (
            self._is_lost
            or self._is_anybody
            or UNKNOWN in stated_systems
            or question.addressees is None
            or question.product is None
            or question.embedded is None
            or bool(question.unsure)
        )

    @cached_property
    def assumptions(self) -> tuple[str, ...]:
        """What was taken for granted, each a sentence."""
        question, found = self.question, []
        if self._placed and not question.systems:
            found.append(f"the system stands in {_places(self._placed)}")
        if self._lives_there:
            found.append(
                f"the person is resident in {_places(self._placed)}, and tied to no other country"
                + (" but as stated" if question.persons else "")
            )
        elif question.persons and not self.persons_open:
            found.append("the person is tied to no country but as stated")
        if question.addressees:
            stated = " and ".join(sorted(question.addressees))
            found.append(f"who is supplied is {stated}, and nothing else of the list")
        elif question.addressees is not None and self._placed:
            found.append(
                "a private person: no public body and no contractor of one, outside critical "
                "sectors and groups at special risk"
            )
        assumed = self.absent - question.absent
        if assumed:
            words = ", ".join(_ASSUMED[each] for each in Circumstance if each in assumed)
            found.append(f"supplied commercially for ordinary use: {words}")
        return tuple(found)

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """What was stated to be unknown, each in words."""
        question = self.question
        stated = (
            (self._is_lost, "the place"),
            (UNKNOWN in question.systems, "where the system stands"),
            (self._is_anybody, "the person"),
            (question.addressees is None, "what who is supplied is"),
            (question.product is None, "the class of product"),
            (question.embedded is None, "whether the product is part of another"),
        )
        unsure = [f"whether it is {each.value}" for each in sorted(question.unsure)]
        return (*(words for is_so, words in stated if is_so), *unsure)

    @property
    def person_words(self) -> str:
        """Who is supplied, in words."""
        return ", ".join(map(str, self.persons)) or "an unknown person"

    @property
    def system_words(self) -> str:
        """Where the systems stand, in words."""
        return _places(self.systems) or "an unknown place"


_EVERY_CIRCUMSTANCE = frozenset(Circumstance)
_EVERY_ADDRESSEE = frozenset(Addressee)


@lru_cache(4096)
def _standing(
    stated: frozenset[Addressee] | None, is_placed: bool
) -> tuple[frozenset[Addressee], frozenset[Addressee]]:
    """Which addressees hold and which do not; the others are unknown."""
    if stated:
        holding = stated.union(*map(_above, stated))
        possible = {each for each in Addressee if _above(each) & stated}
        return holding, _EVERY_ADDRESSEE - holding - possible
    if stated is not None and is_placed:
        private = frozenset({Addressee.PRIVATE})
        return private, _EVERY_ADDRESSEE - private
    return frozenset(), frozenset()


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


def _places(codes: Iterable[str]) -> str:
    return " and ".join(place_name(code) for code in codes)

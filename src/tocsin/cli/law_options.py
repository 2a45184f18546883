"""Options by which facts are stated on a command line, for every verb that asks the rulebook."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from tocsin.errors import UsageError
from tocsin.jurisdiction.vocabulary import (
    ADDRESSEES,
    CIRCUMSTANCES,
    OPERATIONS,
    Addressee,
    Circumstance,
    Operation,
    PersonTie,
    Product,
)

if TYPE_CHECKING:
    from tocsin.jurisdiction.question import Person, Question

UNKNOWN = "unknown"
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
SUPPLIER = click.option(
    "--supplier", required=True, metavar="NAME", help="Whose product: a short name, as kaspersky."
)
_Call = TypeVar("_Call", bound=Callable[..., Any])
_TIES = {
    "citizen": PersonTie.CITIZEN,
    "person": PersonTie.CITIZEN,
    "national": PersonTie.CITIZEN,
    "resident": PersonTie.RESIDENT,
    "organised": PersonTie.ORGANISED,
    "organized": PersonTie.ORGANISED,
    "company": PersonTie.ORGANISED,
}
_PRODUCT_OF = {
    Operation.COLLECT_STATISTICS: Product.SECURITY_NETWORK,
    Operation.LOOK_UP_REPUTATION: Product.SECURITY_NETWORK,
    Operation.PROVIDE_THREAT_INTELLIGENCE: Product.THREAT_INTELLIGENCE,
    Operation.PROVIDE_TRAINING: Product.TRAINING,
    Operation.CONSULT: Product.CONSULTING,
}
"""The class of product that an operation is about by itself."""


class Stated(NamedTuple):
    """Facts as they were stated; `question` makes a question of them.

    Attributes:
        places: codes, or `unknown`.
        persons: their ties.
        systems: codes, or `unknown`.
        addressees: empty: left open; None: unknown.
        circumstances: what holds, what does not, what is unknown.
        embedded: None: unknown.
    """

    places: tuple[str, ...]
    persons: tuple[Person, ...]
    systems: tuple[str, ...]
    addressees: tuple[Addressee, ...] | None
    circumstances: dict[Circumstance, str]
    embedded: bool | None

    def question(
        self, operation: Operation, product: Product | None, supplier: str, at: datetime
    ) -> Question:
        """A question about these facts.

        Raises:
            LawError: an instant without a time zone.
        """
        from tocsin.jurisdiction.question import ask

        return ask(
            operation,
            product,
            supplier,
            at,
            places=self.places,
            persons=self.persons,
            systems=self.systems,
            addressees=self.addressees,
            holding=self._those("yes"),
            absent=self._those("no"),
            unsure=self._those(UNKNOWN),
            embedded=self.embedded,
        )

    def _those(self, state: str) -> Iterable[Circumstance]:
        return [each for each, stated in self.circumstances.items() if stated == state]


def once(_: click.Context, option: click.Parameter, stated: tuple[str, ...]) -> str | None:
    """The value of an option that may be stated again, but not in two ways.

    Raises:
        UsageError: it is: of two classes of product, the last alone would be asked about.
    """
    if len(set(stated)) > 1:
        raise UsageError(f"{option.opts[0]} is stated in two ways; ask twice")
    return stated[0] if stated else None


def facts_options(call: _Call) -> _Call:
    """Give a command the options for facts.

    It gets `places`, `persons`, `systems`, `addressees`, `circumstances` and `embedded`, which
    `read_facts` takes.
    """
    for option in reversed(
        (
            click.option(
                "--place",
                "places",
                multiple=True,
                metavar="CC",
                help="Where who is supplied is: two letters (US, DE), EU, or 'unknown'.",
            ),
            click.option(
                "--person",
                "persons",
                multiple=True,
                metavar="TIE:CC",
                help="Who is supplied: citizen:US (or US), resident:DE, organised:FR, 'unknown'.",
            ),
            click.option(
                "--system-in",
                "systems",
                multiple=True,
                metavar="CC",
                help="Where the system stands, if not in the place.",
            ),
            click.option(
                "--addressee",
                "addressees",
                multiple=True,
                metavar="NAME",
                help="What who is supplied is, without a private person: "
                + ", ".join(each.value for each in ADDRESSEES)
                + ", or 'unknown'.",
            ),
            click.option(
                "--circumstance",
                "circumstances",
                multiple=True,
                metavar="NAME[=yes|no|unknown]",
                help="What is so besides: " + ", ".join(each.value for each in CIRCUMSTANCES) + ".",
            ),
            click.option(
                "--embedded",
                is_flag=False,
                flag_value="yes",
                default="no",
                type=click.Choice(["yes", "no", UNKNOWN]),
                help="Whether the product is a part of another one.",
            ),
        )
    ):
        call = option(call)
    return call


def read_facts(
    places: tuple[str, ...],
    persons: tuple[str, ...],
    systems: tuple[str, ...],
    addressees: tuple[str, ...],
    circumstances: tuple[str, ...],
    embedded: str,
) -> Stated:
    """What the options say.

    Raises:
        LawError: there is no such place.
        UsageError: a person or circumstance that is no such; 'unknown' beside something known.
    """
    if embedded not in ("yes", "no", UNKNOWN):
        raise UsageError(f"embedded is yes, no or unknown, not {embedded[:40]!r}")
    is_unknown = any(text.strip().casefold() == UNKNOWN for text in addressees)
    if is_unknown and len(addressees) > 1:
        raise UsageError("--addressee is unknown or it is not; state one of them")
    return Stated(
        tuple(map(_place, places)),
        tuple(person for text in persons for person in read_person(text)),
        tuple(map(_place, systems)),
        None if is_unknown else tuple(map(_addressee, addressees)),
        _circumstances(circumstances),
        None if embedded == UNKNOWN else embedded == "yes",
    )


def read_person(text: str) -> tuple[Person, ...]:
    """The ties of a person, as people write them: `US`, `citizen:US`, `us-person`, `unknown`.

    Raises:
        LawError: there is no such country.
        UsageError: there is no such tie.
    """
    from tocsin.jurisdiction.question import UNKNOWN_PERSON, Person

    said = text.strip()
    if said.casefold() == UNKNOWN:
        return UNKNOWN_PERSON
    tie, colon, country = said.rpartition(":")
    ties = "|".join(_TIES)
    if not colon and (words := re.fullmatch(rf"(.+?)[ _-]({ties}|person)", said, re.I)):
        country, tie = words[1], words[2]
    elif not colon and (words := re.fullmatch(rf"({ties}|person)[ _=-](.+)", said, re.I)):
        country, tie = words[2], words[1]
    found = _TIES.get(tie.strip().casefold() or "citizen")
    if found is None:
        raise UsageError(f"--person {text!r}: state citizen:CC, resident:CC or organised:CC")
    return (Person(found, _place(country)),)


def read_instant(text: str | None, places: tuple[str, ...]) -> tuple[datetime, str]:
    """An instant, and what was assumed to get it.

    Args:
        text: with its zone (2024-09-29T04:00:00Z), or a day, which is taken at its beginning at
            the first place's seat of government; None for now.
        places: codes.

    Raises:
        UsageError: it is neither, or a time without a zone.
    """
    from tocsin.jurisdiction.places import day_begins, place_name

    if text is None:
        return datetime.now(UTC), ""
    said = text.strip()
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", said):
        try:
            day = date.fromisoformat(said)
        except ValueError as error:
            raise UsageError(f"{said}: {error}") from None
        place = next((each for each in places if each != UNKNOWN), "")
        try:
            begins = day_begins(day, place)
            begins.astimezone(UTC)
        except OverflowError:
            raise UsageError(f"{said} has no beginning in UTC") from None
        where = f"in {place_name(place)}" if place else "in UTC"
        return begins, f"{said} is meant as its first instant {where}, {begins.isoformat()}"
    try:
        instant = datetime.fromisoformat(said)
    except ValueError:
        raise UsageError(
            f"{text!r} is no instant; state 2024-09-29T04:00:00Z, or a day as 2024-09-29"
        ) from None
    if instant.tzinfo is None:
        raise UsageError(
            f"{text!r} has no time zone, and law begins at an instant; add one: {said}Z"
        )
    try:
        return instant.astimezone(UTC), ""
    except OverflowError:
        raise UsageError(f"{text!r} has no time in UTC") from None


def read_operation(text: str) -> Operation:
    """An operation by its name.

    Raises:
        UsageError: there is none of that name; with those that are near.
    """
    return _choice("operation", text, list(OPERATIONS))


def read_product(text: str | None, operation: Operation) -> Product | None:
    """A class of product; the operation's own where none is stated; None: unknown.

    Raises:
        UsageError: there is none of that name.
    """
    if text is None:
        return _PRODUCT_OF.get(operation)
    return None if text.strip().casefold() == UNKNOWN else _choice("product", text, list(Product))


_Word = TypeVar("_Word", Operation, Product, Circumstance, Addressee)
_SAME_ADDRESSEE = {
    "company": "business",
    "consumer": "private",
    "critical-infrastructure": "critical-sector",
    "public-administration": "government",
    "public-body": "government",
    "vital-sector": "critical-sector",
}
"""What people call some of them."""


def _choice(what: str, text: str, known: list[_Word]) -> _Word:
    import difflib

    for each in known:
        if each.value == text.strip().casefold().replace("_", "-").replace(" ", "-"):
            return each
    names = [each.value for each in known]
    near = difflib.get_close_matches(text, names, n=2)
    meant = f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(names)}"
    raise UsageError(f"there is no {what} {text[:40]!r}{meant}")


def _place(text: str) -> str:
    from tocsin.jurisdiction.places import read_place

    return UNKNOWN if text.strip().casefold() == UNKNOWN else read_place(text)


def _addressee(text: str) -> Addressee:
    said = text.strip().casefold()
    return _choice("addressee", _SAME_ADDRESSEE.get(said, said), list(Addressee))


def _circumstances(texts: tuple[str, ...]) -> dict[Circumstance, str]:
    found: dict[Circumstance, str] = {}
    for each, state in map(_circumstance, texts):
        if found.setdefault(each, state) != state:
            raise UsageError(f"--circumstance {each.value}: stated in two ways")
    return found


def _circumstance(text: str) -> tuple[Circumstance, str]:
    name, _, state = text.partition("=")
    if state not in ("", "yes", "no", UNKNOWN):
        raise UsageError(f"--circumstance {text!r}: state yes, no or unknown after '='")
    return _choice("circumstance", name, list(Circumstance)), state or "yes"

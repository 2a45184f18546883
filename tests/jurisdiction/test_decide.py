"""What must hold of every decision, whatever the rules and whatever is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules_for_tests import answer, book, citizen, instrument, rule, the_book

from tocsin.errors import LawError
from tocsin.jurisdiction.decide import Truth, decide
from tocsin.jurisdiction.model import Nexus, Rule
from tocsin.jurisdiction.question import UNKNOWN_PERSON, Person, Question, ask
from tocsin.jurisdiction.vocabulary import (
    ALWAYS_ALLOWED,
    FORBIDDING,
    Addressee,
    Circumstance,
    Embedded,
    Kind,
    Operation,
    Outcome,
    PersonTie,
    Product,
)

PLACES = ("US", "DE", "FR")
INSTANTS = st.datetimes(datetime(2023, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC)).map(
    lambda time: time.replace(microsecond=0)
)
OPERATIONS = (Operation.SELL, Operation.USE, Operation.SIGNATURE_UPDATE)
PRODUCTS = (Product.ANTIVIRUS, Product.TRAINING, Product.OTHER)
_OBLIGING = tuple(kind for kind in Kind if kind is not Kind.EXEMPTION)


def some(values: Any, least: int = 0) -> Any:
    return st.lists(st.sampled_from(list(values)), min_size=least, unique=True).map(tuple)


@st.composite
def rules(draw: Any, kinds: tuple[Kind, ...] = tuple(Kind)) -> Rule:
    begins = draw(INSTANTS)
    return rule(
        kind=draw(st.sampled_from(list(kinds))),
        operations=draw(some(OPERATIONS, 1)),
        products=draw(some((*PRODUCTS, Product.CYBERSECURITY), 1)),
        nexus=Nexus(
            places=draw(some(PLACES, 1)),
            persons=draw(some((*PLACES, "EU"))),
            ties=draw(some(PersonTie, 1)),
        ),
        addressees=draw(some(Addressee)),
        circumstances=draw(some(Circumstance)),
        embedded=draw(st.sampled_from(list(Embedded))),
        effective=begins,
        certain_from=draw(st.none() | st.just(begins + timedelta(days=40))),
        ends=draw(st.none() | st.just(begins + timedelta(days=200))),
    )


@st.composite
def questions(draw: Any) -> Question:
    circumstances = draw(st.dictionaries(st.sampled_from(list(Circumstance)), st.integers(0, 2)))

    def those(state: int) -> tuple[Circumstance, ...]:
        return tuple(each for each, held in circumstances.items() if held == state)

    return ask(
        draw(st.sampled_from([*OPERATIONS, Operation.SCAN])),
        draw(st.none() | st.sampled_from(PRODUCTS)),
        "acme",
        draw(INSTANTS),
        places=draw(some((*PLACES, "unknown"))),
        persons=draw(
            st.lists(
                st.builds(Person, st.sampled_from(list(PersonTie)), st.sampled_from(PLACES)),
                max_size=2,
            )
            | st.just(UNKNOWN_PERSON)
        ),
        systems=draw(some((*PLACES, "unknown"))),
        addressees=draw(st.none() | some(Addressee)),
        holding=those(0),
        absent=those(1),
        unsure=those(2),
        embedded=draw(st.none() | st.booleans()),
    )


def a_book(rules_of: list[Rule]) -> Any:
    return book(*(instrument(each, identifier=f"act-{n}") for n, each in enumerate(rules_of)))


@given(st.lists(rules(), max_size=5), questions())
def test_nothing_is_allowed_that_a_rule_forbids_or_a_fact_leaves_open(
    held: list[Rule], question: Question
) -> None:
    decision = decide(a_book(held), question)
    against = [
        each
        for each in decision.considered
        if each.rule.rule.kind in FORBIDDING and each.applies and not each.exempted_by
    ]
    if question.operation in ALWAYS_ALLOWED:
        assert decision.outcome is Outcome.ALLOWED
    elif any(each.applies is Truth.YES for each in against):
        assert decision.outcome in (Outcome.PROHIBITED, Outcome.UNDETERMINED)
    elif against:
        assert decision.outcome is Outcome.UNDETERMINED
    else:
        assert decision.outcome is not Outcome.PROHIBITED
    if question.operation not in ALWAYS_ALLOWED and decision.facts.unknown:
        assert decision.outcome is not Outcome.ALLOWED  # what is unknown never ends in it
    assert len(decision.considered) == len(held)
    assert all(each.reason for each in decision.considered)


@given(st.lists(rules(), max_size=4), rules(_OBLIGING), questions())
def test_another_rule_makes_an_answer_only_stricter(
    held: list[Rule], another: Rule, question: Question
) -> None:
    strictness = [Outcome.ALLOWED, Outcome.WARNED, Outcome.UNDETERMINED, Outcome.PROHIBITED]
    before = decide(a_book(held), question).outcome
    after = decide(a_book([*held, another]), question).outcome
    assert strictness.index(after) >= strictness.index(before)


@given(st.lists(rules(), max_size=4), questions())
def test_the_next_change_is_the_first_instant_of_another_answer(
    held: list[Rule], question: Question
) -> None:
    made = a_book(held)
    decision = decide(made, question)
    times = [each.effective for each in held]
    times += [time for each in held for time in (each.certain_from, each.ends) if time]
    later = sorted(time for time in times if time > question.at)
    others = [
        (time, found)
        for time in later
        if (found := decide(made, question._replace(at=time)).outcome) is not decision.outcome
    ]
    assert decision.next_change == (others[0] if others else None)


def test_a_cut_off_is_one_instant_in_every_time_zone() -> None:
    cut_off = datetime(2024, 9, 29, 4, tzinfo=UTC)
    for name in sorted(available_timezones()):
        there = cut_off.astimezone(ZoneInfo(name))
        for seconds, outcome in ((-1, "allowed"), (0, "prohibited"), (1, "prohibited")):
            at = (there.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(ZoneInfo(name))
            question = ask(
                Operation.SIGNATURE_UPDATE, Product.ANTIVIRUS, "kaspersky", at, places=("US",)
            )
            assert decide(the_book(), question).outcome == outcome, name


@settings(max_examples=200)
@given(
    st.sampled_from(sorted(available_timezones())),
    st.integers(-86_400, 86_400),
    st.sampled_from(list(Operation)),
    st.sampled_from(list(Product)),
    st.sampled_from(["US", "DE", "PL", "AU", "FR", "unknown"]),
)
def test_the_zone_an_instant_is_written_in_does_not_matter(
    zone: str, seconds: int, operation: Operation, product: Product, place: str
) -> None:
    at = datetime(2024, 9, 29, 4, tzinfo=UTC) + timedelta(seconds=seconds)
    asked = [
        ask(operation, product, "kaspersky", time, places=(place,))
        for time in (at, at.astimezone(ZoneInfo(zone)))
    ]
    assert decide(the_book(), asked[0]).outcome is decide(the_book(), asked[1]).outcome


@pytest.mark.parametrize(
    ("facts", "unknown"),
    [
        ({"places": ("unknown",)}, "the place"),
        ({"places": ("FR",), "persons": UNKNOWN_PERSON}, "the person"),
        ({"places": ("FR",), "systems": ("unknown",)}, "where the system stands"),
        ({"places": ("FR",), "addressees": None}, "what who is supplied is"),
        ({"places": ("FR",), "embedded": None}, "whether the product is part of another"),
        ({"places": ("FR",), "unsure": (Circumstance.SUBSIDISED,)}, "whether it is subsidised"),
    ],
)
def test_a_fact_that_is_stated_as_unknown(facts: dict[str, Any], unknown: str) -> None:
    for operation in Operation:
        question = ask(
            operation, Product.OTHER, "kaspersky", datetime(2016, 1, 1, tzinfo=UTC), **facts
        )
        decision = decide(the_book(), question)  # before any rule of the book
        expected = "allowed" if operation in ALWAYS_ALLOWED else "undetermined"
        assert decision.outcome == expected
        assert unknown in decision.facts.unknown


def test_without_a_place_nothing_is_assumed() -> None:
    decision = answer("sell", "antivirus", "2024-10-01T00:00:00Z")
    assert decision.outcome == "undetermined"
    assert decision.assumptions == ()
    assert answer("sell", "antivirus", "2024-10-01T00:00:00Z", persons=citizen("US")).outcome == (
        "prohibited"
    )
    assert answer("sell", "antivirus", "2024-10-01T00:00:00Z", persons=citizen("FR")).outcome == (
        "undetermined"
    )


def test_a_place_alone_has_printed_assumptions() -> None:
    said = " ".join(answer("sell", "antivirus", "2024-10-01T00:00:00Z", "FR").assumptions)
    for words in (
        "private person", "resident in France", "system stands in France", "without subsidy",
        "outside critical", "commercially", "ordinary use",
    ):  # fmt: skip
        assert words in said


def test_a_government_may_be_a_federal_agency() -> None:
    decision = answer(
        "use", "antivirus", "2018-01-01T00:00:00Z", "US", addressees=(Addressee.GOVERNMENT,)
    )
    assert decision.outcome == "undetermined"
    assert "federal-civilian-agency" in decision.deciding[0].reason


def test_an_exemption_takes_out_only_what_it_names() -> None:
    forbids = instrument(rule(), identifier="forbids")
    other = instrument(rule(), identifier="other")
    exempts = rule("free", kind=Kind.EXEMPTION, exempts=("forbids",))
    question = ask(
        Operation.SELL, Product.ANTIVIRUS, "acme", datetime(2025, 1, 1, tzinfo=UTC), places=("US",)
    )
    free = instrument(exempts, identifier="free")
    assert decide(book(forbids, free), question).outcome == "allowed"
    assert decide(book(forbids, other, free), question).outcome == "prohibited"


def test_an_exemption_that_may_not_hold_frees_nothing() -> None:
    forbids = rule()
    exempts = rule("free", kind=Kind.EXEMPTION, circumstances=(Circumstance.SUBSIDISED,))
    question = ask(
        Operation.SELL, Product.ANTIVIRUS, "acme", datetime(2025, 1, 1, tzinfo=UTC),
        places=("US",), unsure=(Circumstance.SUBSIDISED,),
    )  # fmt: skip
    assert decide(book(instrument(forbids, exempts)), question).outcome == "undetermined"


@pytest.mark.parametrize("status", ["announced", "suspended", "ended"])
def test_what_is_not_in_force_applies_to_nobody(status: str) -> None:
    from tocsin.jurisdiction.vocabulary import Status

    made = book(instrument(rule(), status=Status(status)))
    question = ask(
        Operation.SELL, Product.ANTIVIRUS, "acme", datetime(2025, 1, 1, tzinfo=UTC), places=("US",)
    )
    decision = decide(made, question)
    assert decision.outcome == "allowed"
    assert status in decision.considered[0].reason


def test_a_rule_that_has_ended_was_law_until_then() -> None:
    from tocsin.jurisdiction.vocabulary import Status

    ends = datetime(2025, 1, 1, tzinfo=UTC)
    made = book(instrument(rule(ends=ends), status=Status.ENDED))
    question = ask(Operation.SELL, Product.ANTIVIRUS, "acme", ends, places=("US",))
    assert decide(made, question).outcome == "allowed"
    before = question._replace(at=ends - timedelta(seconds=1))
    assert decide(made, before).outcome == "prohibited"
    assert decide(made, before).next_change == (ends, Outcome.ALLOWED)


def test_an_instant_without_a_zone_is_no_instant() -> None:
    with pytest.raises(LawError, match="no time zone"):
        ask(Operation.SELL, Product.ANTIVIRUS, "acme", datetime(2025, 1, 1))


def test_a_circumstance_is_stated_once() -> None:
    both = (Circumstance.SUBSIDISED,)
    with pytest.raises(LawError, match="stated in two ways"):
        answer("sell", "antivirus", "2025-01-01T00:00:00Z", "US", holding=both, absent=both)

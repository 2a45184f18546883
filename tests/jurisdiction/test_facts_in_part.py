"""Facts of which only a part is known: a group of countries, a tie of several, a territory."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from rules_for_tests import answer, book, instrument, rule, the_book

from tocsin.jurisdiction.decide import decide
from tocsin.jurisdiction.model import Nexus
from tocsin.jurisdiction.question import Person, ask
from tocsin.jurisdiction.vocabulary import (
    Addressee,
    Kind,
    Operation,
    PersonTie,
    Product,
)
from tocsin.jurisdiction.withdrawal.plan import make_plan

NOW = "2025-06-01T00:00:00Z"
GOVERNMENT = (Addressee.GOVERNMENT,)


def test_in_a_group_of_countries_a_rule_of_one_of_them_may_apply() -> None:
    decision = answer("use", "antivirus", NOW, "EU", addressees=GOVERNMENT)
    assert decision.outcome == "undetermined"  # in Romania it is prohibited
    assert "ro-354-2022/public-bodies" in {one.rule.id for one in decision.deciding}
    assert answer("sell", "antivirus", NOW, "EU").outcome == "undetermined"  # Germany warns
    reasons = " ".join(one.reason for one in answer("sell", "antivirus", NOW, "EU").deciding)
    assert "unknown whether the system stands in Germany" in reasons
    assert answer("sell", "vpn", NOW, "EU").outcome == "allowed"  # no member has a word on it


def test_a_member_stated_beside_its_group_is_not_the_group() -> None:
    citizen = (Person(PersonTie.CITIZEN, "EU"),)
    assert answer("sell", "vpn", NOW, "FR", persons=citizen).outcome == "allowed"
    asked = answer("use", "vpn", NOW, "FR", persons=citizen, addressees=GOVERNMENT)
    assert asked.outcome == "undetermined"  # a citizen of the Union may be one of Romania


@pytest.mark.parametrize("place", ["PR", "GU", "VI", "AS", "MP", "UM"])
def test_a_rule_of_the_united_states_is_law_in_their_territories(place: str) -> None:
    assert answer("signature-update", "antivirus", NOW, place).outcome == "prohibited"
    born = (Person(PersonTie.CITIZEN, place),)
    assert answer("sell", "antivirus", NOW, "FR", persons=born).outcome == "prohibited"


@pytest.mark.parametrize(
    ("persons", "outcome"),
    [
        ((Person(PersonTie.RESIDENT, "FR"),), "undetermined"),  # and perhaps a citizen of the US
        ((Person(PersonTie.RESIDENT, "FR"), Person(PersonTie.CITIZEN, "FR")), "allowed"),
        ((Person(PersonTie.ORGANISED, "FR"),), "allowed"),
    ],
)
def test_without_a_place_no_nationality_is_assumed(
    persons: tuple[Person, ...], outcome: str
) -> None:
    only = book(instrument(rule(nexus=Nexus(places=("US",), persons=("US",)))))
    asked = ask(
        Operation.SELL, Product.ANTIVIRUS, "acme", datetime(2025, 6, 1, tzinfo=UTC),
        persons=persons, systems=("FR",),
    )  # fmt: skip
    decision = decide(only, asked)
    assert decision.outcome == outcome
    told = any("tied to no country but as stated" in each for each in decision.assumptions)
    assert told is (outcome == "allowed")


def test_that_nobody_has_another_nationality_is_printed() -> None:
    for persons in ((), (Person(PersonTie.RESIDENT, "FR"),), (Person(PersonTie.CITIZEN, "FR"),)):
        said = " ".join(answer("sell", "antivirus", NOW, "FR", persons=persons).assumptions)
        assert "tied to no" in said, persons


def test_a_warning_does_not_hide_that_a_fact_is_unknown() -> None:
    warns = book(instrument(rule(kind=Kind.WARNING)))
    asked = ask(
        Operation.SELL, Product.ANTIVIRUS, "acme", datetime(2025, 6, 1, tzinfo=UTC),
        places=("US",), addressees=None,
    )  # fmt: skip
    assert decide(warns, asked).outcome == "undetermined"


def test_a_plan_for_a_group_ends_what_a_member_may_forbid_and_names_who_warns() -> None:
    private = make_plan(the_book(), "kaspersky", "EU")
    assert not private.needed
    assert [each.rule for each in private.warnings] == ["de-bsi-2022/antivirus"]
    assert {each.warned for each in private.continues if each.rules} == {True}
    public = make_plan(the_book(), "kaspersky", "EU", addressees=GOVERNMENT)
    assert public.needed
    assert "pl-sanctions-2022/public-procurement" in {
        rule for each in public.closings for rule in each.rules
    }


def test_what_to_beware_of_is_said_once_for_all_classes() -> None:
    plan = make_plan(the_book(), "kaspersky", "PL", addressees=GOVERNMENT)
    sales = [each for each in plan.cautions if each.startswith("sell of ")]
    assert len(sales) == 2
    assert all("antivirus, " in each and "vpn" in each for each in sales)
    assert "may be forbidden already" in sales[0]

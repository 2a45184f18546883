"""Timelines, simulations and what another edition changes."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta

import pytest
from rules_for_tests import book, instrument, rule, the_book

from tocsin.errors import LawError
from tocsin.jurisdiction.decide import decide
from tocsin.jurisdiction.diff import difference
from tocsin.jurisdiction.places import day_begins, read_place, within, zone_of
from tocsin.jurisdiction.question import Question, ask
from tocsin.jurisdiction.timeline import changes, days, timeline
from tocsin.jurisdiction.timeline_svg import timeline_svg
from tocsin.jurisdiction.vocabulary import Addressee, Kind, Operation, Outcome, Product

FIRST, LAST = datetime(2017, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


def row(operation: Operation, place: str = "US") -> Question:
    return ask(operation, Product.ANTIVIRUS, "kaspersky", FIRST, places=(place,))


def test_a_timeline_says_at_every_instant_what_a_decision_says() -> None:
    questions = [row(operation) for operation in Operation]
    made = timeline(the_book(), questions, FIRST, LAST)
    moments = {time for each in made.rows for span in each.spans for time in (span.begins,)}
    for moment in sorted(moments):
        for time in (moment - timedelta(seconds=1), moment, moment + timedelta(seconds=1)):
            if made.first <= time < made.last:
                for question, held in zip(questions, made.rows, strict=True):
                    at = decide(the_book(), question._replace(at=time))
                    assert held.at(time).outcome is at.outcome


def test_spans_cover_the_period_without_a_gap() -> None:
    made = timeline(the_book(), [row(each) for each in Operation], FIRST, LAST)
    for held in made.rows:
        assert held.spans[0].begins == made.first
        assert held.spans[-1].ends == made.last
        for before, after in zip(held.spans, held.spans[1:], strict=False):
            assert before.ends == after.begins


def test_the_changes_of_the_summer_of_2024() -> None:
    made = timeline(the_book(), [row(each) for each in Operation], FIRST, LAST)
    found = {(f"{each.at:%Y-%m-%dT%H}", each.operation.value) for each in changes(made)}
    assert ("2024-07-20T04", "sell") in found
    assert ("2024-09-29T04", "signature-update") in found
    assert {when for when, _ in found} == {"2024-07-20T04", "2024-09-29T04"}
    counted = dict(days(made))
    assert len(counted) == (LAST - FIRST).days
    assert counted[datetime(2024, 7, 20, tzinfo=UTC)][Outcome.PROHIBITED] == 0  # not yet 04:00
    assert counted[datetime(2024, 7, 21, tzinfo=UTC)][Outcome.PROHIBITED] == 3


def test_a_period_must_have_a_length() -> None:
    with pytest.raises(LawError, match="not after it begins"):
        timeline(the_book(), [row(Operation.SELL)], LAST, LAST)


def test_the_picture_has_a_bar_a_stretch_and_escapes_what_it_shows() -> None:
    made = timeline(the_book(), [row(Operation.SELL), row(Operation.USE)], FIRST, LAST)
    drawn = ElementTree.fromstring(timeline_svg(made, "a <title> & more"))
    space = "{http://www.w3.org/2000/svg}"
    told = [each.text or "" for each in drawn.iter(f"{space}title")]
    assert told[0] == "a <title> & more"
    assert any("sell: prohibited from 2024-07-20 04:00 UTC" in each for each in told)
    assert len(told) == 1 + 2 + 1  # the picture, two stretches of 'sell', one of 'use'


# --- editions -------------------------------------------------------------------------------


def test_two_books_that_are_the_same() -> None:
    assert difference(the_book(), the_book()) == ((), (), (), ())


def test_what_another_edition_adds_changes_and_removes() -> None:
    old = book(instrument(rule("one"), rule("two")), instrument(rule(), identifier="gone"))
    later = rule("one", effective=datetime(2025, 1, 1, tzinfo=UTC))
    new = book(
        instrument(later, rule("two")),
        instrument(rule(kind=Kind.WARNING, operations=(Operation.USE,)), identifier="new"),
    )
    found = difference(old, new)
    assert found.added == ("new", "new/one")
    assert found.removed == ("gone", "gone/one")
    ((name, ((path, before, after),)),) = [tuple(each) for each in found.changed]
    assert (name, path) == ("xx-act/one", "effective")
    assert (before[:4], after[:4]) == ("2024", "2025")
    # 'two' still forbids what 'one' did: only the warning changes an answer.
    assert {(each.operation, each.before, each.after) for each in found.answers} == {
        (Operation.USE, Outcome.ALLOWED, Outcome.WARNED)
    }
    assert {each.at for each in found.answers} == {datetime(2024, 1, 1, tzinfo=UTC)}
    assert (Addressee.CONTRACTOR,) in {each.addressees for each in found.answers}


# --- places ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "code"),
    [("US", "US"), ("us", "US"), ("uk", "GB"), ("Germany", "DE"), ("EU", "EU"), (" pl ", "PL")],
)
def test_a_place_as_people_write_it(said: str, code: str) -> None:
    assert read_place(said) == code


def test_a_place_that_is_none() -> None:
    with pytest.raises(LawError, match="did you mean DE"):
        read_place("Germ")
    with pytest.raises(LawError, match="two letters"):
        read_place("")


def test_a_day_begins_where_the_government_sits() -> None:
    from datetime import date

    for code, hours in (("US", 4), ("DE", -2), ("AU", -10), ("XX", 0)):
        begins = day_begins(date(2024, 7, 20), code).astimezone(UTC)
        assert begins == datetime(2024, 7, 20, tzinfo=UTC) + timedelta(hours=hours)


def test_every_country_has_a_zone_and_only_members_are_in_the_union() -> None:
    from tocsin.jurisdiction.places import countries

    assert all(zone_of(code) for code in countries())
    assert within("DE") == {"DE", "EU"}
    assert within("GB") == {"GB"}
    assert sum("EU" in within(code) for code in countries()) == 27

"""What the rules say of what was found."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.audit_samples import CUT_OFF, book, facts, judge, npm_package, signed_program
from tocsin.audit.findings import (
    OTHER_OPERATIONS,
    STRICTNESS,
    Judge,
    affects_use,
    bearings,
    next_change,
    outcome_of,
    relevant_rules,
    why_allowed,
)
from tocsin.audit.matching import Matcher
from tocsin.audit.model import Component, Match, Trace
from tocsin.jurisdiction.model import Edition, Marker, Supplier
from tocsin.jurisdiction.rulebook import Rulebook
from tocsin.jurisdiction.vocabulary import Addressee, MarkerKind, Operation, Outcome, Product


def _outcomes(finding):
    return {each.question.operation: each.outcome for each in (finding.use, *finding.decisions)}


def test_in_the_us_use_goes_on_while_updates_are_forbidden_from_the_instant_on():
    before = judge(signed_program(), facts("US", at=CUT_OFF - timedelta(seconds=1)))[0]
    after = judge(signed_program(), facts("US", at=CUT_OFF))[0]
    assert _outcomes(before)[Operation.SIGNATURE_UPDATE] is Outcome.ALLOWED
    assert _outcomes(after)[Operation.SIGNATURE_UPDATE] is Outcome.PROHIBITED
    assert _outcomes(after)[Operation.USE] is Outcome.ALLOWED
    assert not affects_use(after)
    assert outcome_of(after) is Outcome.PROHIBITED


def test_a_finding_names_rule_date_and_whom_it_binds():
    found = bearings(judge(signed_program(), facts("US"))[0])
    updates = next(one for one in found if one.rule.id == "us-bis-icts-2021-002/updates")
    assert updates.operations == (Operation.SIGNATURE_UPDATE, Operation.SOFTWARE_UPDATE)
    assert updates.rule.rule.effective == CUT_OFF
    assert [each.value for each in updates.rule.rule.binds] == ["supplier"]
    assert updates.is_certain
    assert "89 FR 52434" in updates.rule.instrument.citation


def test_what_changes_next_is_said():
    at = datetime(2024, 7, 1, tzinfo=UTC)
    change = next_change(judge(signed_program(), facts("US", at=at))[0])
    assert change is not None
    assert change[0] == datetime(2024, 7, 20, 4, tzinfo=UTC)
    assert change[1:] == (Operation.BUY, Outcome.PROHIBITED)
    assert next_change(judge(signed_program(), facts("US"))[0]) is None


def test_germany_warns_of_antivirus_and_of_nothing_else():
    antivirus = judge(signed_program(), facts("DE"))[0]
    assert outcome_of(antivirus) is Outcome.WARNED
    assert affects_use(antivirus)
    assert [one.rule.id for one in bearings(antivirus)] == ["de-bsi-2022/antivirus"]
    library = judge(npm_package(), facts("DE"))[0]
    assert outcome_of(library) is Outcome.ALLOWED
    assert bearings(library) == ()


def test_a_supplier_without_a_rule_in_the_place_is_listed_with_the_reason():
    finding = judge(signed_program(), facts("JP"))[0]
    assert outcome_of(finding) is Outcome.ALLOWED
    assert "Japan" in why_allowed(finding.use)
    library = judge(npm_package(), facts("DE"))[0]
    assert "de-bsi-2022/antivirus: it is about antivirus" in why_allowed(library.use)


@pytest.mark.parametrize(
    ("embedded", "outcome"),
    [(False, Outcome.PROHIBITED), (True, Outcome.ALLOWED), (None, Outcome.UNDETERMINED)],
)
def test_australia_leaves_out_what_is_built_into_others_products(embedded, outcome):
    asked = facts("AU", at=datetime(2025, 6, 1, tzinfo=UTC), addressees=("government",))
    own = signed_program()
    as_stated = judge(own, asked._replace(embedded=embedded), is_embedded_stated=True)[0]
    assert as_stated.use.outcome is outcome
    if embedded is not None:
        as_found = judge(own._replace(embedded=embedded), asked)[0]
        assert as_found.use.outcome is outcome


def test_a_mark_of_built_in_code_says_that_it_is_built_in():
    asked = facts("AU", at=datetime(2025, 6, 1, tzinfo=UTC), addressees=("government",))
    trace = Trace(MarkerKind.ANDROID_PACKAGE, "com.kavsdk.engine", "class")
    app = Component("app.apk", "android", "org.example.cleaner", traces=(trace,))
    assert judge(app, asked)[0].use.question.embedded is True
    assert judge(app, asked)[0].use.outcome is Outcome.ALLOWED


def test_without_a_place_nothing_is_allowed():
    assert {*_outcomes(judge(signed_program(), facts())[0]).values()} == {Outcome.UNDETERMINED}


def test_hints_are_no_findings_but_counted():
    trace = Trace(MarkerKind.HOST, "www.kaspersky.com", "string")
    reader = Component("reader", "program", "newsreader", traces=(trace,))
    asked = facts("US")
    matches = Matcher(book().suppliers.values()).matches(reader, asked.at.date())
    strict, lax = Judge(book(), asked), Judge(book(), asked, min_confidence=0.2)
    assert list(strict.judge(reader, matches)) == []
    assert strict.weaker == 1
    assert len(list(lax.judge(reader, matches))) == 1
    assert lax.weaker == 0


def test_the_strictest_class_of_product_counts_and_weak_marks_add_none():
    marker = Marker(
        kind=MarkerKind.SUPPLIER_NAME,
        value="Kaspersky",
        products=(Product.TRAINING, Product.ANTIVIRUS),
    )
    kaspersky = book().supplier("kaspersky")
    match = Match(kaspersky, marker, Trace(marker.kind, "Kaspersky", "supplier"), 0.9)
    finding = next(Judge(book(), facts("DE")).judge(npm_package(), {"kaspersky": [match]}))
    assert finding.use.outcome is Outcome.WARNED
    weak = match._replace(confidence=0.3)
    training = match._replace(
        marker=Marker(kind=marker.kind, value="K", products=(Product.TRAINING,))
    )
    both = {"kaspersky": [weak, training]}
    finding = next(Judge(book(), facts("DE")).judge(npm_package(), both))
    assert finding.use.outcome is Outcome.ALLOWED
    assert finding.matches[0] is training


def test_each_supplier_gets_a_finding_of_its_own():
    other = Supplier(
        id="other",
        name="Other",
        marker=(Marker(kind=MarkerKind.SIGNER, value="AO Kaspersky Lab"),),
    )
    both = Rulebook(
        book().instruments.values(),
        [*book().suppliers.values(), other],
        Edition(number=1, checked=date(2024, 1, 1)),
    )
    asked = facts("US")
    matches = Matcher(both.suppliers.values()).matches(signed_program(), asked.at.date())
    found = list(Judge(both, asked).judge(signed_program(), matches))
    assert [each.matches[0].supplier.id for each in found] == ["kaspersky", "other"]
    assert outcome_of(found[1]) is Outcome.ALLOWED
    assert why_allowed(found[1].use) == "the rulebook has no rule about 'other'"


def test_rules_that_matter_in_a_place_are_those_of_other_times_too():
    early = datetime(2020, 1, 1, tzinfo=UTC)
    germany = relevant_rules(book(), facts("DE", at=early), ["kaspersky"])
    assert [rule.id for rule in germany] == ["de-bsi-2022/antivirus"]
    assert relevant_rules(book(), facts("JP"), ["kaspersky"]) == ()


@settings(max_examples=40)
@given(
    place=st.sampled_from(["US", "DE", "AU", "PL", "IT", "JP", "EU"]),
    addressee=st.sampled_from([None, *Addressee]),
    at=st.datetimes(datetime(2017, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC)),
    embedded=st.sampled_from([True, False, None]),
)
def test_a_finding_is_as_strict_as_its_strictest_operation(place, addressee, at, embedded):
    asked = facts(place, at=at, addressees=(addressee,) if addressee else ())
    finding = judge(signed_program(embedded=embedded), asked)[0]
    outcomes = _outcomes(finding)
    assert set(outcomes) == {Operation.USE, *OTHER_OPERATIONS}
    assert STRICTNESS[outcome_of(finding)] == max(STRICTNESS[each] for each in outcomes.values())
    for one in bearings(finding):
        assert all(outcomes[each] is one.outcome for each in one.operations)
        assert one.rule.rule.effective <= at
    if outcome_of(finding) is Outcome.PROHIBITED:
        assert any(one.outcome is Outcome.PROHIBITED for one in bearings(finding))

"""The measures of authorities, case by case, with the instants on both sides of each."""

from __future__ import annotations

from typing import Any

import pytest
from rules_for_tests import answer, citizen

from tocsin.jurisdiction.vocabulary import (
    ALWAYS_ALLOWED,
    Addressee,
    Circumstance,
    Kind,
    Operation,
    Product,
)

US = "us-bis-icts-2021-002"
BEFORE, AFTER = "2024-09-29T03:59:59+00:00", "2024-09-29T04:00:00+00:00"
A, C = Addressee, Circumstance
AGENCY = A.FEDERAL_CIVILIAN_AGENCY
TELECOM = C.IN_TELECOM_EQUIPMENT
GOVERNMENT = {"addressees": (A.GOVERNMENT,)}


@pytest.mark.parametrize(
    ("operation", "at", "outcome", "rule"),
    [
        ("sell", "2024-07-19T12:00:00-04:00", "allowed", None),
        ("sell", "2024-07-20T03:59:59+00:00", "allowed", None),
        ("sell", "2024-07-20T04:00:00+00:00", "prohibited", f"{US}/new-agreements"),
        ("sell", "2024-07-20T12:00:00-04:00", "prohibited", f"{US}/new-agreements"),
        ("renew", "2024-07-20T04:00:00+00:00", "prohibited", f"{US}/renewals"),
        ("signature-update", BEFORE, "allowed", None),
        ("signature-update", AFTER, "prohibited", f"{US}/updates"),
        ("software-update", BEFORE, "allowed", None),
        ("software-update", AFTER, "prohibited", f"{US}/updates"),
        ("collect-statistics", BEFORE, "allowed", None),
        ("collect-statistics", AFTER, "prohibited", f"{US}/security-network"),
        ("look-up-reputation", AFTER, "prohibited", f"{US}/security-network"),
        ("resell", BEFORE, "allowed", None),
        ("resell", AFTER, "prohibited", f"{US}/resale-and-integration"),
        ("integrate", AFTER, "prohibited", f"{US}/resale-and-integration"),
        ("license-for-resale", AFTER, "prohibited", f"{US}/resale-and-integration"),
        ("transfer-licence", BEFORE, "allowed", None),
        ("transfer-licence", AFTER, "prohibited", f"{US}/downloads-and-transfers"),
        ("download", AFTER, "prohibited", f"{US}/downloads-and-transfers"),
        ("use", AFTER, "allowed", None),
        ("install", AFTER, "allowed", None),
    ],
)
def test_the_determination_in_the_us(
    operation: str, at: str, outcome: str, rule: str | None
) -> None:
    decision = answer(operation, "antivirus", at, "US")
    assert decision.outcome == outcome
    if rule is not None:
        (deciding,) = decision.deciding
        assert deciding.rule.id == rule
        assert "89 FR 52434" in deciding.rule.instrument.citation
        assert decision.next_change is None


def test_what_the_press_reads_is_marked_so() -> None:
    for operation in ("renew", "download", "transfer-licence"):
        (deciding,) = answer(operation, "antivirus", AFTER, "US").deciding
        assert deciding.rule.rule.basis == "press_reading"
        assert "by another reading since" in deciding.reason


@pytest.mark.parametrize("product", ["vpn", "password-manager", "cybersecurity"])
def test_it_is_about_all_of_cybersecurity(product: str) -> None:
    assert answer("sell", product, AFTER, "US").outcome == "prohibited"
    assert answer("sell", "other", AFTER, "US").outcome == "allowed"


@pytest.mark.parametrize("product", ["threat-intelligence", "training", "consulting"])
@pytest.mark.parametrize("at", ["2024-07-19T00:00:00Z", "2024-07-21T00:00:00Z", AFTER])
@pytest.mark.parametrize("operation", ["sell", "renew", "signature-update", "resell"])
def test_information_stays_allowed_throughout(product: str, at: str, operation: str) -> None:
    decision = answer(operation, product, at, "US")
    assert decision.outcome == "allowed"
    if at == AFTER:
        assert f"{US}/information" in {each.rule.id for each in decision.deciding}
        taken_away = [each for each in decision.considered if each.exempted_by]
        assert taken_away
        assert all(each.exempted_by == (f"{US}/information",) for each in taken_away)


@pytest.mark.parametrize(
    ("operation", "product"),
    [
        ("provide-threat-intelligence", "threat-intelligence"),
        ("provide-training", "training"),
        ("consult", "consulting"),
    ],
)
def test_teaching_and_warning_stay_allowed(operation: str, product: str) -> None:
    for at in ("2024-07-01T00:00:00Z", "2024-08-01T00:00:00Z", "2030-01-01T00:00:00Z"):
        assert answer(operation, product, at, "US").outcome == "allowed"


def test_a_us_citizen_in_berlin_is_a_us_person() -> None:
    decision = answer("signature-update", "antivirus", AFTER, "DE", persons=citizen("US"))
    assert decision.outcome == "prohibited"
    assert "citizen of the United States" in decision.deciding[0].reason
    before = answer("signature-update", "antivirus", BEFORE, "DE", persons=citizen("US"))
    assert before.outcome == "warned"  # by Germany's authority


def test_a_german_in_new_york_has_a_system_there() -> None:
    decision = answer("signature-update", "antivirus", AFTER, "US", persons=citizen("DE"))
    assert decision.outcome == "prohibited"
    assert "the system stands in the United States" in decision.deciding[0].reason
    at_home = answer("signature-update", "antivirus", AFTER, "FR", persons=citizen("DE"))
    assert at_home.outcome == "allowed"


@pytest.mark.parametrize("operation", [each for each in Operation if each not in ALWAYS_ALLOWED])
@pytest.mark.parametrize("product", list(Product))
@pytest.mark.parametrize("at", ["2022-03-14T23:00:00Z", "2026-01-01T00:00:00Z"])
def test_germany_warns_and_only_of_antivirus(
    operation: Operation, product: Product, at: str
) -> None:
    decision = answer(operation, product, at, "DE")
    expected = {"allowed"} if product != "antivirus" else {"allowed", "warned"}
    assert decision.outcome in expected


def test_germany_before_and_after_the_warning() -> None:
    for operation in ("use", "buy", "sell", "signature-update"):
        assert answer(operation, "antivirus", "2022-03-14T22:59:59Z", "DE").outcome == "allowed"
        after = answer(operation, "antivirus", "2022-03-14T23:00:00Z", "DE")
        assert after.outcome == "warned"
        assert "§ 7 BSIG" in after.deciding[0].rule.instrument.citation
        assert [each.value for each in after.deciding[0].rule.rule.binds] == ["nobody"]


def test_germany_warns_its_government_too_and_forbids_it_nothing() -> None:
    assert (
        answer("use", "antivirus", "2025-01-01T00:00:00Z", "DE", **GOVERNMENT).outcome == "warned"
    )


@pytest.mark.parametrize(
    ("at", "operation", "embedded", "outcome"),
    [
        ("2025-02-20T12:59:59Z", "install", False, "allowed"),
        ("2025-02-20T13:00:00Z", "install", False, "prohibited"),
        ("2025-02-20T13:00:00Z", "use", False, "warned"),
        ("2025-03-31T12:59:59Z", "use", False, "warned"),
        ("2025-03-31T13:00:00Z", "use", False, "prohibited"),
        ("2025-03-31T13:00:00Z", "use", True, "allowed"),
        ("2025-03-31T13:00:00Z", "use", None, "undetermined"),
    ],
)
def test_australia_leaves_embedded_code_out(
    at: str, operation: str, embedded: bool | None, outcome: str
) -> None:
    decision = answer(operation, "antivirus", at, "AU", embedded=embedded, **GOVERNMENT)
    assert decision.outcome == outcome
    assert answer(operation, "antivirus", at, "AU", embedded=embedded).outcome in (
        "allowed", "undetermined"
    )  # fmt: skip
    if outcome in ("warned", "prohibited"):
        assert decision.deciding[0].rule.instrument.citation == "PSPF Direction 002-2025"


def test_poland_has_several_kinds_at_once() -> None:
    who = {"addressees": (Addressee.GOVERNMENT, Addressee.CYBERSECURITY_SYSTEM)}
    decision = answer(
        "buy", "antivirus", "2022-06-01T00:00:00Z", "PL",
        holding=(Circumstance.LISTED_PARTY,), **who,
    )  # fmt: skip
    assert decision.outcome == "prohibited"
    kinds = {each.rule.rule.kind for each in decision.applying}
    assert kinds == {Kind.RECOMMENDATION, Kind.PROHIBITION, Kind.PROCUREMENT_BAN}
    assert all(each.rule.instrument.citation for each in decision.applying)
    assert answer("use", "antivirus", "2022-06-01T00:00:00Z", "PL", **who).outcome == "warned"
    assert answer("use", "antivirus", "2022-06-01T00:00:00Z", "PL").outcome == "allowed"


def test_a_month_without_a_day_is_undetermined() -> None:
    who = {"addressees": (Addressee.CRITICAL_SECTOR,)}
    assert answer("use", "antivirus", "2017-11-30T21:59:59Z", "LT", **who).outcome == "allowed"
    within = answer("use", "antivirus", "2017-12-15T00:00:00Z", "LT", **who)
    assert within.outcome == "undetermined"
    assert "no source says the day" in within.deciding[0].reason
    assert answer("use", "antivirus", "2018-01-01T00:00:00Z", "LT", **who).outcome == "prohibited"


@pytest.mark.parametrize(
    ("place", "who", "operation", "product", "at", "outcome", "instrument"),
    [
        ("US", AGENCY, "use", "antivirus", "2017-10-01", "warned", "us-dhs-bod-17-01"),
        ("US", AGENCY, "use", "antivirus", "2018-01-01", "prohibited", "us-dhs-bod-17-01"),
        ("US", A.GOVERNMENT, "use", "antivirus", "2018-10-02", "prohibited", "us-ndaa-1634"),
        ("US", A.CONTRACTOR, "integrate", "antivirus", "2019-01-01", "prohibited", "us-ndaa-1634"),
        ("IT", A.GOVERNMENT, "use", "antivirus", "2022-04-01", "warned", "it-dl21-2022"),
        ("NL", A.GOVERNMENT, "use", "antivirus", "2018-06-01", "warned", "nl-2018"),
        ("NL", A.CRITICAL_SECTOR, "use", "antivirus", "2018-06-01", "warned", "nl-2018"),
        ("NL", A.GOVERNMENT, "use", "vpn", "2018-06-01", "allowed", None),
        ("RO", A.GOVERNMENT, "buy", "antivirus", "2023-01-01", "prohibited", "ro-354-2022"),
        ("GB", A.RISK_GROUP, "use", "antivirus", "2022-05-01", "warned", "uk-ncsc-2022"),
        ("BE", A.EU_INSTITUTION, "use", "antivirus", "2019-01-01", "warned", "eu-ep-2018"),
        ("CA", A.GOVERNMENT, "use", "antivirus", "2024-01-01", "allowed", None),
    ],
)  # fmt: skip
def test_the_other_measures(
    place: str, who: Addressee, operation: str, product: str, at: str, outcome: str,
    instrument: str | None,
) -> None:  # fmt: skip
    decision = answer(operation, product, f"{at}T12:00:00Z", place, addressees=(who,))
    assert decision.outcome == outcome
    assert {each.rule.instrument.id for each in decision.deciding} == (
        set() if instrument is None else {instrument}
    )
    if instrument is not None:
        private = answer(operation, product, f"{at}T12:00:00Z", place)
        assert private.outcome == "allowed"


@pytest.mark.parametrize(
    ("circumstance", "place", "facts", "operation", "product", "instrument"),
    [
        (C.SUBSIDISED, "US", {}, "use", "antivirus", "us-fcc-2022"),
        (TELECOM, "US", {}, "authorise-equipment", "telecom-equipment", "us-fcc-2024"),
        (C.LISTED_PARTY, "US", {}, "export-to-supplier", "other", "us-ofac-12"),
        (C.MOBILE_DEVICE_OF_GOVERNMENT, "CA", GOVERNMENT, "use", "antivirus", "ca-tbs-2023"),
    ],
)  # fmt: skip
def test_measures_that_need_a_circumstance(
    circumstance: Circumstance, place: str, facts: dict[str, Any], operation: str, product: str,
    instrument: str,
) -> None:  # fmt: skip
    at = "2024-08-01T00:00:00Z"
    decided = answer(operation, product, at, place, holding=(circumstance,), **facts)
    assert decided.outcome == "prohibited"
    assert instrument in {each.rule.instrument.id for each in decided.deciding}
    assert answer(operation, product, at, place, **facts).outcome == "allowed"
    unsure = answer(operation, product, at, place, unsure=(circumstance,), **facts)
    assert unsure.outcome == "undetermined"
    assert any(circumstance.value in fact for fact in unsure.facts.unknown)


def test_every_row_of_the_facts_page_is_there() -> None:
    from rules_for_tests import the_book

    assert set(the_book().instruments) == {
        "us-bis-icts-2021-002", "us-dhs-bod-17-01", "us-ndaa-1634", "us-fcc-2022", "us-fcc-2024",
        "us-bis-entity-list", "us-ofac-12", "de-bsi-2022", "it-dl21-2022", "pl-rec-2022",
        "pl-sanctions-2022", "nl-2018", "lt-2017", "ro-354-2022", "ca-tbs-2023",
        "au-pspf-002-2025", "uk-ncsc-2017", "uk-ncsc-2022", "eu-ep-2018",
    }  # fmt: skip

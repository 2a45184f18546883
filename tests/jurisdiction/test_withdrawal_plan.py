"""A plan to leave a market: its dates come from the rules, and others can read what it writes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt
from rules_for_tests import book, instrument, rule, the_book

from tocsin.errors import LawError
from tocsin.jurisdiction.decide import decide
from tocsin.jurisdiction.model import Nexus, Reading
from tocsin.jurisdiction.question import ask
from tocsin.jurisdiction.vocabulary import Basis, Kind, Operation, Outcome, Product
from tocsin.jurisdiction.withdrawal.ical import fold, plan_ical
from tocsin.jurisdiction.withdrawal.markdown import plan_markdown
from tocsin.jurisdiction.withdrawal.model import Plan, Timing, plan_json, plan_schema
from tocsin.jurisdiction.withdrawal.plan import make_plan
from tocsin.jurisdiction.withdrawal.strictest import strictest
from tocsin.jurisdiction.withdrawal.terms import WHY, Terms, make_terms

SALES_END = datetime(2024, 7, 20, 4, tzinfo=UTC)
CUTOFF = datetime(2024, 9, 29, 4, tzinfo=UTC)
DETERMINATION = "us-bis-icts-2021-002"
STAMP = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SCHEMA = Path(__file__).parents[2] / "docs" / "withdrawal-plan.schema.json"


@pytest.fixture(scope="module")
def us() -> Plan:
    return _one_plan()


@pytest.fixture(scope="module")
def germany() -> Plan:
    return make_plan(the_book(), "kaspersky", "DE")


def step_at(plan: Plan, identifier: str) -> datetime:
    step = plan.step(identifier)
    assert step is not None, identifier
    return step.at


def test_the_dates_of_the_us(us: Plan) -> None:
    assert us.needed
    assert us.announced == datetime(2024, 6, 20, 4, tzinfo=UTC)
    assert us.cutoff == CUTOFF
    for identifier in ("close-shop", "end-renewal", "end-downloads", "last-transfers"):
        assert step_at(us, identifier) == SALES_END - timedelta(days=1)
    assert step_at(us, "statistics-off") == step_at(us, "updates-off") == CUTOFF
    assert step_at(us, "last-database") == CUTOFF - timedelta(days=2)
    assert step_at(us, "last-database") < step_at(us, "bundle") < CUTOFF
    assert step_at(us, "notice-1") == us.announced + timedelta(days=3)
    assert step_at(us, "refund-all") == CUTOFF + timedelta(days=14)


def test_every_closing_is_what_decide_says_on_both_sides(us: Plan) -> None:
    """The oracle is `decide` itself, a second before and at the instant."""
    assert len(us.closings) == 30
    for closing in us.closings:
        assert closing.at is not None
        question = ask(closing.operation, closing.product, "kaspersky", closing.at, places=("US",))
        before = question._replace(at=closing.at - timedelta(seconds=1))
        cautious = strictest(the_book())
        assert decide(cautious, question).outcome is Outcome.PROHIBITED
        assert decide(cautious, before).outcome is Outcome.ALLOWED
        stated = closing.stated or closing.at
        assert decide(the_book(), question._replace(at=stated)).outcome is Outcome.PROHIBITED


def test_of_two_readings_the_earliest_is_planned_by_and_said(us: Plan) -> None:
    transfers = [each for each in us.closings if each.operation is Operation.TRANSFER_LICENCE]
    assert {(each.at, each.stated) for each in transfers} == {(SALES_END, CUTOFF)}
    step = us.step("last-transfers")
    assert step is not None
    (ground,) = step.grounds
    assert ground.basis is Basis.PRESS_READING
    assert (ground.effective.astimezone(UTC), ground.planned) == (CUTOFF, SALES_END)
    assert "another reading" in ground.note
    assert any("downloads-and-transfers" in each for each in us.cautions)
    assert any("30 September" in each for each in us.cautions)


def test_each_step_says_what_who_why_and_what_proves_it(us: Plan) -> None:
    assert [each.at for each in us.steps] == sorted(each.at for each in us.steps)
    assert len({each.id for each in us.steps}) == len(us.steps)
    for step in us.steps:
        assert all((step.what, step.who, step.why, step.proof, step.title))
        assert step.at >= us.announced
    demanded = {each.id for each in us.steps if each.grounds}
    assert {"close-shop", "end-renewal", "updates-off", "statistics-off", "bundle"} <= demanded
    for step in us.steps:
        assert all("89 FR 52434" in each.citation for each in step.grounds)


def test_what_a_plan_must_say(us: Plan) -> None:
    words = {each.id: each.what for each in us.steps}
    assert "tocsin publish add" in words["last-database"]
    assert "tocsin update mirror" in words["last-database"]
    assert "tocsin update bundle export" in words["bundle"]
    assert "tocsin update consent" in words["opt-in"]
    assert "tocsin uninstall" in words["customers-own"]
    assert "by name each product" in words["notice-1"]


def test_what_goes_on_in_the_us(us: Plan) -> None:
    going_on = {(each.product, one): each for each in us.continues for one in each.operations}
    assert (None, Operation.SCAN) in going_on
    assert (None, Operation.UNINSTALL) in going_on
    assert (Product.ANTIVIRUS, Operation.USE) in going_on
    assert (Product.ANTIVIRUS, Operation.SIGNATURE_UPDATE) not in going_on
    feeds = going_on[Product.THREAT_INTELLIGENCE, Operation.PROVIDE_THREAT_INTELLIGENCE]
    assert feeds.rules == (f"{DETERMINATION}/information",)


def test_germany_is_warned_and_needs_no_withdrawal(germany: Plan) -> None:
    assert not germany.needed
    assert not germany.steps
    assert not germany.closings
    assert germany.cutoff is None
    assert [each.rule for each in germany.warnings] == ["de-bsi-2022/antivirus"]
    assert "No withdrawal is needed" in germany.summary
    assert any(each.warned and each.product is Product.ANTIVIRUS for each in germany.continues)


def test_where_no_rule_is_nothing_is_said_to_be_forbidden() -> None:
    plan = make_plan(the_book(), "kaspersky", "JP")
    assert not plan.needed
    assert not plan.warnings


def test_a_late_announcement_is_warned_of() -> None:
    plan = make_plan(the_book(), "kaspersky", "US", announced=datetime(2024, 9, 5, tzinfo=UTC))
    assert any("60 days of notice are demanded, and only 24" in each for each in plan.cautions)
    assert any("is forbidden already" in each for each in plan.cautions)
    assert step_at(plan, "close-shop") == plan.announced
    late = {each.id for each in plan.steps if each.late}
    assert {"close-shop", "end-renewal", "tell-partners"} <= late
    assert "updates-off" not in late


def test_enough_notice_is_not_warned_of(us: Plan) -> None:
    assert not any("Too near" in each for each in us.cautions)
    longer = make_plan(the_book(), "kaspersky", "US", terms=Terms(notice_days=110))
    assert any("110 days of notice are demanded" in each for each in longer.cautions)


def test_a_rule_that_binds_customers_is_told_to_them() -> None:
    ban = rule(
        kind=Kind.USE_BAN,
        operations=(Operation.USE, Operation.INSTALL),
        effective=datetime(2025, 6, 1, tzinfo=UTC),
    )
    plan = make_plan(
        book(instrument(ban)), "acme", "US", announced=datetime(2025, 1, 1, tzinfo=UTC)
    )
    assert not plan.needed
    assert step_at(plan, "use-ends") == datetime(2025, 4, 2, tzinfo=UTC)
    assert plan.step("updates-off") is None


def test_an_exemption_counts_from_the_latest_of_its_readings() -> None:
    early, late = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    reading = (Reading(effective=late, basis=Basis.PRESS_READING, note="later"),)
    act = instrument(
        rule("ban", effective=early),
        rule("but", kind=Kind.EXEMPTION, effective=early, readings=reading),
    )
    question = ask(
        Operation.SELL, Product.ANTIVIRUS, "acme", datetime(2024, 6, 1, tzinfo=UTC), places=("US",)
    )
    assert decide(book(act), question).outcome is Outcome.ALLOWED
    assert decide(strictest(book(act)), question).outcome is Outcome.PROHIBITED


_TIMES = st.integers(0, 1000).map(lambda days: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days))
_RULES = st.lists(
    st.tuples(
        st.sampled_from([Kind.PROHIBITION, Kind.EXEMPTION, Kind.WARNING]),
        _TIMES,
        st.lists(_TIMES, max_size=2),
    ),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(_RULES, _TIMES)
def test_the_strictest_reading_allows_nothing_that_is_forbidden(
    made: list[tuple[Kind, datetime, list[datetime]]], at: datetime
) -> None:
    rules = [
        rule(
            f"r{number}",
            kind=kind,
            effective=begins,
            readings=tuple(
                Reading(effective=each, basis=Basis.GENERAL, note="another") for each in others
            ),
        )
        for number, (kind, begins, others) in enumerate(made)
    ]
    one = book(instrument(*rules)) if rules else book()
    question = ask(Operation.SELL, Product.ANTIVIRUS, "acme", at, places=("US",))
    if decide(one, question).outcome is Outcome.PROHIBITED:
        assert decide(strictest(one), question).outcome is Outcome.PROHIBITED


# --- how it is written ----------------------------------------------------------------------


def test_json_keeps_to_the_published_schema(us: Plan, germany: Plan) -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    assert schema == json.loads(json.dumps(plan_schema())), "write it anew: see docs/withdrawal.md"
    for plan in (us, germany):
        Draft202012Validator(schema).validate(json.loads(plan_json(plan)))
        assert plan_json(plan) == plan_json(plan)


def test_an_independent_reader_finds_every_step_in_the_calendar(us: Plan) -> None:
    icalendar = pytest.importorskip("icalendar", reason="the oracle for iCalendar is from PyPI")
    written = plan_ical(us, STAMP)
    calendar = icalendar.Calendar.from_ical(written)
    events = {str(each["UID"]): each for each in calendar.walk("VEVENT")}
    assert len(events) == len(us.steps)
    assert not any(each.errors for each in calendar.walk())
    for event, step in zip(events.values(), us.steps, strict=True):
        assert event["DTSTART"].dt == step.at
        assert event["DTSTAMP"].dt == STAMP
        assert str(event["SUMMARY"]) == f"{step.timing.value.upper()}: {step.title}"
        assert str(event["DESCRIPTION"]).startswith(step.what)
        alarms = event.walk("VALARM")
        assert alarms
        assert all(each["TRIGGER"].dt < timedelta(0) for each in alarms)
    assert written.count(b"\r\n") == written.count(b"\n")
    assert max(map(len, written.split(b"\r\n"))) <= 75


def test_a_later_plan_moves_the_events_of_an_earlier_one(us: Plan) -> None:
    icalendar = pytest.importorskip("icalendar", reason="the oracle for iCalendar is from PyPI")
    later = make_plan(the_book(), "kaspersky", "US", terms=Terms(last_database_hours=72))
    found = []
    for plan in (us, later):
        events = icalendar.Calendar.from_ical(plan_ical(plan, STAMP)).walk("VEVENT")
        found.append({str(each["UID"]): each["DTSTART"].dt for each in events})
    assert found[0].keys() == found[1].keys()
    assert found[0] != found[1]


def test_a_calendar_without_steps_says_so(germany: Plan) -> None:
    icalendar = pytest.importorskip("icalendar", reason="the oracle for iCalendar is from PyPI")
    (event,) = icalendar.Calendar.from_ical(plan_ical(germany, STAMP)).walk("VEVENT")
    assert "No withdrawal from Germany" in str(event["SUMMARY"])


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=300))
def test_any_title_comes_out_of_a_calendar_as_it_went_in(title: str) -> None:
    icalendar = pytest.importorskip("icalendar", reason="the oracle for iCalendar is from PyPI")
    written = plan_ical(_with_title(title), STAMP)
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))
    (event,) = icalendar.Calendar.from_ical(written).walk("VEVENT")
    assert str(event["SUMMARY"]) == f"BY: {title}"


def test_a_fold_divides_no_character() -> None:
    parts = fold("SUMMARY:" + "ü€𝄞" * 60).split(b"\r\n")
    assert all(len(part) <= 75 for part in parts)
    assert [part.decode() for part in parts]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc")), max_size=60))
@example("- a list")
@example("12. another")
@example("= a heading")
@example("<b>bold</b> | a cell | [a](b) `c` &amp;")
def test_what_comes_from_rules_is_text_to_markdown(title: str) -> None:
    assume(title.strip())
    parser = MarkdownIt("commonmark").enable("table")
    plain = parser.parse(plan_markdown(_with_title("x")))
    made = parser.parse(plan_markdown(_with_title(title)))
    assert [each.type for each in made] == [each.type for each in plain]
    inner = {child.type for each in made for child in each.children or ()}
    assert inner <= {"text", "strong_open", "strong_close", "code_inline", "em_open", "em_close",
                     "text_special", "softbreak", "link_open", "link_close"}  # fmt: skip


@cache
def _one_plan() -> Plan:
    return make_plan(the_book(), "kaspersky", "US")


def _with_title(title: str) -> Plan:
    plan = _one_plan()
    step = next(each for each in plan.steps if each.timing is Timing.BY)
    return msgspec.structs.replace(
        plan, steps=(msgspec.structs.replace(step, title=title, what=title),), closings=()
    )


# --- on the command line --------------------------------------------------------------------


def run(*words: str) -> tuple[int, str]:
    from tocsin.cli.law import command

    done = CliRunner().invoke(command, ["withdraw", *words])
    return done.exit_code, done.output


def test_the_command_writes_each_form(tmp_path: Path) -> None:
    for form, begins in (("markdown", "# AO"), ("ical", "BEGIN:VCALENDAR"), ("json", "{")):
        path = tmp_path / form
        code, said = run(
            "plan", "--place", "US", "--supplier", "kaspersky", "--format", form, "-o", str(path)
        )
        assert code == 0, said
        assert path.read_text("utf-8").startswith(begins)
        assert "26 steps" in said
    code, said = run("plan", "--place", "DE", "--supplier", "kaspersky", "--json")
    assert code == 0
    assert json.loads(said)["needed"] is False


def test_terms_that_make_no_sense_are_refused() -> None:
    assert set(WHY) == set(Terms.__struct_fields__)
    with pytest.raises(LawError, match="notice_days"):
        make_terms(notice_days=-1)
    with pytest.raises(LawError, match="50 reminders"):
        make_terms(reminder_days=tuple(range(51)))


@pytest.mark.parametrize("year", [1, 1979, 9999])
def test_an_announcement_that_is_centuries_away_is_refused(year: int) -> None:
    with pytest.raises(LawError, match="between 1980 and 2900"):
        make_plan(the_book(), "kaspersky", "US", announced=datetime(year, 6, 1, tzinfo=UTC))


def test_the_nexus_by_person_alone_is_planned_for_too() -> None:
    ban = rule(
        nexus=Nexus(persons=("FR",)),
        operations=(Operation.SIGNATURE_UPDATE,),
        effective=datetime(2025, 6, 1, tzinfo=UTC),
    )
    plan = make_plan(
        book(instrument(ban)), "acme", "FR", announced=datetime(2025, 1, 1, tzinfo=UTC)
    )
    assert plan.cutoff == datetime(2025, 6, 1, tzinfo=UTC)

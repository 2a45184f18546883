"""A withdrawal that is simulated holds, and the checker finds whatever is made wrong in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from rules_for_tests import the_book

from tocsin.errors import LawError
from tocsin.jurisdiction.decide import decide
from tocsin.jurisdiction.svg import Drawing, spread, ticks
from tocsin.jurisdiction.vocabulary import ALWAYS_ALLOWED, Operation, Outcome
from tocsin.jurisdiction.withdrawal.check import check
from tocsin.jurisdiction.withdrawal.journal import (
    OPERATION_OF,
    SERVICES,
    Entry,
    Journal,
    Kind,
    product_of,
)
from tocsin.jurisdiction.withdrawal.model import Plan
from tocsin.jurisdiction.withdrawal.money import unused
from tocsin.jurisdiction.withdrawal.picture import simulation_svg
from tocsin.jurisdiction.withdrawal.plan import make_plan
from tocsin.jurisdiction.withdrawal.population import DAY, Licence, make_population
from tocsin.jurisdiction.withdrawal.simulate import Simulation, scene_of, simulate
from tocsin.jurisdiction.withdrawal.strictest import strictest
from tocsin.jurisdiction.withdrawal.terms import Terms
from tocsin.jurisdiction.withdrawal.verdict import Verdict

CUTOFF = int(datetime(2024, 9, 29, 4, tzinfo=UTC).timestamp())
UPDATE = SERVICES.index(Operation.SIGNATURE_UPDATE)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(the_book(), "kaspersky", "US")


@pytest.fixture(scope="module")
def done(plan: Plan) -> Simulation:
    return simulate(the_book(), plan, customers=300, days=120, seed=1)


def verdict_on(plan: Plan, of: Simulation, journal: Journal) -> Verdict:
    return check(the_book(), plan.supplier, plan.place, plan.terms, of.customers, journal)


def test_what_was_simulated_holds(plan: Plan, done: Simulation) -> None:
    verdict = verdict_on(plan, done, done.journal)
    assert verdict.holds, verdict.violations[:5]
    assert all(verdict.checked.values()), verdict.checked


def test_each_act_by_itself_is_what_decide_says(plan: Plan, done: Simulation) -> None:
    """The oracle asks `decide` for every act of some customers, keeping no answer."""
    book, counted = strictest(the_book()), 0
    for row in done.journal.service:
        if row.customer % 25:
            continue
        customer = done.customers[row.customer]
        at = datetime.fromtimestamp(row.at, UTC)
        product = product_of(row.operation, customer.product)
        question = customer.profile(row.at).question(
            row.operation, product, plan.supplier, at, device=row.device
        )
        supplied = decide(book, question).outcome in (Outcome.ALLOWED, Outcome.WARNED)
        assert supplied is not bool(row.why), row
        counted += 1
    assert counted > 1000


def test_the_last_second_before_the_cutoff_is_served_and_the_next_is_not(
    plan: Plan, done: Simulation
) -> None:
    at_all = simulate(the_book(), plan, customers=800, days=102, seed=3).journal.service
    near = [row for row in at_all if abs(row.at - CUTOFF) <= 1]
    assert {row.at for row in near if row.why} == {CUTOFF}
    assert CUTOFF - 1 in {row.at for row in near if not row.why}


def test_the_same_seed_gives_the_same_and_a_prefix(plan: Plan, done: Simulation) -> None:
    scene = scene_of(plan, 120)
    assert make_population(50, 1, scene) == done.customers[:50]
    assert make_population(50, 2, scene) != done.customers[:50]
    again = simulate(the_book(), plan, customers=40, days=20, seed=1)
    once = simulate(the_book(), plan, customers=40, days=20, seed=1)
    assert again.journal.entries == once.journal.entries
    assert again.journal.service.at == once.journal.service.at


@pytest.mark.parametrize(
    ("announced", "terms"),
    [
        (datetime(2024, 9, 5, tzinfo=UTC), Terms()),
        (None, Terms(margin_hours=0, refund_days=0, consent_hours=0, last_database_hours=0,
                     reminder_days=())),
        (None, Terms(refund_days=30, margin_hours=72)),
    ],
)  # fmt: skip
def test_it_holds_with_other_terms_and_little_time(
    announced: datetime | None, terms: Terms
) -> None:
    other = make_plan(the_book(), "kaspersky", "US", announced=announced, terms=terms)
    run = simulate(the_book(), other, customers=120, days=118, seed=4)
    verdict = verdict_on(other, run, run.journal)
    assert verdict.holds, verdict.violations[:5]
    assert verdict.checked["refunds"]


def test_days_add_up(done: Simulation) -> None:
    for day in done.days:
        assert sum(day.standing.values()) == len(done.customers)


def test_of_germany_nothing_is_withheld_but_for_what_is_unknown_or_american() -> None:
    germany = make_plan(the_book(), "kaspersky", "DE", announced=datetime(2024, 1, 1, tzinfo=UTC))
    run = simulate(the_book(), germany, customers=150, days=30)
    verdict = verdict_on(germany, run, run.journal)
    assert verdict.holds, verdict.violations[:5]
    assert {row.why.split(":")[0] for row in run.journal.service} <= {"", "undetermined"}
    assert not any(entry.kind in (Kind.OPT_IN, Kind.MOVE) for entry in run.journal.entries)
    assert "no withdrawal is needed" in simulation_svg(germany, run, 1)


# --- what the checker finds -----------------------------------------------------------------


def first(journal: Journal, kind: Kind, **fields: object) -> int:
    return next(
        number
        for number, entry in enumerate(journal.entries)
        if entry.kind is kind and all(getattr(entry, key) == value for key, value in fields.items())
    )


def change(journal: Journal, number: int, **fields: object) -> None:
    journal.entries[number] = journal.entries[number]._replace(**fields)


def a_day_late(journal: Journal, done: Simulation) -> None:
    """The last update of somebody concerned is delivered a day after the cut-off."""
    service = journal.service
    number = next(place for place, row in enumerate(service) if row.why and row.at >= CUTOFF + DAY
                  and row.operation is Operation.SIGNATURE_UPDATE)  # fmt: skip
    service.why[number] = 0


def a_second_late(journal: Journal, done: Simulation) -> None:
    service = journal.service
    number = next(
        place
        for place, row in enumerate(service)
        if row.why and row.operation is Operation.SIGNATURE_UPDATE and row.at >= CUTOFF
    )
    service.at[number], service.why[number] = CUTOFF, 0


def statistics_after(journal: Journal, done: Simulation) -> None:
    service = journal.service
    number = next(
        place
        for place, row in enumerate(service)
        if row.why and row.operation is Operation.COLLECT_STATISTICS and row.at >= CUTOFF
    )
    service.why[number] = 0


def an_unknown_person_served(journal: Journal, done: Simulation) -> None:
    service = journal.service
    number = next(place for place, row in enumerate(service) if row.why.startswith("undetermined"))
    service.why[number] = 0


def a_sale_after_all(journal: Journal, done: Simulation) -> None:
    number = next(
        place
        for place, entry in enumerate(journal.entries)
        if entry.kind is Kind.SELL and entry.why.startswith("prohibited")
    )
    change(journal, number, done=True, why="")


def withheld_for_no_reason(journal: Journal, done: Simulation) -> None:
    service = journal.service
    number = next(
        place for place, row in enumerate(service)
        if not row.why and row.operation is Operation.SIGNATURE_UPDATE and row.at < CUTOFF - 9 * DAY
    )  # fmt: skip
    service.why[number] = service.reason("a whim")


def a_move_without_opt_in(journal: Journal, done: Simulation) -> None:
    del journal.entries[first(journal, Kind.OPT_IN)]
    asked = {entry.customer for entry in journal.entries if entry.kind is Kind.MOVE}
    assert asked


def a_move_to_another(journal: Journal, done: Simulation) -> None:
    change(journal, first(journal, Kind.MOVE), detail="another product")


def a_move_after_revoking(journal: Journal, done: Simulation) -> None:
    entry = journal.entries[first(journal, Kind.MOVE)]
    journal.entries.insert(0, Entry(entry.at - 1, entry.customer, Kind.REVOKE))


def a_move_at_once(journal: Journal, done: Simulation) -> None:
    number = first(journal, Kind.MOVE)
    change(journal, number, at=journal.entries[number].at - 3600)


def a_lost_refund(journal: Journal, done: Simulation) -> None:
    del journal.entries[first(journal, Kind.REFUND)]


def the_last_lost_refund(journal: Journal, done: Simulation) -> None:
    """One of those that are paid without asking, after the cut-off."""
    number = next(place for place, entry in enumerate(journal.entries)
                  if entry.kind is Kind.REFUND and entry.at > CUTOFF + 13 * DAY)  # fmt: skip
    del journal.entries[number]


def a_refund_twice(journal: Journal, done: Simulation) -> None:
    entry = journal.entries[first(journal, Kind.REFUND)]
    journal.entries.append(entry._replace(at=entry.at + 60))


def a_cent_too_little(journal: Journal, done: Simulation) -> None:
    number = first(journal, Kind.REFUND)
    change(journal, number, cents=journal.entries[number].cents - 1)


def a_day_too_little(journal: Journal, done: Simulation) -> None:
    number = first(journal, Kind.REFUND)
    change(journal, number, days=journal.entries[number].days - 1)


def an_uninstaller_withheld(journal: Journal, done: Simulation) -> None:
    change(journal, first(journal, Kind.UNINSTALL), done=False, why="licence ended")


def an_export_forgotten(journal: Journal, done: Simulation) -> None:
    del journal.entries[first(journal, Kind.EXPORT)]


def a_notice_without_proof(journal: Journal, done: Simulation) -> None:
    change(journal, first(journal, Kind.NOTICE, done=True), proof="")


def nobody_told(journal: Journal, done: Simulation) -> None:
    journal.entries[:] = [entry for entry in journal.entries if entry.kind is not Kind.NOTICE]


def the_list_lost(journal: Journal, done: Simulation) -> None:
    journal.entries[:] = [entry for entry in journal.entries if entry.kind is not Kind.NOT_REACHED]


def a_last_update_lost(journal: Journal, done: Simulation) -> None:
    """All deliveries of the last two weeks before the cut-off to one device concerned."""
    service = journal.service
    stopped = next(row.customer for row in service
                   if row.why and row.operation is Operation.SIGNATURE_UPDATE
                   and row.at >= CUTOFF and "prohibited" in row.why
                   and not any(each.customer == row.customer and each.why and each.at < CUTOFF
                               for each in service))  # fmt: skip
    for number in reversed(range(len(service))):
        row = service.row(number)
        if row.customer == stopped and CUTOFF - 14 * DAY < row.at < CUTOFF:
            service.remove(number)


def a_sale_to_nobody(journal: Journal, done: Simulation) -> None:
    """Which no rule can be asked about, since nobody's facts are known."""
    journal.entries.append(Entry(CUTOFF + DAY, -1, Kind.SELL, detail="antivirus"))


def a_move_of_nobody(journal: Journal, done: Simulation) -> None:
    journal.entries.append(Entry(CUTOFF, len(done.customers), Kind.MOVE, detail="Successor A"))


def a_sale_before_all(journal: Journal, done: Simulation) -> None:
    journal.entries.append(Entry(journal.begins - DAY, 0, Kind.SELL))


@pytest.mark.parametrize(
    ("plant", "claim"),
    [
        (a_sale_to_nobody, "nothing-forbidden"),
        (a_move_of_nobody, "nothing-forbidden"),
        (a_sale_before_all, "nothing-forbidden"),
        (a_day_late, "nothing-forbidden"),
        (a_second_late, "nothing-forbidden"),
        (statistics_after, "nothing-forbidden"),
        (an_unknown_person_served, "nothing-forbidden"),
        (a_sale_after_all, "nothing-forbidden"),
        (withheld_for_no_reason, "nothing-needless"),
        (a_move_without_opt_in, "consent"),
        (a_move_to_another, "consent"),
        (a_move_after_revoking, "consent"),
        (a_move_at_once, "consent"),
        (a_lost_refund, "refunds"),
        (the_last_lost_refund, "refunds"),
        (a_refund_twice, "refunds"),
        (a_cent_too_little, "refunds"),
        (a_day_too_little, "refunds"),
        (an_uninstaller_withheld, "rights"),
        (an_export_forgotten, "rights"),
        (a_notice_without_proof, "notice"),
        (nobody_told, "notice"),
        (the_list_lost, "notice"),
        (a_last_update_lost, "last-update"),
    ],
)
def test_the_checker_finds_what_is_planted(
    plan: Plan, done: Simulation, plant: Callable[[Journal, Simulation], None], claim: str
) -> None:
    journal = deepcopy(done.journal)
    plant(journal, done)
    verdict = verdict_on(plan, done, journal)
    assert not verdict.holds
    assert verdict.counted[claim]
    assert claim in {each.claim for each in verdict.violations}


def test_no_entry_withholds_what_is_always_allowed(done: Simulation) -> None:
    rights = [
        each for each in done.journal.entries if OPERATION_OF.get(each.kind) in ALWAYS_ALLOWED
    ]
    assert rights
    assert all(each.done for each in rights)


# --- money, pictures, command ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "cents", "since", "expected"),
    [
        (365, 3999, 0, (365, 3999)),
        (365, 3999, 364, (1, 11)),
        (365, 3999, 365, (0, 0)),
        (365, 3999, 400, (0, 0)),
        (30, 499, 15, (15, 250)),  # 249.5: halves up
        (2, 1, 1, (1, 1)),
    ],
)
def test_refunds_are_to_the_day(
    days: int, cents: int, since: int, expected: tuple[int, int]
) -> None:
    begins = CUTOFF - 400 * DAY
    place = "JP"  # without summer time
    assert unused(Licence(begins, days, cents), begins + since * DAY, place) == expected


def test_a_day_is_one_of_the_place() -> None:
    licence = Licence(CUTOFF - 10 * DAY, 30, 3000)
    last_second_of_the_day_before = CUTOFF - 1
    assert unused(licence, CUTOFF, "US").days == 20
    assert unused(licence, last_second_of_the_day_before, "US").days == 21


def test_the_picture_is_well_formed_and_shows_its_instants(plan: Plan, done: Simulation) -> None:
    root = ElementTree.fromstring(simulation_svg(plan, done, 1))
    words = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    for wanted in ("updates and statistics end", "sales and renewals end", "Moved to a successor"):
        assert wanted in words
    assert any("synthetic" in (each or "") for each in words)


def test_a_drawing_takes_any_text_and_round_steps() -> None:
    drawing = Drawing(10, 10, 'a <b> & "c"\x00')
    drawing.text(1, 1, "<script>\ud800\ufffe")
    root = ElementTree.fromstring(drawing.done())
    assert root[0].text == 'a <b> & "c"\ufffd'
    assert ticks(9513) == [0, 2000, 4000, 6000, 8000, 10000]
    assert ticks(0) == [0, 1]
    assert ticks(3) == [0, 1, 2, 3]
    assert spread([0, 1, 2, 90], 10, 0, 95) == [0, 10, 20, 90]
    assert spread([90, 91, 92], 10, 0, 95) == [75, 85, 95]


def test_sizes_are_bounded(plan: Plan) -> None:
    with pytest.raises(LawError, match="take fewer"):
        simulate(the_book(), plan, customers=1_000_000, days=120)
    with pytest.raises(LawError, match="at least one"):
        simulate(the_book(), plan, customers=0)


def test_the_command_says_what_holds(tmp_path: Path) -> None:
    from tocsin.cli.law import command

    words = [
        "withdraw",
        "simulate",
        "--place",
        "US",
        "--supplier",
        "kaspersky",
        "--customers",
        "60",
        "--days",
        "110",
    ]
    svg = tmp_path / "us.svg"
    done = CliRunner().invoke(command, [*words, "--svg", str(svg)])
    assert done.exit_code == 0, done.output
    assert "holds" in done.output
    assert "synthetic" in done.output
    assert svg.read_text("utf-8").startswith("<svg")
    done = CliRunner().invoke(command, [*words, "--json"])
    said = json.loads(done.output)
    assert said["holds"] is True
    assert said["cutoff"] == "2024-09-29T04:00:00Z"
    assert [each["violations"] for each in said["claims"]] == [0] * 7
    assert len(said["days"]) == 110

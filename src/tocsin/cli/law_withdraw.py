"""`tocsin law withdraw`: leave a market in order, and prove that the plan holds."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.law import CONTEXT, the_book
from tocsin.cli.law_options import JSON, SUPPLIER, read_instant
from tocsin.cli.printable import printable
from tocsin.errors import UsageError
from tocsin.jurisdiction.vocabulary import ADDRESSEES, PRODUCTS, Addressee, Product
from tocsin.jurisdiction.withdrawal.terms import Terms

if TYPE_CHECKING:
    from tocsin.jurisdiction.rulebook import Rulebook
    from tocsin.jurisdiction.withdrawal.model import Plan
    from tocsin.jurisdiction.withdrawal.simulate import Simulation
    from tocsin.jurisdiction.withdrawal.verdict import Verdict

_SHOWN = 20
"""Violations that are shown."""

_DEFAULT = Terms()


@click.group("withdraw", context_settings=CONTEXT)
def withdraw() -> None:
    """Leave a place in order: a dated plan from the rules, and a simulation of it.

    Nothing is sold, sent, paid or delivered by this; and it is no legal advice.

    \b
    Examples:
      tocsin law withdraw plan --place US --supplier kaspersky
      tocsin law withdraw simulate --place US --supplier kaspersky --svg us.svg
    """


def _plan_options(call: Any) -> Any:
    for option in reversed(
        (
            click.option(
                "--place", required=True, metavar="CC", help="Which place is left, as US."
            ),
            SUPPLIER,
            click.option(
                "--announced",
                metavar="WHEN",
                help="When the withdrawal is announced (2024-06-20, 2024-06-20T12:00:00Z). "
                "Default: when the authority announced the first rule that forbids something.",
            ),
            click.option(
                "--product",
                "products",
                multiple=True,
                type=click.Choice([each.value for each in PRODUCTS]),
                help="Class of product that is sold there; repeatable. Default: all for security.",
            ),
            click.option(
                "--addressee",
                "addressees",
                multiple=True,
                type=click.Choice([each.value for each in ADDRESSEES]),
                help="What the customers are; without, private persons.",
            ),
            click.option(
                "--notice-days",
                type=int,
                metavar="N",
                help=f"Days of notice before the cut-off. Default: {_DEFAULT.notice_days}.",
            ),
            click.option(
                "--reminder",
                "reminder_days",
                multiple=True,
                type=int,
                metavar="N",
                help="Notice again N days before; repeatable. Default: "
                + ", ".join(map(str, _DEFAULT.reminder_days))
                + ".",
            ),
            click.option(
                "--margin-hours",
                type=int,
                metavar="N",
                help="End sales, renewals and transfers so long before their instant. "
                f"Default: {_DEFAULT.margin_hours}.",
            ),
            click.option(
                "--last-database-hours",
                type=int,
                metavar="N",
                help="The last full database is published so long before the cut-off. "
                f"Default: {_DEFAULT.last_database_hours}.",
            ),
            click.option(
                "--refund-days",
                type=int,
                metavar="N",
                help="Refunds are paid so long after supply stopped, at most. "
                f"Default: {_DEFAULT.refund_days}.",
            ),
        )
    ):
        call = option(call)
    return call


@withdraw.command("plan", context_settings=CONTEXT)
@_plan_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "ical", "json"]),
    default="markdown",
    show_default=True,
    help="How it is written.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Into FILE.")
@JSON
def plan_verb(form: str, output: Path | None, as_json: bool, **stated: Any) -> None:
    """Plan a withdrawal: what is done when, by whom, why, and what proves it.

    Every date comes from the rules of the rulebook; of several readings the strictest is planned
    by. What is too near is said under 'Beware', and with -o also on standard error. Exit status: 0
    there is a plan, also one that says that none is needed; 2 errors.

    \b
    Examples:
      tocsin law withdraw plan --place US --supplier kaspersky
      tocsin law withdraw plan --place US --supplier kaspersky --announced 2024-09-01
      tocsin law withdraw plan --place US --supplier kaspersky --format ical -o us.ics
      tocsin law withdraw plan --place DE --supplier kaspersky --json
    """
    from tocsin.jurisdiction.withdrawal.ical import plan_ical
    from tocsin.jurisdiction.withdrawal.markdown import plan_markdown
    from tocsin.jurisdiction.withdrawal.model import plan_json

    plan = _plan(the_book(), **stated)
    form = "json" if as_json else form
    if form == "json":
        written = plan_json(plan)
    elif form == "ical":
        written = plan_ical(plan, datetime.now(UTC))
    else:
        written = plan_markdown(plan).encode()
    if output is None:
        sys.stdout.buffer.write(written)
        sys.stdout.buffer.flush()
        return
    _write(output, written)
    for caution in plan.cautions:
        click.echo(f"tocsin: {printable(caution)}", err=True)
    click.echo(f"{len(plan.steps)} steps in {printable(str(output))}")


def _write(path: Path, data: bytes) -> None:
    from tocsin.durable import write_file

    try:
        write_file(path, data)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; name a file elsewhere") from error


def _plan(
    book: Rulebook,
    *,
    place: str,
    supplier: str,
    announced: str | None,
    products: tuple[str, ...],
    addressees: tuple[str, ...],
    reminder_days: tuple[int, ...],
    **days: int | None,
) -> Plan:
    from tocsin.jurisdiction.places import read_place
    from tocsin.jurisdiction.withdrawal.closings import OFFERS
    from tocsin.jurisdiction.withdrawal.plan import make_plan
    from tocsin.jurisdiction.withdrawal.terms import make_terms

    code = read_place(place)
    instant = None if announced is None else read_instant(announced, (code,))[0]
    return make_plan(
        book,
        book.supplier(supplier).id,
        code,
        announced=instant,
        products=tuple(map(Product, products)) or tuple(OFFERS),
        addressees=tuple(map(Addressee, addressees)),
        terms=make_terms(reminder_days=reminder_days or None, **days),
    )


@withdraw.command("simulate", context_settings=CONTEXT)
@_plan_options
@click.option(
    "--customers",
    type=click.IntRange(1, 1_000_000),
    default=10_000,
    show_default=True,
    help="How many; they are synthetic.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 36_500),
    default=120,
    show_default=True,
    help="Of the period, from the announcement on.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the population.")
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Draw it as well.")
@JSON
def simulate_verb(
    customers: int, days: int, seed: int, svg: Path | None, as_json: bool, **stated: Any
) -> None:
    """Run customers who do not exist through the plan, and check every act anew.

    Each act is put to the rules at its own instant, for its own customer's facts; what is not
    allowed then is withheld. A checker, which sees only the journal and the facts, asks the rules
    again and says what was wrong. Nothing real is done. Exit status: 0 all that is claimed holds;
    1 something does not; 2 errors.

    \b
    Examples:
      tocsin law withdraw simulate --place US --supplier kaspersky
      tocsin law withdraw simulate --place US --supplier kaspersky --customers 500 --seed 7 --json
      tocsin law withdraw simulate --place US --supplier kaspersky --svg us.svg
    """
    from tocsin.cli.progress import Meter
    from tocsin.jurisdiction.withdrawal.check import check
    from tocsin.jurisdiction.withdrawal.simulate import simulate

    book = the_book()
    plan = _plan(book, **stated)
    with Meter(enabled=not as_json) as meter:
        run = simulate(book, plan, customers=customers, days=days, seed=seed, progress=meter.say)
        meter.say(f"checking {len(run.journal.service) + len(run.journal.entries):,} entries")
        verdict = check(book, plan.supplier, plan.place, plan.terms, run.customers, run.journal)
    if svg is not None:
        from tocsin.jurisdiction.withdrawal.picture import simulation_svg

        _write(svg, simulation_svg(plan, run, seed).encode())
    if as_json:
        click.echo(json.dumps(_simulation_json(plan, run, verdict, seed), ensure_ascii=False))
    else:
        _print_simulation(plan, run, verdict, seed)
        if svg is not None:
            click.echo(f"Drawn in {printable(str(svg))}")
    sys.exit(0 if verdict.holds else 1)


def _simulation_json(plan: Plan, run: Simulation, verdict: Verdict, seed: int) -> dict[str, Any]:
    from tocsin.jurisdiction.withdrawal.verdict import CLAIMS

    return {
        "format": 1,
        "place": plan.place,
        "supplier": plan.supplier,
        "edition": plan.edition,
        "rulebook_sha256": plan.rulebook_sha256,
        "synthetic": True,
        "seed": seed,
        "customers": len(run.customers),
        "from": _utc(run.scene.begins),
        "to": _utc(run.scene.ends),
        "cutoff": None if run.scene.cutoff is None else _utc(run.scene.cutoff),
        "holds": verdict.holds,
        "claims": [
            {
                "name": name,
                "says": says,
                "checked": verdict.checked[name],
                "violations": verdict.counted[name],
            }
            for name, says in CLAIMS.items()
        ],
        "violations": [
            {
                "claim": each.claim,
                "customer": each.customer,
                "at": _utc(each.at),
                "detail": each.detail,
            }
            for each in verdict.violations
        ],
        "figures": verdict.figures,
        "withheld": dict(_withheld(run)),
        "days": [
            {"day": _utc(each.day), "standing": dict(each.standing), "acts": dict(each.acts)}
            for each in run.days
        ],
        "notice": plan.notice,
    }


def _print_simulation(plan: Plan, run: Simulation, verdict: Verdict, seed: int) -> None:
    from tocsin.cli.table import format_table, wrap
    from tocsin.jurisdiction.withdrawal.standing import STANDINGS
    from tocsin.jurisdiction.withdrawal.verdict import CLAIMS

    click.echo(
        wrap(
            f"{len(run.customers):,} synthetic customers (seed {seed}), {plan.supplier_name} in "
            f"{plan.place_name}, from {_utc(run.scene.begins)} to {_utc(run.scene.ends)}"
        )
    )
    click.echo(wrap(plan.summary))
    rows = [
        (words, run.days[0].standing[name], run.days[-1].standing[name])
        for name, words in STANDINGS.items()
    ]
    click.echo("\n" + format_table(rows, ("where customers stand", "first day", "last day")))
    withheld = list(_withheld(run))
    if withheld:
        click.echo("\n" + format_table(withheld, ("withheld", "acts")))
    figures = [(words, count) for words, count in sorted(verdict.figures.items())]
    if figures:
        click.echo("\n" + format_table(figures, ("counted besides", "")))
    claims = [
        (
            "broken" if verdict.counted[name] else "holds",
            verdict.checked[name],
            verdict.counted[name],
            says,
        )
        for name, says in CLAIMS.items()
    ]
    click.echo("\n" + format_table(claims, ("", "checked", "wrong", "claim")))
    for each in verdict.violations[:_SHOWN]:
        told = f"{each.claim}: customer {each.customer} on {_utc(each.at)}: {each.detail}"
        click.echo(wrap(told, first="  ", following="    "))
    if len(verdict.violations) > _SHOWN:
        click.echo(f"  … and {sum(verdict.counted.values()) - _SHOWN:,} more; see --json")
    click.echo(f"Everything here is synthetic. {plan.notice}")


def _withheld(run: Simulation) -> list[tuple[str, int]]:
    """Reasons for which acts were withheld, with their numbers; the most frequent first."""
    from collections import Counter

    from tocsin.jurisdiction.withdrawal.journal import OPERATION_OF

    service = run.journal.service
    counted: Counter[str] = Counter()
    for place, count in Counter(service.why).items():
        if place:
            counted[service.reasons[place]] += count
    counted.update(
        each.why for each in run.journal.entries if not each.done and each.kind in OPERATION_OF
    )
    return counted.most_common()


def _utc(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().replace("+00:00", "Z")

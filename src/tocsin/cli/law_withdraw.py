"""`tocsin law withdraw`: leave a market in order, and prove that the plan holds."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.law import CONTEXT, the_book
from tocsin.cli.law_options import JSON, SUPPLIER, read_instant
from tocsin.jurisdiction.vocabulary import ADDRESSEES, PRODUCTS, Addressee, Product
from tocsin.jurisdiction.withdrawal.terms import Terms

if TYPE_CHECKING:
    from tocsin.jurisdiction.rulebook import Rulebook
    from tocsin.jurisdiction.withdrawal.model import Plan

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
                help="When the withdrawal is announced (2024-06-20, 2024-06-20T12:00:00Z); default: "
                "when the authority announced the first rule that forbids something.",
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
    by. What is too near is said under 'Beware', and on standard error. Exit status: 0 there is a plan, also
    one that says that none is needed; 2 errors.

    \b
    Examples:
      tocsin law withdraw plan --place US --supplier kaspersky
      tocsin law withdraw plan --place US --supplier kaspersky --announced 2024-09-01
      tocsin law withdraw plan --place US --supplier kaspersky --format ical -o us.ics
      tocsin law withdraw plan --place DE --supplier kaspersky --json
    """
    from tocsin.durable import write_file
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
    write_file(output, written)
    from tocsin.cli.printable import printable

    for caution in plan.cautions:
        click.echo(f"tocsin: {printable(caution)}", err=True)
    click.echo(f"{len(plan.steps)} steps in {printable(str(output))}")


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

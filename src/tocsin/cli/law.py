"""`tocsin law`: what may be supplied, to whom, where and when; and why."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.law_options import (
    JSON,
    SUPPLIER,
    facts_options,
    once,
    read_facts,
    read_instant,
    read_operation,
    read_product,
)
from tocsin.errors import UsageError
from tocsin.jurisdiction.vocabulary import OPERATIONS, PRODUCTS, Outcome

if TYPE_CHECKING:
    from tocsin.jurisdiction.rulebook import Rulebook

CONTEXT = {"help_option_names": ["-h", "--help"]}
EXIT = {Outcome.ALLOWED: 0, Outcome.WARNED: 0, Outcome.PROHIBITED: 1, Outcome.UNDETERMINED: 2}
_ELSEWHERE = {
    "timeline": ("law_time", "timeline"),
    "simulate": ("law_time", "simulate"),
    "withdraw": ("law_withdraw", "withdraw"),
    "check": ("law_book", "check"),
    "diff": ("law_book", "diff"),
    "schema": ("law_book", "schema"),
}
"""Verbs in modules of their own: imported when they are called."""


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *_ELSEWHERE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _ELSEWHERE:
            module, name = _ELSEWHERE[cmd_name]
            found = getattr(importlib.import_module(f"tocsin.cli.{module}"), name)
            assert isinstance(found, click.Command)
            return found
        return super().get_command(ctx, cmd_name)


@click.group("law", cls=_Group, context_settings=CONTEXT)
def command() -> None:
    """Ask dated law, kept as data, what may be supplied. This is no legal advice.

    The rules are files that can be read and added to (docs/jurisdiction.md).

    \b
    Examples:
      tocsin law list
      tocsin law decide --supplier kaspersky --operation signature-update \\
        --product antivirus --place US --at 2024-09-29T04:00:00Z
      tocsin law explain us-bis-icts-2021-002
      tocsin law timeline US --supplier kaspersky --svg us.svg
    """


@command.command("decide", context_settings=CONTEXT)
@SUPPLIER
@click.option(
    "--operation",
    required=True,
    multiple=True,
    callback=once,
    metavar="NAME",
    help="What is to be done: " + ", ".join(each.value for each in OPERATIONS) + ".",
)
@click.option(
    "--product",
    multiple=True,
    callback=once,
    metavar="CLASS",
    help="Class of product: " + ", ".join(each.value for each in PRODUCTS) + ", or 'unknown'.",
)
@facts_options
@click.option(
    "--at",
    multiple=True,
    callback=once,
    metavar="WHEN",
    help="Instant (2024-09-29T04:00:00Z) or day. Default: now.",
)
@click.option("--all", "everything", is_flag=True, help="Show every rule that was considered.")
@JSON
def decide_verb(
    supplier: str,
    operation: str,
    product: str | None,
    at: str | None,
    everything: bool,
    as_json: bool,
    **facts: Any,
) -> None:
    """Decide whether something may be supplied, with the citation.

    What is not stated is assumed where a place is named, and the assumptions are printed; a fact
    that is unknown never ends in 'allowed'. Exit status: 0 allowed or warned, 1 prohibited, 2
    undetermined, or the question is not understood.

    \b
    Examples:
      tocsin law decide --supplier kaspersky --operation sell --product antivirus \\
        --place US --at 2024-07-20
      tocsin law decide --supplier kaspersky --operation signature-update \\
        --product antivirus --person citizen:US --place DE --at 2024-09-29T04:00:00Z
      tocsin law decide --supplier kaspersky --operation use --product antivirus \\
        --addressee government --place AU --embedded
    """
    from tocsin.cli.law_output import decision_json, print_decision
    from tocsin.jurisdiction.decide import decide

    book = the_book()
    stated = read_facts(**facts)
    doing = read_operation(operation)
    instant, meant = read_instant(at, stated.places)
    question = stated.question(
        doing, read_product(product, doing), book.supplier(supplier).id, instant
    )
    decision = decide(book, question)
    if as_json:
        click.echo(json.dumps(decision_json(decision, meant), ensure_ascii=False))
    else:
        print_decision(decision, meant, everything=everything)
    sys.exit(EXIT[decision.outcome])


@command.command("list", context_settings=CONTEXT)
@click.option("--supplier", metavar="NAME", help="Only what is about this one's products.")
@click.option("--place", metavar="CC", help="Only the law of this place.")
@JSON
def list_verb(supplier: str | None, place: str | None, as_json: bool) -> None:
    """List the instruments of the rulebook.

    \b
    Examples:
      tocsin law list --place US
      tocsin law list --json
    """
    from tocsin.cli.law_output import instrument_json, print_instruments
    from tocsin.jurisdiction.places import read_place

    book = the_book()
    wanted = None if supplier is None else book.supplier(supplier).id
    code = None if place is None else read_place(place)
    found = [
        each
        for each in book.instruments.values()
        if (wanted is None or wanted in each.suppliers) and code in (None, each.jurisdiction)
    ]
    if as_json:
        click.echo(
            json.dumps(
                {
                    "edition": book.edition.number,
                    "sha256": book.sha256,
                    "instruments": [instrument_json(each) for each in found],
                    "suppliers": {each.id: each.name for each in book.suppliers.values()},
                },
                ensure_ascii=False,
            )
        )
    else:
        print_instruments(book, found)


@command.command("explain", context_settings=CONTEXT)
@click.argument("rule")
@JSON
def explain(rule: str, as_json: bool) -> None:
    """Show an instrument, or one rule of it, in words.

    \b
    Examples:
      tocsin law explain us-bis-icts-2021-002
      tocsin law explain de-bsi-2022/antivirus --json
    """
    from tocsin.cli.law_output import print_rules, rules_json

    found = the_book().find(rule)
    if as_json:
        click.echo(json.dumps(rules_json(found), ensure_ascii=False))
    else:
        print_rules(found)


def the_book() -> Rulebook:
    """The rulebook in use; what is wrong with a part of it is said on standard error."""
    from tocsin.app.law import current_rulebook
    from tocsin.cli.printable import printable

    found = current_rulebook()
    if found.origin.trouble:
        click.echo(f"tocsin: {printable(found.origin.trouble)}", err=True)
    return found.book


def read_book(path: Path) -> Rulebook:
    """A rulebook that is named: a folder of files, or the portable form.

    Raises:
        TocsinError: it is neither, or has mistakes.
        OSError: it cannot be read.
    """
    from tocsin.jurisdiction.folder import read_folder
    from tocsin.jurisdiction.rulebook import MOST_PORTABLE_BYTES, read_portable

    if path.is_dir():
        return read_folder(path)
    if not path.is_file():
        raise UsageError(f"{path}: not a file, and no folder")
    with path.open("rb") as file:
        return read_portable(file.read(MOST_PORTABLE_BYTES + 1))

"""`tocsin law timeline` and `simulate`: what law says over time."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from tocsin.cli.law import CONTEXT, the_book
from tocsin.cli.law_options import (
    JSON,
    SUPPLIER,
    Stated,
    facts_options,
    read_facts,
    read_instant,
    read_operation,
    read_product,
)
from tocsin.errors import TocsinError, UsageError
from tocsin.jurisdiction.vocabulary import ALWAYS_ALLOWED, OPERATIONS, Operation, Product

if TYPE_CHECKING:
    from tocsin.jurisdiction.question import Question
    from tocsin.jurisdiction.timeline import Timeline

_PERIOD = ("2017-01-01", "2026-01-01")
MOST_REQUESTS = 1_000_000
MOST_OF_REQUEST = 100_000
"""Bytes of one line."""
_OPERATIONS = click.option(
    "--operation", "operations", multiple=True, metavar="NAME", help="Only this one; repeatable."
)
_PRODUCTS = click.option(
    "--product", "products", multiple=True, metavar="CLASS", default=("antivirus",),
    show_default=True, help="Class of product; repeatable.",
)  # fmt: skip


@click.command("timeline", context_settings=CONTEXT)
@click.argument("place", required=False)
@SUPPLIER
@_OPERATIONS
@_PRODUCTS
@facts_options
@click.option("--from", "first", metavar="WHEN", help="Begin here; default: before any rule.")
@click.option("--to", "last", metavar="WHEN", help="End here; default: after the last rule began.")
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Draw it as well.")
@JSON
def timeline(
    place: str | None,
    supplier: str,
    operations: tuple[str, ...],
    products: tuple[str, ...],
    first: str | None,
    last: str | None,
    svg: Path | None,
    as_json: bool,
    **facts: Any,
) -> None:
    """Show operations against the dates on which their outcome changes.

    \b
    Examples:
      tocsin law timeline US --supplier kaspersky
      tocsin law timeline US --supplier kaspersky --addressee government --svg us.svg
      tocsin law timeline PL --supplier kaspersky --operation buy --json
    """
    from tocsin.jurisdiction.timeline_svg import timeline_svg

    if place is not None:
        facts["places"] = (place, *facts["places"])
    if not facts["places"] and not facts["persons"]:
        raise UsageError("name a place, as in 'tocsin law timeline US --supplier …'")
    stated = read_facts(**facts)
    found, name = _timeline(stated, supplier, operations, products, first, last)
    if svg is not None:
        title = f"{name}: {', '.join(stated.places) or 'persons as stated'}"
        svg.write_text(timeline_svg(found, title), "utf-8")
    if as_json:
        click.echo(json.dumps(_timeline_json(found), ensure_ascii=False))
        return
    _print_timeline(found)
    if svg is not None:
        click.echo(f"Drawn in {svg}")


@click.command("simulate", context_settings=CONTEXT)
@SUPPLIER
@_OPERATIONS
@_PRODUCTS
@facts_options
@click.option("--from", "first", metavar="WHEN", help="Begin here.")
@click.option("--to", "last", metavar="WHEN", help="End here; not in the period.")
@click.option(
    "--requests",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Decide these instead: a JSON object a line, with operation, product, at, place, person …",
)
@JSON
def simulate(
    supplier: str,
    operations: tuple[str, ...],
    products: tuple[str, ...],
    first: str | None,
    last: str | None,
    requests: Path | None,
    as_json: bool,
    **facts: Any,
) -> None:
    """Run through a period: what changes on which day, or what becomes of each request.

    Without --requests, every operation is asked about on every day, and the days on which an
    outcome changes are shown. With it, each line of the file is decided at its own instant; a fact
    that a line does not state is what the options state. Exit status with --requests: 0 if all are
    allowed or warned, 1 if one is prohibited, else 2 if one is undetermined.

    \b
    Examples:
      tocsin law simulate --supplier kaspersky --place US --from 2024-06-01 --to 2024-11-01
      tocsin law simulate --supplier kaspersky --requests orders.jsonl --json
    """
    if requests is not None:
        sys.exit(_run_requests(requests, supplier, facts, as_json=as_json))
    stated = read_facts(**facts)
    found, _ = _timeline(stated, supplier, operations, products, first, last)
    _print_simulation(found, as_json=as_json)


def _timeline(
    stated: Stated,
    supplier: str,
    operations: tuple[str, ...],
    products: tuple[str, ...],
    first: str | None,
    last: str | None,
) -> tuple[Timeline, str]:
    from datetime import timedelta

    from tocsin.jurisdiction.decide import decide
    from tocsin.jurisdiction.timeline import timeline as timeline_of

    book = the_book()
    known = book.supplier(supplier)
    doing = [read_operation(name) for name in operations] or [
        each for each in OPERATIONS if each not in ALWAYS_ALLOWED
    ]
    begins, _ = read_instant(first or _PERIOD[0], stated.places)
    questions: list[Question] = []
    for operation in doing:
        for product in _products(products, operation):
            questions.append(stated.question(operation, product, known.id, begins))
    times = [time for each in questions for time in decide(book, each).changes_after(begins)]
    if last is not None:
        ends, _ = read_instant(last, stated.places)
    else:
        try:
            ends = max([*times, begins + timedelta(days=30)]) + timedelta(days=30)
        except OverflowError:
            raise UsageError("the period would end after the year 9999; state --to") from None
    if first is None and times:
        begins = min(times) - timedelta(days=30)
    return timeline_of(book, questions, begins, ends), known.name


def _products(stated: tuple[str, ...], operation: Operation) -> list[Product | None]:
    """The classes for an operation: its own, if it has one and only the default was stated."""
    if stated == ("antivirus",) and (own := read_product(None, operation)):
        return [own]
    return list(dict.fromkeys(read_product(name, operation) for name in stated))


def _print_timeline(of: Timeline) -> None:
    from tocsin.cli.law_output import NO_ADVICE, coloured, utc
    from tocsin.cli.table import output_width
    from tocsin.jurisdiction.vocabulary import Outcome

    names = [
        each.operation.value + (f" · {each.product.value}" if each.product else "")
        for each in of.rows
    ]
    widest = max(map(len, names))
    cell = max(len(each.value) for each in Outcome) + 2
    instants = of.instants
    room = max(1, (output_width() - widest - 2) // cell)
    for start in range(0, len(instants), room):
        part = instants[start : start + room]
        click.echo(" " * widest + "  " + "".join(f"{each:%Y-%m-%d}".ljust(cell) for each in part))
        click.echo(
            "from (UTC)".ljust(widest)
            + "  "
            + "".join(f"{each:%H:%M}".ljust(cell) for each in part)
        )
        for name, row in zip(names, of.rows, strict=True):
            cells = [row.at(each).outcome for each in part]
            shown = "".join(coloured(each) + " " * (cell - len(each.value)) for each in cells)
            click.echo(f"{name.ljust(widest)}  {shown}".rstrip())
        click.echo()
    rules = dict.fromkeys(rule for row in of.rows for span in row.spans for rule in span.rules)
    if rules:
        click.echo("By: " + ", ".join(rules))
    click.echo(f"Until {utc(of.last)}. {NO_ADVICE}")


def _timeline_json(of: Timeline) -> dict[str, Any]:
    from tocsin.cli.law_output import utc

    return {
        "from": utc(of.first),
        "to": utc(of.last),
        "instants": [utc(each) for each in of.instants],
        "assumptions": list(of.assumptions),
        "rows": [
            {
                "operation": row.operation.value,
                "product": row.product.value if row.product else None,
                "spans": [
                    {
                        "from": utc(span.begins),
                        "to": utc(span.ends),
                        "outcome": span.outcome.value,
                        "rules": list(span.rules),
                    }
                    for span in row.spans
                ],
            }
            for row in of.rows
        ],
    }


def _print_simulation(of: Timeline, *, as_json: bool) -> None:
    from tocsin.cli.law_output import NO_ADVICE, coloured, utc
    from tocsin.cli.table import format_table
    from tocsin.jurisdiction.timeline import changes, days

    found = changes(of)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "from": utc(of.first),
                    "to": utc(of.last),
                    "assumptions": list(of.assumptions),
                    "changes": [
                        {
                            "at": utc(each.at),
                            "operation": each.operation.value,
                            "product": each.product.value if each.product else None,
                            "before": each.before.value,
                            "after": each.after.value,
                            "rules": list(each.rules),
                        }
                        for each in found
                    ],
                    "days": [
                        {"day": utc(day), "outcomes": {k.value: n for k, n in counted.items()}}
                        for day, counted in days(of)
                    ],
                }
            )
        )
        return
    begins = Counter(row.at(of.first).outcome for row in of.rows)
    held = ", ".join(f"{count} {coloured(outcome)}" for outcome, count in begins.items())
    click.echo(f"{utc(of.first)}: {held}")
    for instant in dict.fromkeys(each.at for each in found):
        click.echo(f"{utc(instant)}:")
        rows = [
            (
                each.operation.value + (f" · {each.product.value}" if each.product else ""),
                f"{each.before.value} → {each.after.value}",
                ", ".join(each.rules),
            )
            for each in found
            if each.at == instant
        ]
        click.echo(format_table(rows, indent=2))
    if not found:
        click.echo("Nothing changes in this period.")
    click.echo(f"Until {utc(of.last)}. {NO_ADVICE}")


# --- requests -----------------------------------------------------------------------------


def _run_requests(path: Path, supplier: str, facts: dict[str, Any], *, as_json: bool) -> int:
    from tocsin.cli.law_output import decision_json, utc
    from tocsin.jurisdiction.timeline import run_diary
    from tocsin.jurisdiction.vocabulary import Outcome

    book = the_book()
    known = book.supplier(supplier).id
    counted: Counter[Outcome] = Counter()
    with click.open_file(str(path), "rb") as file:
        for decision in run_diary(book, _requests(file, path, known, facts)):
            counted[decision.outcome] += 1
            if as_json:
                said = decision_json(decision)
                del said["considered"]
                click.echo(json.dumps(said, ensure_ascii=False))
                continue
            question = decision.question
            rules = ", ".join(each.rule.id for each in decision.deciding)
            product = question.product.value if question.product else "unknown"
            click.echo(
                f"{utc(question.at)}  {decision.outcome.value:<12}  {question.operation.value}  "
                f"{product}  {decision.facts.person_words}; system in "
                f"{decision.facts.system_words}  {rules}".rstrip()
            )
    if not as_json:
        held = ", ".join(f"{count:,} {outcome.value}" for outcome, count in counted.items())
        click.echo(f"{counted.total():,} requests: {held or 'none'}")
    if counted[Outcome.PROHIBITED]:
        return 1
    return 2 if counted[Outcome.UNDETERMINED] else 0


_WORDS = {
    "place": "places",
    "person": "persons",
    "system_in": "systems",
    "addressee": "addressees",
    "circumstance": "circumstances",
    "embedded": "embedded",
}
_OTHERS = ("operation", "product", "at")


def _requests(
    lines: IO[bytes], path: Path, supplier: str, facts: dict[str, Any]
) -> Iterator[Question]:
    number = 0
    while line := lines.readline(MOST_OF_REQUEST + 1):
        number += 1
        if number > MOST_REQUESTS:
            raise UsageError(f"{path}: more than {MOST_REQUESTS:,} requests; split the file")
        if len(line) > MOST_OF_REQUEST:
            raise UsageError(f"{path}:{number}: longer than {MOST_OF_REQUEST:,} bytes")
        if not line.strip():
            continue
        try:
            yield _request(json.loads(line, object_pairs_hook=_once), supplier, facts)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path}:{number}: not JSON: {error}") from None
        except TocsinError as error:
            raise UsageError(f"{path}:{number}: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object that says nothing twice: of two places it would be the last that counts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise UsageError("a request states something twice; several go into one list")
    return found


def _request(said: Any, supplier: str, facts: dict[str, Any]) -> Question:
    if not isinstance(said, dict) or not isinstance(said.get("operation"), str):
        raise UsageError('expected an object with at least {"operation": …, "at": …}')
    strange = said.keys() - _WORDS.keys() - set(_OTHERS)
    if strange:
        raise UsageError(f"there is no {', '.join(sorted(map(repr, strange)))} in a request")
    stated = dict(facts)
    for word, option in _WORDS.items():
        if word in said:
            value = said[word]
            several = option != "embedded"
            texts = value if isinstance(value, list) else [value]
            if not all(isinstance(text, str) for text in texts) or (
                not several and texts != [value]
            ):
                raise UsageError(f"{word} must be a text, or a list of texts")
            stated[option] = tuple(texts) if several else value
    known = read_facts(**stated)
    operation = read_operation(said["operation"])
    product = said.get("product")
    if product is not None and not isinstance(product, str):
        raise UsageError("product must be a text")
    at = said.get("at")
    if not isinstance(at, str):
        raise UsageError('a request needs its instant: "at": "2024-09-29T04:00:00Z"')
    instant, _ = read_instant(at, known.places)
    return known.question(operation, read_product(product, operation), supplier, instant)

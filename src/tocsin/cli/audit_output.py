"""An audit as a table for people."""

from __future__ import annotations

from collections.abc import Iterator

import click

from tocsin.audit.findings import Bearing, bearings, next_change, outcome_of
from tocsin.audit.model import Match, SupplierFinding
from tocsin.audit.report.grouping import grouped
from tocsin.audit.report.interface import DISCLAIMER, Report
from tocsin.audit.report.words import bound, listed, moment, name_of, since, using
from tocsin.cli.table import format_table, wrap
from tocsin.jurisdiction.vocabulary import Outcome

MOST_LINES = 40
"""Lines of one table; the other formats have all of them."""

_COLOURS = {
    Outcome.PROHIBITED: "red",
    Outcome.UNDETERMINED: "magenta",
    Outcome.WARNED: "yellow",
    Outcome.ALLOWED: "green",
}
_OUTCOME = len(Outcome.UNDETERMINED.value)
_EMBEDDED = {True: ", as part of other products", None: ", perhaps part of other products"}


def table_lines(report: Report) -> Iterator[str]:
    """The report; lines or blocks of them, with colours."""
    colour = headline_colour(report)
    yield click.style(wrap(report.headline()), fg=colour, bold=True)
    for group in grouped(report.audit.suppliers):
        yield ""
        yield from _group(group)
    if report.audit.advisories:
        yield ""
        yield from _advisories(report)
    if report.audit.skipped:
        yield ""
        yield click.style(f"Not looked at, or not wholly: {len(report.audit.skipped):,}", bold=True)
        rows = [(each.place, each.reason) for each in report.audit.skipped[:MOST_LINES]]
        yield format_table(rows, indent=2)
        yield from _more(len(report.audit.skipped))
    yield ""
    yield from _facts(report)


def headline_colour(report: Report) -> str:
    """The colour of the worst that was found."""
    tally = report.tally()
    if tally["prohibited"] or tally["malicious"]:
        return "red"
    if tally["undetermined"] or tally["warned"] or tally["vulnerable"] or report.unseen:
        return "yellow"
    return "green"


def _group(group: list[SupplierFinding]) -> Iterator[str]:
    first = group[0]
    outcome, supplier = outcome_of(first), first.matches[0].supplier
    number = f"{len(group):,} component" + ("" if len(group) == 1 else "s")
    part = _EMBEDDED.get(first.use.question.embedded, "")
    lead = click.style(outcome.value.upper(), fg=_COLOURS[outcome], bold=True)
    yield f"{lead}  {wrap(f'{supplier.name}: {number}{part}')}"
    yield wrap(using(first), first="  ", following="  ")
    for one in bearings(first):
        yield _bearing(one)
    if (change := next_change(first)) is not None:
        said = f"Next change: {moment(change[0])}, {change[1].value} becomes {change[2].value}."
        yield wrap(said, first="  ", following="  ")
    rows = [
        (
            name_of(each.component),
            each.component.place,
            _found_by(each.matches),
            f"{each.confidence:.2f}",
        )
        for each in group[:MOST_LINES]
    ]
    yield format_table(rows, ("component", "where", "found by", "sure"), indent=2)
    yield from _more(len(group))


def _bearing(one: Bearing) -> str:
    """What a rule does, in two lines or more."""
    lead = f"  {one.outcome.value:<{_OUTCOME}}"
    indent = " " * (len(lead) + 2)
    what = wrap(listed(one.operations), first=indent, following=indent)
    unsure = "" if one.is_certain else f"; {one.reason}"
    by = f"{one.rule.id}, {since(one.rule)}; binds {bound(one.rule)}{unsure}"
    return (
        click.style(lead, fg=_COLOURS[one.outcome])
        + what[len(lead) :]
        + "\n"
        + wrap(by, first=indent, following=indent)
    )


def _found_by(matches: tuple[Match, ...]) -> str:
    """The surest mark, with what is to be minded about it."""
    first = matches[0]
    caution = f" ({first.caution})" if first.caution else ""
    more = f"; and {len(matches) - 1} more" if len(matches) > 1 else ""
    return f"{first.trace.where}: {first.trace.value}{caution}{more}"


def _advisories(report: Report) -> Iterator[str]:
    yield click.style("Malicious and vulnerable packages", bold=True)
    rows = [
        (
            "MALICIOUS" if each.advisory.is_malicious else "vulnerable",
            each.advisory.id,
            name_of(each.component),
            each.component.place,
            each.advisory.summary,
            ", ".join(each.advisory.fixed) or ("remove it" if each.advisory.is_malicious else "-"),
        )
        for each in report.audit.advisories[:MOST_LINES]
    ]
    headings = ("", "advisory", "component", "where", "what", "fixed in")
    yield format_table(rows, headings, indent=2)
    yield from _more(len(report.audit.advisories))


def _facts(report: Report) -> Iterator[str]:
    yield f"Asked about: {report.where}, {report.instant}."
    if not report.facts.places:
        yield wrap("Without a place nothing can be said to be allowed: name one with --place.")
    for each in report.assumptions:
        yield wrap(f"assumed: {each}", first="  ", following="    ")
    for each in report.looked_in:
        yield wrap(f"looked in: {each}", first="  ", following="    ")
    for each in report.advisories_from:
        yield wrap(f"advisories: {each}", first="  ", following="    ")
    if report.weaker:
        yield wrap(
            f"{report.weaker:,} components had only hints below {report.min_confidence:g}; a lower "
            "--min-confidence shows them."
        )
    yield wrap(f"Rulebook: {report.rulebook}. {DISCLAIMER}")


def _more(number: int) -> Iterator[str]:
    if number > MOST_LINES:
        yield f"  and {number - MOST_LINES:,} more; --format json or html has all of them"

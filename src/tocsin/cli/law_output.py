"""How decisions and rules are shown: to people in words, to programs as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import click
import msgspec

from tocsin.cli.table import format_table, wrap
from tocsin.jurisdiction.decide import Considered, Decision, Truth
from tocsin.jurisdiction.model import Instrument
from tocsin.jurisdiction.places import place_name, zone_of
from tocsin.jurisdiction.rulebook import BoundRule, Rulebook
from tocsin.jurisdiction.vocabulary import BASES, KINDS, OPERATIONS, OUTCOMES, Kind, Outcome

NO_ADVICE = "This is no legal advice; rules carry a mark of how well each was checked."
_COLOURS = {
    Outcome.ALLOWED: "green",
    Outcome.WARNED: "yellow",
    Outcome.PROHIBITED: "red",
    Outcome.UNDETERMINED: "magenta",
}
_TRUTH = {Truth.YES: "applies", Truth.UNKNOWN: "unknown", Truth.NO: "does not apply"}


def utc(time: datetime) -> str:
    """An instant as `2024-09-29T04:00:00Z`."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def coloured(outcome: Outcome) -> str:
    """An outcome in its colour, where the output is a terminal."""
    return click.style(outcome.value, fg=_COLOURS[outcome], bold=True)


def beware(decision: Decision) -> list[str]:
    """What whoever relies on a decision should look at twice."""
    return [
        f"{exemption} takes {rule.id} ({rule.instrument.authority}) away, and is another act: "
        "whether it may is not for the rulebook to say"
        for rule, exemption in decision.taken_away
    ]


# --- decisions ----------------------------------------------------------------------------


def decision_json(decision: Decision, meant: str = "") -> dict[str, Any]:
    """A decision as JSON has it.

    Args:
        decision: what was decided.
        meant: how its instant was understood, if that was not stated whole.
    """
    question, change = decision.question, decision.next_change
    return {
        "outcome": decision.outcome.value,
        "at": utc(question.at),
        "operation": question.operation.value,
        "product": question.product.value if question.product else None,
        "supplier": question.supplier,
        "places": list(question.places),
        "persons": [f"{each.tie.value}:{each.country}" for each in decision.facts.persons],
        "assumptions": [*([meant] if meant else []), *decision.assumptions],
        "unknown": list(decision.facts.unknown),
        "rules": [_considered_json(each) for each in decision.deciding],
        "considered": [_considered_json(each) for each in decision.considered],
        "beware": beware(decision),
        "obligations": [
            {"rule": rule.id, "binds": [each.value for each in rule.rule.binds], "text": text}
            for rule, text in decision.obligations
        ],
        "next_change": None
        if change is None
        else {"at": utc(change[0]), "outcome": change[1].value},
    }


def _considered_json(one: Considered) -> dict[str, Any]:
    rule = one.rule
    return {
        "rule": rule.id,
        "kind": rule.rule.kind.value,
        "applies": {Truth.YES: "yes", Truth.UNKNOWN: "unknown", Truth.NO: "no"}[one.applies],
        "reason": one.reason,
        "exempted_by": list(one.exempted_by),
        "summary": rule.rule.summary,
        "authority": rule.instrument.authority,
        "citation": rule.instrument.citation,
        "link": rule.instrument.link,
        "binds": [each.value for each in rule.rule.binds],
        "effective": utc(rule.rule.effective),
        "basis": rule.rule.basis.value,
    }


def print_decision(decision: Decision, meant: str = "", *, everything: bool = False) -> None:
    """Show a decision to people."""
    question = decision.question
    product = question.product.value if question.product else "a product of unknown class"
    click.echo(
        f"{coloured(decision.outcome)}: {OUTCOMES[decision.outcome]}\n"
        + wrap(
            f"{question.operation.value} ({OPERATIONS[question.operation]}), {product}, "
            f"{question.supplier}, on {utc(question.at)}",
            first="  ",
            following="  ",
        )
    )
    for each in decision.deciding:
        _print_considered(each)
    for rule, text in decision.obligations:
        click.echo(wrap(f"To do ({rule.id}): {text}.", first="  ", following="    "))
    if change := decision.next_change:
        click.echo(f"  Changes on {utc(change[0])}: {coloured(change[1])}")
    else:
        click.echo("  No date is known on which this changes.")
    _print_lines("Beware", beware(decision))
    _print_lines("Assumed", [meant] if meant else [], decision.assumptions)
    _print_lines("Unknown", decision.facts.unknown)
    if everything:
        rows = [
            (each.rule.id, "exempted" if each.exempted_by else _TRUTH[each.applies], each.reason)
            for each in decision.considered
        ]
        click.echo("\n" + format_table(rows, ("rule", "", "why")))
    elif decision.considered:
        click.echo(f"  {len(decision.considered)} rules were considered; --all shows each.")
    click.echo(NO_ADVICE)


def _print_considered(one: Considered) -> None:
    rule, stated = one.rule, one.rule.rule
    click.echo(wrap(f"{rule.id}: {stated.summary}", first="  ", following="    "))
    for line in (
        f"{KINDS[stated.kind].split(';')[0]}; it binds "
        + ", ".join(each.value for each in stated.binds),
        f"{rule.instrument.authority}; {rule.instrument.citation}",
        rule.instrument.link,
        one.reason,
        f"basis: {stated.basis.value}, {BASES[stated.basis]}",
        stated.note,
    ):
        if line:
            click.echo(wrap(line, first="    ", following="      "))


def _print_lines(title: str, *groups: Iterable[str]) -> None:
    lines = [line for group in groups for line in group]
    if lines:
        click.echo(f"  {title}:")
        for line in lines:
            click.echo(wrap(line, first="    - ", following="      "))


# --- rules --------------------------------------------------------------------------------


def instrument_json(instrument: Instrument) -> dict[str, Any]:
    """An instrument as JSON has it, its instants in UTC."""
    plain: dict[str, Any] = msgspec.to_builtins(instrument)
    plain["rules"] = [f"{instrument.id}/{rule.name}" for rule in instrument.rules]
    plain["effective"] = utc(min(rule.effective for rule in instrument.rules))
    del plain["rule"]
    return plain


def rules_json(rules: Sequence[BoundRule]) -> dict[str, Any]:
    """Rules of one instrument as JSON has them."""
    plain = instrument_json(rules[0].instrument)
    plain["rules"] = [{"id": rule.id, **msgspec.to_builtins(rule.rule)} for rule in rules]
    return plain


def print_instruments(book: Rulebook, found: Sequence[Instrument]) -> None:
    """Show which instruments there are."""
    rows = [
        (
            each.id,
            each.jurisdiction,
            _begins(each).isoformat(),
            ", ".join(dict.fromkeys(rule.kind.value for rule in each.rules)),
            each.basis.value,
            each.authority,
        )
        for each in sorted(found, key=lambda each: (each.jurisdiction, _begins(each)))
    ]
    click.echo(format_table(rows, ("id", "place", "from", "kinds", "basis", "authority")))
    click.echo(
        f"Edition {book.edition.number} of the rulebook, checked on {book.edition.checked}; "
        f"{len(found)} instruments. {NO_ADVICE}"
    )


def _begins(instrument: Instrument) -> date:
    """The first day on which it says anything, by the clocks of the place."""
    first = min(
        (rule for rule in instrument.rules),
        key=lambda rule: (rule.kind is Kind.EXEMPTION, rule.effective),
    )
    return first.effective.astimezone(zone_of(instrument.jurisdiction)).date()


def print_rules(rules: Sequence[BoundRule]) -> None:
    """Show what an instrument says."""
    instrument = rules[0].instrument
    click.echo(wrap(f"{instrument.id}: {instrument.title}"))
    days = [
        f"{word} {day.isoformat()}"
        for word, day in (
            ("announced", instrument.announced),
            ("published", instrument.published),
        )
        if day is not None
    ]
    for line in (
        f"{instrument.authority}; {instrument.instrument}",
        instrument.citation,
        instrument.link,
        f"{place_name(instrument.jurisdiction)}; {instrument.status.value}"
        + "".join(f"; {day}" for day in days),
        f"about the products of {', '.join(instrument.suppliers)}",
        f"basis: {instrument.basis.value}, {BASES[instrument.basis]}",
        *instrument.notes,
        *(f"Conflict: {text}" for text in instrument.conflicts),
    ):
        if line:
            click.echo(wrap(line, first="  ", following="    "))
    for rule in rules:
        _print_rule(rule)
    click.echo(NO_ADVICE)


def _print_rule(rule: BoundRule) -> None:
    stated = rule.rule
    click.echo("\n" + wrap(f"{rule.id}: {stated.summary}"))
    nexus = [
        f"systems in {', '.join(map(place_name, stated.nexus.places))}"
        if stated.nexus.places
        else "",
        f"persons of {', '.join(map(place_name, stated.nexus.persons))} ("
        + " or ".join(each.value for each in stated.nexus.ties)
        + ")"
        if stated.nexus.persons
        else "",
    ]
    rows = [
        ("kind", f"{stated.kind.value}: {KINDS[stated.kind]}"),
        ("binds", ", ".join(each.value for each in stated.binds)),
        ("operations", ", ".join(each.value for each in stated.operations)),
        ("products", ", ".join(each.value for each in stated.products)),
        ("about", " or ".join(filter(None, nexus))),
        ("addressees", ", ".join(each.value for each in stated.addressees) or "everybody"),
        ("if", ", ".join(each.value for each in stated.circumstances)),
        ("embedded code", stated.embedded.value),
        ("effective", _both(stated.effective, rule)),
        ("certain from", _both(stated.certain_from, rule)),
        ("comply by", _both(stated.comply_by, rule)),
        ("ends", _both(stated.ends, rule)),
        ("exempts from", ", ".join(stated.exempts)),
        *(("to do", text) for text in stated.obligations),
        *(
            ("other reading", f"{utc(each.effective)}: {each.note} ({each.basis.value})")
            for each in stated.readings
        ),
        ("basis", f"{stated.basis.value}, {BASES[stated.basis]}"),
        ("note", stated.note),
    ]
    click.echo(format_table([row for row in rows if row[1]], indent=2))


def _both(time: datetime | None, rule: BoundRule) -> str:
    """An instant in UTC, and by the clocks of the place."""
    if time is None:
        return ""
    there = time.astimezone(zone_of(rule.instrument.jurisdiction))
    return f"{utc(time)} ({there:%Y-%m-%d %H:%M %Z})"

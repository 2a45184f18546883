"""How updates are shown: while they run, and what they came to."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.printable import printable
from tocsin.cli.sizes import counted, human_size
from tocsin.cli.table import format_table

if TYPE_CHECKING:
    from tocsin.cli.progress import Meter
    from tocsin.updates.receive.errors import ConsentNeeded
    from tocsin.updates.receive.rulebook import EditionOutcome
    from tocsin.updates.receive.updater import Outcome


@contextmanager
def waits(*, as_json: bool) -> Iterator[None]:
    """Ends the command with status 3 when a new publisher waits for consent."""
    from tocsin.updates.receive.errors import ConsentNeeded

    try:
        yield
    except ConsentNeeded as error:
        if as_json:
            click.echo(json.dumps(waiting_values(error)))
        else:
            click.echo(f"tocsin: {printable(str(error))}", err=True)
        sys.exit(3)


_MOST_NAMED = 50
"""Rules of one kind of change that are named on a terminal."""


def waiting_values(error: ConsentNeeded) -> dict[str, Any]:
    """A publisher that waits for consent, as JSON has it."""
    return {"outcome": "waiting", "root": error.version, "error": str(error)}


def shown(meter: Meter) -> Callable[[str, int, int], None]:
    """Shows on a meter how far a download is."""
    last = 0.0

    def progress(what: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < 0.1 and done != total:
            return
        last = now
        part = f" {human_size(done)} of {human_size(total)}" if total else ""
        meter.say(f"{what}{part}")

    return progress


def outcome_values(outcome: Outcome) -> dict[str, Any]:
    """An update's outcome as JSON has it."""
    return {
        "outcome": "updated" if outcome.changed else "unchanged",
        "version": outcome.now,
        "before": outcome.before,
        "why": outcome.choice.why,
        "way": outcome.way,
        "source": outcome.source,
        "vouched": [
            {"point": finding.point, "stands": finding.stands, "detail": finding.detail}
            for finding in (outcome.vouching.findings if outcome.vouching else ())
        ],
        "left_aside": outcome.failures,
        "remarks": outcome.remarks,
        "software": outcome.software,
        "waiting_roots": [waiting.step.version for waiting in outcome.waiting],
        "steps": [
            {
                "name": step.name,
                "milliseconds": round(step.milliseconds, 1),
                "bytes": step.bytes,
                "requests": step.requests,
            }
            for step in outcome.steps
        ],
    }


def edition_values(outcome: EditionOutcome) -> dict[str, Any]:
    """What came of looking for an edition of the rulebook, as JSON has it."""
    return {
        "outcome": "failed" if outcome.failed else "updated" if outcome.changed else "unchanged",
        "edition": outcome.now,
        "before": outcome.before,
        "why": outcome.why,
        "checked": outcome.facts.checked.isoformat() if outcome.facts else None,
        "rules": outcome.rules._asdict() if outcome.rules else None,
        "source": outcome.source,
        "vouched": [
            {"point": finding.point, "stands": finding.stands, "detail": finding.detail}
            for finding in (outcome.vouching.findings if outcome.vouching else ())
        ],
        "left_aside": outcome.failures,
    }


def say_editions(outcomes: list[EditionOutcome], *, as_json: bool) -> dict[str, Any]:
    """Say what came of the rulebook, if it was looked for, or have it as JSON has it."""
    if not outcomes:
        return {}
    if not as_json:
        print_edition(outcomes[0])
    return {"rulebook": edition_values(outcomes[0])}


def print_edition(outcome: EditionOutcome) -> None:
    """Say what came of the rulebook, if anything did."""
    for mirror_url, reason in outcome.failures.items():
        click.echo(printable(f"left aside: {mirror_url}: {reason}"), err=True)
    if outcome.failed:
        click.echo(printable(f"tocsin: the rulebook: {outcome.failed}"), err=True)
    elif outcome.changed:
        checked = f", checked {outcome.facts.checked}" if outcome.facts else ""
        before = f" (was {outcome.before})" if outcome.before else ""
        click.echo(printable(f"{outcome.why}{before}{checked}"))
        for word, names in outcome.rules._asdict().items() if outcome.rules else ():
            if names:
                more = f" and {len(names) - _MOST_NAMED:,} more" if names[_MOST_NAMED:] else ""
                shown = ", ".join(names[:_MOST_NAMED])
                click.echo(printable(f"  rules {word}: {shown}{more}"))
        for finding in outcome.vouching.findings if outcome.vouching else ():
            click.echo(printable(f"  {finding.point}: {finding.detail}"))


def print_outcome(outcome: Outcome) -> None:
    """Say what an update came to."""
    for mirror_url, reason in outcome.failures.items():
        click.echo(printable(f"left aside: {mirror_url}: {reason}"), err=True)
    for remark in outcome.remarks:
        click.echo(printable(remark), err=True)
    if not outcome.changed:
        click.echo(printable(outcome.choice.why))
    else:
        before = f" (was {outcome.before})" if outcome.before else ""
        click.echo(printable(f"version {outcome.now} is in use{before}, {outcome.way}"))
        if outcome.now < outcome.before:
            click.echo(printable(f"  {outcome.choice.why}"))
        for finding in outcome.vouching.findings if outcome.vouching else ():
            click.echo(printable(f"  {finding.point}: {finding.detail}"))
        rows = [
            (
                step.name,
                f"{step.milliseconds:,.0f} ms",
                step.bytes,
                counted(step.requests, "request"),
            )
            for step in outcome.steps
        ]
        click.echo(format_table(rows, ("step", "time", "bytes", ""), indent=2))
    if outcome.software:
        from tocsin.app.update_health import failed_software, later_software, software_words

        if later := later_software(outcome.software):
            click.echo(printable(software_words(later, failed_software(later))))
    for waiting in outcome.waiting:
        click.echo(
            printable(
                f"root {waiting.step.version} waits for you ('tocsin update consent'): "
                f"{'; '.join(waiting.reasons())}"
            ),
            err=True,
        )

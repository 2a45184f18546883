"""`tocsin update` with sources that others publish beside the signed database, and their list."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.printable import printable
from tocsin.cli.sizes import human_size
from tocsin.cli.table import format_table
from tocsin.cli.times import local_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.app.update_sources import SourceAsked, SourceOutcome
    from tocsin.app.updates import Asked
    from tocsin.cli.progress import Meter
    from tocsin.settings import Settings
    from tocsin.updates.receive.rulebook import EditionOutcome
    from tocsin.updates.sources.http import Progress

_CONTEXT = {"help_option_names": ["-h", "--help"]}
WAITS = 3


def run_update(
    settings: Settings,
    asked: Asked,
    named: Sequence[str],
    of_sources: SourceAsked,
    *,
    as_json: bool,
) -> None:
    """Update the signed database and the sources beside it, and say what came of it.

    Args:
        settings: of the device.
        asked: of the signed database.
        named: sources that are meant alone; empty for everything.
        of_sources: asked of sources.
        as_json: print one JSON object.
    """
    from tocsin.app.update_sources import meant_sources

    specs = meant_sources(settings, named)
    values: dict[str, Any] = {}
    status = 0
    if not named:
        status, values = _signed(settings, asked, alone=not specs, as_json=as_json)
    if specs:
        outcomes = _sources(settings, specs, of_sources, as_json=as_json)
        failed = any(outcome.state == "failed" for outcome in outcomes)
        status = status or (2 if failed else 0)
        values["sources"] = [_outcome_values(outcome) for outcome in outcomes]
    if as_json:
        click.echo(json.dumps(values))
    sys.exit(status)


def _signed(
    settings: Settings, asked: Asked, *, alone: bool, as_json: bool
) -> tuple[int, dict[str, Any]]:
    """The signed database: exit status and what JSON says of it.

    Raises:
        TocsinError: it was not updated, and there is nothing else to be done.
    """
    from tocsin.app.updates import is_trust_stated, update_device
    from tocsin.cli.progress import Meter
    from tocsin.cli.update_progress import (
        outcome_values,
        print_outcome,
        say_editions,
        shown,
        waiting_values,
    )
    from tocsin.errors import TocsinError
    from tocsin.updates.receive.errors import ConsentNeeded, NoTrust

    editions: list[EditionOutcome] = []

    try:
        with Meter(enabled=not as_json) as meter:
            outcome = update_device(settings, asked, shown(meter), meter.say, told=editions.append)
    except ConsentNeeded as error:
        _say_error(error, as_json=as_json)
        return WAITS, waiting_values(error) | say_editions(editions, as_json=as_json)
    except TocsinError as error:
        if alone:
            say_editions(editions, as_json=as_json)
            raise
        if isinstance(error, NoTrust) and not is_trust_stated(settings, asked):
            # A device may live on what others publish alone; that is no failure.
            return 0, {"outcome": "no trust", "error": str(error)}
        _say_error(error, as_json=as_json)
        return 2, {"outcome": "failed", "error": str(error)} | say_editions(
            editions, as_json=as_json
        )
    if not as_json:
        print_outcome(outcome)
    failed = outcome.choice.failed or any(each.failed for each in editions)
    status = WAITS if outcome.waiting else 2 if failed else 0
    return status, outcome_values(outcome) | say_editions(editions, as_json=as_json)


def _say_error(error: Exception, *, as_json: bool) -> None:
    if not as_json:
        click.echo(f"tocsin: {printable(str(error))}", err=True)


def _sources(
    settings: Settings, specs: Any, asked: SourceAsked, *, as_json: bool
) -> list[SourceOutcome]:
    from tocsin.app.update_sources import update_sources
    from tocsin.cli.progress import Meter

    with Meter(enabled=not as_json) as meter:
        outcomes = update_sources(settings, specs, asked, download_shown(meter), meter.say)
    if as_json:
        return outcomes
    for outcome in outcomes:
        aside = outcome.state in ("failed", "paused")
        line = f"{outcome.name}: {outcome.text.removeprefix(f'{outcome.name}: ')}"
        click.echo(f"{'tocsin: ' if aside else ''}{printable(line)}", err=aside)
    return outcomes


def download_shown(meter: Meter) -> Progress:
    """Shows on a meter how far a download is."""
    last = 0.0

    def show(name: str, size: int, whole: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < 0.1 and size != whole:
            return
        last = now
        of = f" of {human_size(whole)}" if whole else ""
        meter.say(f"{name}: {human_size(size)}{of}")

    return show


def _outcome_values(outcome: SourceOutcome) -> dict[str, Any]:
    return {
        "name": outcome.name,
        "outcome": outcome.state.value,
        "text": outcome.text,
        "signatures": sum(each.source.signatures for each in outcome.files),
        "files": [each.file for each in outcome.files],
        "seconds": round(outcome.seconds, 2),
    }


@click.command("sources", context_settings=_CONTEXT)
@click.option("--remove", metavar="NAME", help="Use this one no more, and remove its files.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def sources(remove: str | None, as_json: bool) -> None:
    """List the sources that others publish: those used here, and those that have a name.

    'tocsin update --source NAME' adds one, and so does [updates] sources in the settings.

    \b
    Examples:
      tocsin update sources
      tocsin update sources --remove urlhaus
    """
    from tocsin.app.update_sources import remove_source, sources_values
    from tocsin.cli.settings_option import current_settings
    from tocsin.updates.sources.catalogue import KNOWN

    settings = current_settings()
    if remove:
        remove_source(settings, remove)
        click.echo(json.dumps({"removed": remove}) if as_json else f"{remove} is used no more")
        return
    held = sources_values(settings)
    if as_json:
        known = [
            {"name": spec.name, "kind": spec.kind.value, "url": spec.url, "licence": spec.licence}
            for spec in KNOWN.values()
        ]
        click.echo(json.dumps({"sources": held, "known": known}))
        return
    if held:
        click.echo(format_table(source_rows(held), SOURCE_HEADS))
        for line in source_troubles(held):
            click.echo(printable(f"tocsin: {line}"), err=True)
    else:
        click.echo("no source is used here")
    here = {each["name"] for each in held}
    rest = [
        (spec.name, spec.kind.value, spec.licence, spec.url)
        for spec in KNOWN.values()
        if spec.name not in here
    ]
    click.echo("\nothers that have a name ('tocsin update --source NAME' brings one in):")
    click.echo(format_table(rest, ("name", "kind", "licence", "from"), indent=2))


SOURCE_HEADS = ("source", "signatures", "newest", "asked", "signed by", "licence")


def source_rows(held: list[dict[str, Any]]) -> list[tuple[str | int, ...]]:
    """A row a source, for a table with `SOURCE_HEADS`."""
    rows: list[tuple[str | int, ...]] = []
    for each in held:
        files = each["files"]
        signed = sorted({by for file in files for by in file["signed"]})
        licences = sorted({file["licence"] for file in files if file["licence"]})
        rows.append(
            (
                printable(each["name"]),
                each["signatures"],
                local_time(max(file["fetched"] for file in files)) if files else "",
                local_time(each["tried"]) if each["tried"] else "",
                ", ".join(signed) or ("nobody" if files else ""),
                printable(", ".join(licences)[:40]),
            )
        )
    return rows


def source_troubles(held: list[dict[str, Any]]) -> list[str]:
    """What is wrong with sources, a line each."""
    return [
        f"{each['name']}: {each['trouble'].removeprefix(each['name'] + ': ')}"
        for each in held
        if each["trouble"]
    ]

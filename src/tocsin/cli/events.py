"""`tocsin events`: show, follow and verify the journal."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tocsin.cli.printable import printable
from tocsin.cli.table import format_table
from tocsin.cli.times import local_time, past_moment

if TYPE_CHECKING:
    from tocsin.app.device_journal import Chosen
    from tocsin.protect.journal.store import Entry, Filter

_KINDS = (
    "detection",
    "action",
    "scan",
    "guard",
    "update",
    "failure",
    "setting",
    "daemon",
    "task",
)  # as in protect.journal.event, which a mere --help does not load; a test compares them
_SEVERITIES = ("info", "notice", "warning", "alarm")


@click.command("events", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--kind", "kinds", multiple=True, type=click.Choice(_KINDS), help="Repeatable.")
@click.option("--severity", type=click.Choice(_SEVERITIES), default="info", help="At least this.")
@click.option("--since", metavar="WHEN", help="A date (2026-12-31T08:00) or so long ago (2h, 7d).")
@click.option("--until", metavar="WHEN", help="The same.")
@click.option(
    "--path", default="", metavar="GLOB", help="Of the file; a folder takes in all below."
)
@click.option("--signature", default="", metavar="GLOB", help="Name of what was found.")
@click.option("--action", default="", help="What was done: denied, quarantined, restored, …")
@click.option("--text", default="", help="Part of the message, the path or a name.")
@click.option("--after", type=click.IntRange(0), default=0, help="Only numbers above this.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=50,
    show_default=True,
    help="The newest so many; 0: all.",
)
@click.option("-f", "--follow", is_flag=True, help="Then show what comes, until interrupted.")
@click.option(
    "--own", is_flag=True, help="Your own commands' journal, where you are shown the device's."
)
@click.option("--verify", is_flag=True, help="Check that nothing was changed or taken away.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(
    kinds: tuple[str, ...],
    severity: str,
    since: str | None,
    until: str | None,
    path: str,
    signature: str,
    action: str,
    text: str,
    after: int,
    limit: int,
    follow: bool,
    own: bool,
    verify: bool,
    as_json: bool,
) -> None:
    """Show what happened: detections, actions, updates, failures, changes of settings.

    Each event's digest covers the event and the digest before it, so that --verify sees what
    was changed or taken away afterwards. Compare the last digest with one that was forwarded
    to another machine to be sure of the whole.

    Root and members of [daemon] admin_group are shown the device's journal, others their own.
    Only who can read the file can verify it.

    Exit status: 0; with --verify 1 when the journal is not as it was written.

    \b
    Examples:
      tocsin events --severity warning --since 7d
      tocsin events --kind detection --path /home --json | jq .signatures
      tocsin events --follow
      tocsin events --verify
    """
    from tocsin.app.as_owner import become_owner
    from tocsin.app.device import device
    from tocsin.app.device_journal import chosen, readable_journal
    from tocsin.cli.settings_option import current_settings, named_settings
    from tocsin.protect.journal.event import Kind, Severity
    from tocsin.protect.journal.store import Filter

    settings, machine = current_settings(), device(named_settings())
    if verify:
        readable = readable_journal(settings, machine)
        become_owner(readable.parent)
        sys.exit(_verify(readable, as_json=as_json))
    wanted = Filter(
        kinds=tuple(map(Kind, kinds)),
        severity=Severity(severity),
        since=past_moment(since) if since else None,
        until=past_moment(until) if until else None,
        path=path,
        signature=signature,
        action=action,
        text=text,
        after=after,
        limit=limit,
        newest=True,
    )
    journal = chosen(settings, machine, own=own)
    if journal.remark:
        click.echo(f"tocsin: {printable(journal.remark)}", err=True)
    if journal.remote is None:
        become_owner(journal.place.parent)
    if follow:
        _follow(journal, wanted, as_json=as_json)
    else:
        _show(journal, wanted, as_json=as_json)


def _show(journal: Chosen, wanted: Filter, *, as_json: bool) -> None:
    from tocsin.app.events import events

    remote = journal.remote
    entries = remote.events(wanted) if remote is not None else events(journal.place, wanted)
    if as_json:
        for entry in entries:
            click.echo(_json(entry))
    elif entries:
        headings = ["#", "time", "severity", "kind", "what"]
        click.echo(format_table([_cells(entry) for entry in entries], headings))
    else:
        click.echo("no such events")


def _follow(journal: Chosen, wanted: Filter, *, as_json: bool) -> None:
    from tocsin.app.events import follow

    def told(text: str) -> None:
        click.echo(f"tocsin: {printable(text)}", err=True)

    coming = (
        journal.remote.follow(wanted, told=told)
        if journal.remote is not None
        else follow(journal.place, wanted, told=told)
    )
    try:
        for entry in coming:
            number, when, severity, kind, what = _cells(entry)
            line = f"{number:>7}  {when}  {severity:<8}  {kind:<9}  {printable(str(what))}"
            click.echo(_json(entry) if as_json else line)
            sys.stdout.flush()
    except KeyboardInterrupt:  # how following ends
        sys.exit(0)


def _verify(place: Path, *, as_json: bool) -> int:
    from tocsin.app.events import verification

    result = verification(place)
    if as_json:
        click.echo(json.dumps(result))
    else:
        for problem in result["problems"]:
            click.echo(printable(f"{place}: {problem}"))
        if not result["problems"]:
            click.echo(
                printable(f"{place}: {result['events']:,} events as they were written")
                + f"\nlast: {result['last']}, digest {result['digest']}"
            )
    return 1 if result["problems"] else 0


def _cells(entry: Entry) -> list[object]:
    event = entry.event
    what = event.message
    # What was done with a finding is not in its text; every other event says it itself.
    action = event.action if event.kind == "detection" else ""
    for more in (", ".join(event.signatures), event.path, action):
        if more and more not in what:
            what += f"; {more}"
    severity = event.severity.value
    if event.severity.rank > 1:
        severity = severity.upper()
    return [event.number, local_time(event.time), severity, event.kind.value, what]


def _json(entry: Entry) -> str:
    from tocsin.app.events import event_values

    try:
        at = datetime.fromtimestamp(entry.event.time, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        at = ""
    return json.dumps({**event_values(entry.event), "at": at, "digest": entry.digest})

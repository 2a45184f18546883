"""`tocsin allow`: exceptions of the user's own, made, listed and revoked."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta

import click

from tocsin.errors import UsageError

_DURATIONS = {"d": 1, "w": 7, "m": 30, "y": 365}


@click.command("allow", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("value", required=False, metavar="[DIGEST|NAME|PATH]")
@click.option("--reason", default="", help="Why it is allowed; kept with the exception.")
@click.option(
    "--expires", metavar="WHEN", help="A date (2026-12-31) or a time from now (30d, 8w, 1y)."
)
@click.option("--list", "listing", is_flag=True, help="List the exceptions that hold.")
@click.option(
    "--all", "everything", is_flag=True, help="With --list: those that no longer hold too."
)
@click.option("--revoke", type=int, metavar="NUMBER", help="Revoke the exception of that number.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    value: str | None,
    reason: str,
    expires: str | None,
    listing: bool,
    everything: bool,
    revoke: int | None,
    as_json: bool,
) -> None:
    """Make an exception for a file's digest, a signature's name or a path.

    An exception for a digest protects that file and everything inside it, wherever it lies;
    one for a name silences that signature; one for a path leaves the file, or the folder and
    all below it, unscanned.

    \b
    Examples:
      tocsin allow ~/tools/keygen.exe --reason 'our own licence tool' --expires 1y
      tocsin allow Tocsin.Any.Test.EICARDigest --reason 'monitoring check'
      tocsin allow --list
      tocsin allow --revoke 2
    """
    from tocsin.app.allow import add_allowed, revoke_allowed

    if listing:
        _print_list(everything=everything, as_json=as_json)
        return
    if revoke is not None:
        entries = [revoke_allowed(revoke)]
        verb = "revoked"
    elif value:
        entries = [add_allowed(value, reason, _moment(expires) if expires else None)]
        verb = "allowed"
    else:
        raise click.UsageError("name a digest, a signature or a path; or --list, or --revoke")
    if as_json:
        click.echo(json.dumps(entries[0]._asdict()))
    else:
        click.echo(f"{verb} {entries[0].number}: {entries[0].kind} {entries[0].value}")
    sys.exit(0)


def _print_list(*, everything: bool, as_json: bool) -> None:
    from tocsin.app.allow import read_allowed

    now = datetime.now(UTC)
    entries = [entry for entry in read_allowed() if everything or entry.holds(now)]
    if as_json:
        click.echo(json.dumps([entry._asdict() for entry in entries]))
        return
    if not entries:
        click.echo("no exceptions")
    for entry in entries:
        until = f", until {entry.expires}" if entry.expires else ""
        ended = "" if entry.holds(now) else " (no longer holds)"
        click.echo(f"{entry.number:>4}  {entry.kind:<6}  {entry.value}{ended}")
        click.echo(f"      {entry.reason} (since {entry.added}{until})")


def _moment(text: str) -> datetime:
    if text[-1:] in _DURATIONS and text[:-1].isdigit():
        return datetime.now(UTC) + timedelta(days=int(text[:-1]) * _DURATIONS[text[-1]])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is neither a date (2026-12-31) nor a time (30d, 8w)") from None
    return moment if moment.tzinfo else moment.astimezone()

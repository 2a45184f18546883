"""`tocsin update status|rollback|pin`: the versions that are on this device."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from tocsin.cli.printable import printable
from tocsin.cli.table import format_table
from tocsin.cli.times import local_time
from tocsin.cli.update_sources import SOURCE_HEADS, source_rows

_CONTEXT = {"help_option_names": ["-h", "--help"]}
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_TRUST = click.option(
    "--trust",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with root.json and policy, instead of the usual one.",
)


@click.command("status", context_settings=_CONTEXT)
@_TRUST
@_JSON
def status(folder: Path | None, as_json: bool) -> None:
    """Say which version is in use, how old it is, and how the last update went.

    Exit status: 0; 1 when something needs attention: no database, a failed update, a root that
    waits, or evidence against a log.

    \b
    Examples:
      tocsin update status
      tocsin update status --json | jq .age_days
    """
    from tocsin.app.update_versions import status_values
    from tocsin.cli.settings_option import current_settings

    values = status_values(current_settings(), folder)
    if as_json:
        click.echo(json.dumps(values))
        sys.exit(1 if values["attention"] else 0)
    rows = [("in use", f"version {values['current']}" if values["current"] else "no version yet")]
    if values["created"]:
        ahead = values["created"] > time.time()
        age = "after what the clock says" if ahead else f"{values['age_days']:.1f} days ago"
        rows.append(("made", f"{local_time(values['created'])}, {age}"))
    if values["pinned"]:
        rows.append(("pinned", f"version {values['pinned']}"))
    rows.append(("kept", ", ".join(map(str, values["kept"])) or "none"))
    if values["log"]:
        rows.append(("log", f"{values['log']['origin']}, {values['log']['size']:,} entries"))
    if values["last"]:
        last = values["last"]
        rows.append(("last run", f"{local_time(last['at'])}: {last['outcome']}: {last['text']}"))
        if last["confirmed"]:
            rows.append(("confirmed", f"as the newest on {local_time(last['confirmed'])}"))
    rows.append(("rulebook", printable(rulebook_words(values["rulebook"]))))
    if values["software"]:
        from tocsin.app.update_health import software_words

        rows.append(("tocsin", software_words(values["software"], values["software_failed"])))
    click.echo(format_table(rows))
    if values["sources"]:
        click.echo("\n" + format_table(source_rows(values["sources"]), SOURCE_HEADS))
    for line in values["attention"]:
        click.echo(printable(f"tocsin: {line}"), err=True)
    sys.exit(1 if values["attention"] else 0)


def rulebook_words(values: dict[str, Any]) -> str:
    """Which edition of the rulebook is in use, and who vouches for it."""
    said = f"edition {values['edition']}, checked {values['checked']}"
    if values["base"] == "packaged":
        return f"{said}, as it comes with tocsin"
    by = ", ".join(values["witnesses"]) or "no witness"
    return f"{said}, since {local_time(values['received'])}, seen by {by}"


@click.command("rollback", context_settings=_CONTEXT)
@click.argument("version", type=click.IntRange(1), required=False)
@click.option("--pulled-back", is_flag=True, help="Even to one that the publisher pulled back.")
@_JSON
def rollback(version: int | None, pulled_back: bool, as_json: bool) -> None:
    """Go back to the version before, or to one that is kept.

    The next update takes a later version than any that was in use, and not the same again, not
    even when what you went to is pulled back; 'tocsin update pin' takes it again. What the device
    knows of the publisher's metadata and of the log is not forgotten. The rulebook is not touched:
    an edition of it never goes back.

    Exit status: 0 done, 2 it is not kept, was pulled back, or does not pass its test here.

    \b
    Examples:
      tocsin update rollback
      tocsin update rollback 11
      tocsin update rollback 11 --pulled-back
    """
    from tocsin.app.update_versions import roll_back
    from tocsin.cli.settings_option import current_settings

    was, now = roll_back(current_settings(), version, pulled_back=pulled_back)
    if as_json:
        click.echo(json.dumps({"before": was, "version": now}))
    else:
        click.echo(f"version {now} is in use (was {was}); the next update takes a later one")


@click.command("pin", context_settings=_CONTEXT)
@click.argument("version", type=click.IntRange(1), required=False)
@click.option("--off", is_flag=True, help="Let it go.")
@_JSON
def pin(version: int | None, off: bool, as_json: bool) -> None:
    """Stay with a version until it is let go.

    Without a number, with the one in use. A version that is not here is fetched by the next
    update. The rulebook goes on being updated.

    \b
    Examples:
      tocsin update pin
      tocsin update pin 11 && tocsin update
      tocsin update pin --off
    """
    from tocsin.app.update_versions import keep_pinned
    from tocsin.cli.settings_option import current_settings

    if off and version:
        raise click.UsageError("name a version, or give --off")
    pinned = keep_pinned(current_settings(), version, off=off)
    if as_json:
        click.echo(json.dumps({"pinned": pinned}))
    else:
        click.echo(f"version {pinned} is pinned" if pinned else "nothing is pinned")

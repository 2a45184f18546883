"""`tocsin update consent`: look at a new publisher, and agree to it or not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from tocsin.cli.printable import printable
from tocsin.cli.table import format_table

_CONTEXT = {"help_option_names": ["-h", "--help"]}


@click.command("consent", context_settings=_CONTEXT)
@click.option("--yes", "agreed", metavar="SHA256", help="Agree to the root of this digest.")
@click.option(
    "--refuse",
    is_flag=True,
    help="Forget what waits, and an agreement that no update has used yet; what is there comes "
    "back.",
)
@click.option("--trust", "folder", type=click.Path(path_type=Path, file_okay=False), help="Folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def consent(agreed: str | None, refuse: bool, folder: Path | None, as_json: bool) -> None:
    """Show who would become the publisher, and agree to it or not.

    Shown are all roots that wait: what each changes, which keys signed it, what it claims, and
    whether it was logged. You agree to the last one by its digest, with all before it. Ask the
    new publisher and the custodians for that digest by a way that you believe.

    Without consent the device keeps its database and goes on scanning.

    Exit status: 0 nothing waits, or you agreed; 3 something waits.

    \b
    Examples:
      tocsin update consent
      tocsin update consent --yes 6f1d… && tocsin update
    """
    from tocsin.app.update_consent import (
        agreed_said,
        give_consent,
        refuse_pending,
        waiting_values,
    )
    from tocsin.cli.settings_option import current_settings

    settings = current_settings()
    if agreed and refuse:
        raise click.UsageError("agree with --yes, or give --refuse")
    if refuse:
        refuse_pending(settings)
        click.echo(json.dumps({"waiting": []}) if as_json else "nothing waits any more")
        return
    waiting = waiting_values(settings, folder)
    if agreed:
        versions = give_consent(settings, folder, agreed)
        if as_json:
            click.echo(json.dumps({"agreed": versions}))
        else:
            click.echo(agreed_said(versions))
        return
    if as_json:
        click.echo(json.dumps({"waiting": waiting}))
    elif not waiting:
        click.echo("nothing waits")
    else:
        _print(waiting)
    sys.exit(3 if waiting else 0)


def _print(waiting: list[dict[str, Any]]) -> None:
    for root in waiting:
        click.echo(printable(f"root {root['version']}  SHA-256 {root['sha256']}"))
        own, theirs = root["own_needed"], root["custodians_needed"]
        needed = f"; {theirs} are needed" if theirs else ""
        rows = [
            ("claims to be", root["publisher"] or "nobody by name"),
            ("contact", root["contact"] or "says none"),
            ("since", root["since"] or "does not say"),
            ("signed by", f"{root['signed_own']} own keys of the publisher's; {own} are needed"),
            ("", f"{root['signed_custodians']} custodians{needed}"),
            ("keys", f"{root['kept']} stay, {root['added']} new, {root['removed']} gone"),
            ("daily keys", ", ".join(root["daily_roles"]) or "all stay"),
            ("logged", root["logged"]),
            ("waits because", "; ".join(root["reasons"])),
        ]
        if not root["appointed"] and not root["routine"]:
            rows.append(("BEWARE", "neither the publisher nor enough custodians signed this"))
        click.echo(format_table(rows, indent=2))
    click.echo(printable(f"To agree: tocsin update consent --yes {waiting[-1]['sha256']}"))

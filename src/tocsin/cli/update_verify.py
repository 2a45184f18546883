"""`tocsin update verify`: everything that updates brought, looked at again."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from tocsin.cli.printable import printable
from tocsin.cli.table import format_table

_KINDS = (
    ("versions", "database"),
    ("software", "tocsin"),
    ("rulebooks", "rulebook"),
    ("sources", "source"),
    ("metadata", "metadata"),
    ("log", "log"),
)
_WITH_USE = ("versions", "software", "rulebooks")


@click.command("verify", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--trust",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with root.json and policy, instead of the usual one.",
)
@click.option(
    "--prefix",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of the releases of tocsin, instead of the usual one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify(folder: Path | None, prefix: Path | None, as_json: bool) -> None:
    """Look at everything that is installed again, off line, and say who vouches for it.

    \b
    databases  the file is hashed, and its log entry looked at: the publisher's
               signatures, the proof that it is logged, the witnesses by the
               policy as it is now; and that scans use the one in use
    tocsin     the same for releases, whose files are compared with the wheels
               that the log entry names; a file that no wheel brought is said
    rulebook   the same as for databases, and that it can be used
    sources    the files are hashed, and ClamAV's signatures checked
    metadata   every root from the one that you chose, and whether you agreed to
               those that take it; the signatures of the rest
    log        the last checkpoint, who cosigned it, and how long ago

    What has expired stops updates and nothing else: it is said, and stands.

    Exit status: 0 everything stands; 1 something does not, or nothing is installed; 2 it cannot
    be looked at, with the reason.

    \b
    Examples:
      tocsin update verify
      tocsin update verify --trust ~/stricter
      tocsin update verify --json | jq '.software[] | select(.stands | not)'
    """
    from tocsin.app.update_verify import verified_values
    from tocsin.cli.progress import Meter
    from tocsin.cli.settings_option import current_settings

    with Meter(enabled=not as_json) as meter:
        values = verified_values(
            current_settings(), folder, prefix, lambda text: meter.say(f"looking at {text}")
        )
    if as_json:
        click.echo(json.dumps(values))
    else:
        _print(values)
    sys.exit(0 if values["stands"] else 1)


def _print(values: dict[str, Any]) -> None:
    wrong = 0
    for kind, word in _KINDS:
        for each in values[kind]:
            wrong += not each["stands"]
            use = ", in use" if each["in_use"] and kind in _WITH_USE else ""
            said = "stands" if each["stands"] else "DOES NOT"
            click.echo(printable(f"{word} {each['name']}{use}: {said}"))
            rows = [
                ("ok" if point["stands"] else "WRONG", point["point"], point["detail"])
                for point in each["points"]
            ]
            click.echo(format_table(rows, indent=2))
    if not any(values[kind] for kind in (*_WITH_USE, "sources")):
        click.echo("nothing is installed yet: tocsin update")
    elif wrong:
        click.echo(f"{wrong} of these must not be relied on as they are")
    else:
        click.echo("everything stands")

"""`tocsin log evidence`: check, without asking anybody, what somebody says convicts a log."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from tocsin.cli.log_verdict import read_log_keys
from tocsin.cli.printable import printable
from tocsin.cli.table import format_table
from tocsin.errors import UsageError

if TYPE_CHECKING:
    from tocsin.transparency.evidence import Checked


@click.command("evidence", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument(
    "places", metavar="DIR|FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--log-key",
    "log_keys",
    multiple=True,
    metavar="VKEY|FILE",
    help="The log's public key, as text or in a file.",
)
@click.option(
    "--policy",
    "policy_file",
    type=click.File("rb"),
    metavar="FILE",
    help="A policy (tlog-policy) with the log's key.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evidence(
    places: tuple[Path, ...],
    log_keys: tuple[str, ...],
    policy_file: BinaryIO | None,
    as_json: bool,
) -> None:
    """Check off line that a log signed two histories, by what a monitor, mirror or device kept.

    A folder with smaller.note, larger.note and proof is one piece of evidence, and so is one of
    these files; a folder of such folders is many. Take the log's key from where you trust it, not
    from whoever shows you the evidence.

    Exit status: 0 all of it proves two histories; 1 some of it does not; 2 there is none, or it
    cannot be read.

    \b
    Examples:
      tocsin log evidence ~/watched/3f…/evidence --log-key log.vkey
      tocsin log evidence evidence/b80c679be88fe74d --policy policy --json
    """
    from tocsin.transparency.evidence import check_place, pieces_in

    _, known = read_log_keys(policy_file, log_keys)
    found = [piece for place in places for piece in pieces_in(place)]
    if not found:
        raise UsageError(
            f"{', '.join(map(str, places))}: there is no evidence here; it is a folder with "
            "smaller.note, larger.note and proof"
        )
    checked = [check_place(piece, known) for piece in dict.fromkeys(found)]
    if as_json:
        click.echo(json.dumps({"evidence": [_values(each) for each in checked]}))
    else:
        rows = [
            (
                str(each.place),
                each.origin,
                "" if each.sizes is None else " and ".join(f"{size:,}" for size in each.sizes),
                "two histories" if each.proves else f"proves nothing: {each.reason}",
            )
            for each in checked
        ]
        shown = [tuple(map(printable, row)) for row in rows]
        click.echo(format_table(shown, ("evidence", "log", "entries", "")))
    sys.exit(0 if all(each.proves for each in checked) else 1)


def _values(checked: Checked) -> dict[str, Any]:
    return {
        "place": str(checked.place),
        "origin": checked.origin,
        "sizes": None if checked.sizes is None else list(checked.sizes),
        "proves": checked.proves,
        "reason": checked.reason,
    }

"""`tocsin identify`: what files are, by their content."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tocsin.cli.inspect_options import inspection_options
from tocsin.cli.printable import printable
from tocsin.cli.table import format_table

if TYPE_CHECKING:
    from tocsin.engine.messages import IdentifiedAnswer
    from tocsin.engine.options import Options


@click.command("identify", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(readable=False), metavar="FILE..."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each file.")
@inspection_options
def command(
    files: tuple[str, ...], as_json: bool, databases: tuple[Path, ...], options: Options
) -> None:
    """Say what files are, by their content and not by their names.

    The type is ClamAV's and decides which signatures are tried; "opened as" names what is
    taken out of the file, several things for a file that is several at once.

    Exit status: 0; 2 when a file could not be looked at.

    \b
    Examples:
      tocsin identify *
      tocsin identify --json installer.exe | jq .opened_as
    """
    from tocsin.app.inspect import identify_files
    from tocsin.database.cache import open_database

    rows: list[list[object]] = []
    failed = False
    for path, answer, trouble in identify_files(open_database(databases or None), options, files):
        if answer is None:
            failed = True
            click.echo(f"tocsin: {printable(trouble)}", err=True)
            if as_json:
                click.echo(json.dumps({"path": path, "error": trouble}))
        elif as_json:
            click.echo(json.dumps(_values(path, answer)))
        else:
            rows.append([path, answer.type_name, _titles(answer), answer.size])
    if rows:
        click.echo(format_table(rows, ["file", "type", "opened as", "bytes"]))
    sys.exit(2 if failed else 0)


def _titles(answer: IdentifiedAnswer) -> str:
    from tocsin.unpack.registry import titles

    return ", ".join(titles(kind) for kind in answer.kinds) or "-"


def _values(path: str, answer: IdentifiedAnswer) -> dict[str, object]:
    return {
        "path": path,
        "type": answer.type_name,
        "opened_as": answer.kinds,
        "size": answer.size,
        "sha256": answer.sha256,
    }

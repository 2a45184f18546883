"""`tocsin unpack`: list what is inside a file, or write it to a folder."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tocsin.cli.inspect_options import inspection_options
from tocsin.cli.printable import printable
from tocsin.cli.table import format_table

if TYPE_CHECKING:
    from tocsin.app.extract import Extraction
    from tocsin.engine.messages import MemberAnswer
    from tocsin.engine.options import Options

_NOT_DATA = frozenset({"macros", "stomped", "encrypted-document", "note"})
"""Reasons that stand for a remark on the container."""


@click.command("unpack", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=click.Path(readable=False))
@click.option("-l", "--list", "listing", is_flag=True, help="List, write nothing (default).")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the members into this folder, which must be new or empty.",
)
@click.option(
    "-r/-1", "--recursive/--one-layer", default=True, help="Open members too (default), or not."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each member.")
@inspection_options
def command(
    file: str,
    listing: bool,
    output: Path | None,
    recursive: bool,
    as_json: bool,
    databases: tuple[Path, ...],
    options: Options,
) -> None:
    """List what is inside a file, or write it to a folder, for people who analyse it.

    Everything is opened as in a scan: by a confined worker, under the same limits. Written
    files can be read by you alone and executed by nobody; names like ../../etc/passwd lead
    nowhere; DIR/tocsin-members.jsonl says what each was called.

    Exit status: 0 everything came out; 2 something did not, and is named.

    \b
    Examples:
      tocsin unpack --list mail.eml
      tocsin unpack --password infected sample.zip -o sample/
      tocsin unpack --json installer.exe | jq .name
    """
    from tocsin.app.inspect import ALL_LAYERS, unpack_file
    from tocsin.database.cache import open_database

    if listing and output is not None:
        raise click.UsageError("--list writes nothing; leave out --list or --output")
    shown = _Shown(as_json=as_json)
    layers = ALL_LAYERS if recursive else 1
    database = open_database(databases or None)
    if output is None:
        done = unpack_file(database, options, file, shown.take, layers=layers, contents=False)
    else:
        from tocsin.app.extract import Extraction

        with Extraction(output) as extraction:
            shown.extraction = extraction
            done = unpack_file(database, options, file, shown.take, layers=layers, contents=True)
    trouble = [line.decode("utf-8", "surrogateescape") for line in done.trouble]
    shown.end(file, done.type_name, trouble)
    sys.exit(2 if trouble or shown.missing else 0)


class _Shown:
    """Prints members as they come: JSON at once, a table at the end.

    Args:
        as_json: JSON lines.

    Attributes:
        extraction: where members are written, or None.
        missing: members whose bytes were not, or not wholly, had.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._rows: list[list[object]] = []
        self._remarks: list[str] = []
        self.extraction: Extraction | None = None
        self.missing = 0

    def take(self, member: MemberAnswer) -> None:
        """One member."""
        written = ""
        if self.extraction is not None and member.data is not None:
            try:
                written = self.extraction.write(member.way, member.data)
            except OSError as error:
                where = self.extraction.folder
                raise click.ClickException(f"cannot write to {where}: {error.strerror}") from None
        remark = member.reason in _NOT_DATA
        self.missing += bool(member.reason) and not remark and member.reason not in _HARMLESS
        name = "!/".join(part.decode("utf-8", "surrogateescape") for part in member.way)
        note = member.note.decode("utf-8", "surrogateescape")
        if self._as_json:
            sys.stdout.write(json.dumps(_values(member, name, note, written)) + "\n")
        elif remark:
            self._remarks.append(f"{name + ': ' if name else ''}{note}")
        else:
            said = ": ".join(part for part in (member.reason, note) if part)
            size: object = member.size
            self._rows.append([size, member.type_name or "-", member.container, name, said])

    def end(self, path: str, type_name: str, trouble: list[str]) -> None:
        """The table, and what is wrong."""
        if self._as_json:
            sys.stdout.flush()
        else:
            click.echo(f"{printable(os.fspath(path))}: {printable(type_name) or 'empty'}")
            if self._rows:
                headings = ["bytes", "type", "in", "name", ""]
                click.echo(format_table(self._rows, headings))
            else:
                click.echo("nothing inside that is opened")
            for remark in self._remarks:
                click.echo(f"note: {printable(remark)}")
            if self.extraction is not None:
                where = printable(str(self.extraction.folder))
                click.echo(f"{self.extraction.written} written to {where}")
        for line in trouble:
            click.echo(f"tocsin: {printable(line)}", err=True)


_HARMLESS = frozenset({"view", "duplicate"})


def _values(member: MemberAnswer, name: str, note: str, written: str) -> dict[str, object]:
    return {
        "name": name,
        "container": member.container,
        "type": member.type_name,
        "size": member.size,
        "packed_size": member.packed_size,
        "position": member.position,
        "encrypted": member.encrypted,
        "reason": member.reason,
        "note": note,
        **({"file": written} if written else {}),
    }

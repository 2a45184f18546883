"""`tocsin publish rebuilds`: serve what rebuilders say beside the databases they rebuilt."""

from __future__ import annotations

from pathlib import Path

import click

from tocsin.cli.printable import printable
from tocsin.cli.publish_options import CONTEXT, folder_argument, json_option, print_json


@click.command("rebuilds", context_settings=CONTEXT)
@folder_argument
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@click.option(
    "--rebuilder",
    "rebuilders",
    multiple=True,
    metavar="VKEY|FILE",
    help="Take in what this key signs from now on; repeatable. They are kept in DIR/rebuilders.",
)
@json_option
def rebuilds(
    folder: Path, files: tuple[Path, ...], rebuilders: tuple[str, ...], as_json: bool
) -> None:
    """Take in attestations of rebuilders ('tocsin rebuild --sign'), and serve them.

    Each is checked: one of the rebuilders that you know signed it, and it is about a database
    that you offer. Devices that ask for rebuilders see it at once; nothing else changes.

    Exit status: 0 taken in, 2 something is wrong.

    \b
    Examples:
      tocsin publish rebuilds pub 12.rebuilds --rebuilder "rebuilder.example.org+1a2b3c4d+AQ…"
      tocsin publish rebuilds pub from-alice.rebuilds from-bob.rebuilds
    """
    from tocsin.cli.log_verdict import read_log_key
    from tocsin.updates.publish.rebuilds import remember_rebuilders, take_in
    from tocsin.updates.publish.workspace import Workspace

    workspace = Workspace(folder)
    workspace.settings()
    with workspace.locked():
        if rebuilders:
            remember_rebuilders(workspace, tuple(map(read_log_key, rebuilders)))
        taken = [one for file in files for one in take_in(workspace, file)]
    if as_json:
        print_json({"taken_in": [one._asdict() for one in taken]})
        return
    for one in taken:
        click.echo(printable(f"Version {one.version}: rebuilt by {', '.join(one.rebuilders)}"))

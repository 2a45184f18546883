"""`tocsin uninstall`: what installing made, taken back."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tocsin.cli.printable import printable


@click.command("uninstall", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--root",
    metavar="DIR",
    default="/",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Take it off this tree.",
)
@click.option("--user", "own", is_flag=True, help="The daemon of this user's own.")
@click.option("--purge", is_flag=True, help="Remove journal, state and changed settings as well.")
@click.option(
    "--purge-quarantine", is_flag=True, help="With --purge: even what is in quarantine, for good."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    root: Path, own: bool, purge: bool, purge_quarantine: bool, dry_run: bool, as_json: bool
) -> None:
    """Stop the daemon and take back what 'tocsin install' made, and nothing else.

    A settings file that was changed, the journal and the quarantine are kept and named; so are
    the accounts that they belong to. With --purge they go too, but nothing in quarantine does
    unless --purge-quarantine says so. The package itself is removed by what installed it.

    Exit status: 0 done; 2 errors.

    \b
    Examples:
      sudo tocsin uninstall
      sudo tocsin uninstall --purge --dry-run
      sudo tocsin uninstall --purge
    """
    import os

    from tocsin.app.install import Target, uninstall

    if own and root != Path("/"):
        raise click.UsageError("--user is for this machine, --root for another tree")
    if purge_quarantine and not purge:
        raise click.UsageError("--purge-quarantine goes with --purge")
    target = Target(Path(os.path.abspath(root)), own)
    result = uninstall(target, purge=purge, purge_quarantine=purge_quarantine, dry_run=dry_run)
    if as_json:
        things = [
            {
                "kind": each.made.kind,
                "name": each.made.name,
                "fate": each.fate.value,
                "detail": each.detail,
            }
            for each in result.undone
        ]
        click.echo(json.dumps({"dry_run": dry_run, "things": things, "notes": result.notes}))
        return
    for each in result.undone:
        fate = each.fate.value
        if dry_run and fate == "removed":
            fate = "would be removed"
        why = f": {each.detail}" if each.detail else ""
        click.echo(printable(f"{fate:<14} {each.made.kind} {each.made.name}{why}"))
    for note in result.notes:
        click.echo(printable(note))

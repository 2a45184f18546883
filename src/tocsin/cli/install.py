"""`tocsin install`: the daemon made a part of this machine."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tocsin.cli.printable import printable


@click.command("install", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--root",
    metavar="DIR",
    default="/",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Install into this tree: an image, a package.",
)
@click.option("--user", "own", is_flag=True, help="A daemon of this user's own; needs no root.")
@click.option("--no-start", is_flag=True, help="Do not start the daemon.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(root: Path, own: bool, no_start: bool, dry_run: bool, as_json: bool) -> None:
    """Make the account, the folders, the settings file and the systemd unit, and start the daemon.

    What is there already is left alone; everything that is made is recorded, so that
    'tocsin uninstall' can take back exactly that. An installation that was interrupted can be
    repeated. The service runs this very program, which must lie where only root can write.

    Exit status: 0 done; 1 done, but the daemon was to be started and was not; 2 errors.

    \b
    Examples:
      tocsin install --dry-run
      sudo tocsin install
      tocsin install --user
      tocsin install --root build/ --no-start
    """
    import os
    import sys

    from tocsin.app.install import Target, install
    from tocsin.protect.install.steps import said

    if own and root != Path("/"):
        raise click.UsageError("--user is for this machine, --root for another tree")
    target = Target(Path(os.path.abspath(root)), own)
    result = install(target, dry_run=dry_run, start=not no_start)
    wanted = (
        target.is_live and not no_start and not dry_run and os.path.isdir("/run/systemd/system")
    )
    if as_json:
        steps = [
            {"what": said(d.step), "outcome": d.outcome.value, "detail": d.detail}
            for d in result.done
        ]
        values = {
            "dry_run": dry_run,
            "steps": steps,
            "notes": result.notes,
            "started": result.started,
        }
        click.echo(json.dumps(values))
    else:
        for done in result.done:
            outcome = done.outcome.value
            if dry_run and outcome in ("made", "renewed"):
                outcome = f"would be {outcome}"
            click.echo(printable(f"{outcome:<14} {said(done.step)}"))
        for note in result.notes:
            click.echo(printable(note))
        if result.started:
            click.echo("the daemon runs; 'tocsin status' shows it, 'tocsin doctor' examines it")
    sys.exit(1 if wanted and not result.started else 0)

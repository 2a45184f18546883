"""`tocsin update mirror` and `tocsin update bundle`: for neighbours, and where no network is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from tocsin.cli.printable import printable
from tocsin.cli.sizes import human_size

_CONTEXT = {"help_option_names": ["-h", "--help"]}
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_TRUST = click.option(
    "--trust",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with root.json and policy, instead of the usual one.",
)
_FROM = click.option(
    "--mirror",
    "mirrors",
    multiple=True,
    metavar="URL|DIR",
    help="Where the repository is, instead of what the settings say; repeatable.",
)
_AT = click.option("--at", metavar="TIME", help="Judge by this time instead of the clock's.")


@click.command("mirror", context_settings=_CONTEXT)
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@_FROM
@_TRUST
@_AT
@click.option("--serve", metavar="HOST:PORT", help="Serve it to the neighbours afterwards.")
@_JSON
def mirror(
    target: Path,
    mirrors: tuple[str, ...],
    folder: Path | None,
    at: str | None,
    serve: str | None,
    as_json: bool,
) -> None:
    """Make a folder a complete mirror of the repository, or bring it up to date.

    Everything is checked as it comes. Any web server can serve the folder, and nobody has to
    trust it; --serve does, until it is interrupted.

    \b
    Examples:
      tocsin update mirror /srv/tocsin
      tocsin update mirror /srv/tocsin --mirror https://mirror.example/
      tocsin update mirror /srv/tocsin --serve 0.0.0.0:8080
    """
    from tocsin.app.update_copies import make_mirror
    from tocsin.app.updates import Asked, stated_moment
    from tocsin.cli.progress import Meter
    from tocsin.cli.settings_option import current_settings
    from tocsin.cli.update_progress import shown

    settings = current_settings()
    asked = Asked(folder, mirrors, None, "", stated_moment(at))
    with Meter(enabled=not as_json) as meter:
        copied = make_mirror(settings, asked, target, shown(meter))
    values = {
        "folder": str(target),
        "version": copied.version,
        "entries": copied.entries,
        "files": len(set(copied.files)),
        "received": copied.received,
        "unwitnessed": copied.unwitnessed,
    }
    if as_json:
        click.echo(json.dumps(values), nl=True)
    else:
        click.echo(
            printable(
                f"{target}: version {copied.version}, {copied.entries:,} log entries, "
                f"{len(set(copied.files)):,} files, {human_size(copied.received)} fetched"
            )
        )
        if copied.unwitnessed:
            click.echo(
                f"{copied.unwitnessed:,} log entries here have not the witnesses that your policy "
                "asks for; no mirror that was asked has them with these"
            )
    if serve is not None:
        from tocsin.app.serve_mirror import serve_folder

        sys.stdout.flush()
        serve_folder(target, serve, lambda line: click.echo(printable(line), err=True))


@click.group("bundle", context_settings=_CONTEXT)
def bundle() -> None:
    """Carry updates to where no network is: one file that is checked like anything else.

    \b
    Examples:
      tocsin update bundle export today.bundle
      tocsin update bundle import today.bundle
    """


@bundle.command("export", context_settings=_CONTEXT)
@click.argument("place", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--version", type=click.IntRange(1), help="Of the database. Default: the newest.")
@_FROM
@_TRUST
@_AT
@_JSON
def export(
    place: Path,
    version: int | None,
    mirrors: tuple[str, ...],
    folder: Path | None,
    at: str | None,
    as_json: bool,
) -> None:
    """Write a bundle: one database, the newest rulebook, metadata, the log's tiles and proofs.

    \b
    Examples:
      tocsin update bundle export today.bundle
      tocsin update bundle export eleven.bundle --version 11
    """
    from tocsin.app.update_copies import export_bundle
    from tocsin.app.updates import Asked, stated_moment
    from tocsin.cli.progress import Meter
    from tocsin.cli.settings_option import current_settings
    from tocsin.cli.update_progress import shown

    asked = Asked(folder, mirrors, None, "", stated_moment(at))
    with Meter(enabled=not as_json) as meter:
        copied, size = export_bundle(current_settings(), asked, place, version, shown(meter))
    if as_json:
        click.echo(json.dumps({"file": str(place), "version": copied.version, "bytes": size}))
    else:
        click.echo(printable(f"{place}: version {copied.version}, {human_size(size)}"))


@bundle.command("import", context_settings=_CONTEXT)
@click.argument("place", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@_TRUST
@click.option(
    "--at",
    metavar="TIME",
    help="Judge by this time instead of the clock's, for a bundle that was long on its way.",
)
@_JSON
def import_(place: Path, folder: Path | None, at: str | None, as_json: bool) -> None:
    """Update this device from a bundle, with every check that the network's updates get.

    A bundle that is older than what this device has seen is refused, whatever --at says.

    Exit status: as 'tocsin update'.

    \b
    Examples:
      tocsin update bundle import today.bundle
      tocsin update bundle import today.bundle --at 2026-12-24
    """
    from tocsin.app.update_copies import import_bundle
    from tocsin.app.updates import Asked, stated_moment
    from tocsin.cli.progress import Meter
    from tocsin.cli.settings_option import current_settings
    from tocsin.cli.update_progress import (
        outcome_values,
        print_outcome,
        say_editions,
        shown,
        waits,
    )
    from tocsin.updates.receive.rulebook import EditionOutcome

    settings = current_settings()
    asked = Asked(folder, (), place, "", stated_moment(at))
    editions: list[EditionOutcome] = []
    try:
        with waits(as_json=as_json), Meter(enabled=not as_json) as meter:
            outcome = import_bundle(settings, asked, shown(meter), meter.say, editions.append)
    finally:
        rulebook = say_editions(editions, as_json=as_json)
    if as_json:
        click.echo(json.dumps(outcome_values(outcome) | rulebook))
    else:
        print_outcome(outcome)
    sys.exit(2 if any(each.failed for each in editions) else 0)

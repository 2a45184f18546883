"""`tocsin migrate`: moving over from another scanner."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.printable import printable as plain
from tocsin.cli.settings_option import named_settings
from tocsin.cli.table import format_table, wrap

if TYPE_CHECKING:
    from tocsin.app.migrate import Migration, Written
    from tocsin.app.migrate_signatures import SignatureFile

_CONTEXT = {"help_option_names": ["-h", "--help"]}
_SECRET = ("HTTPProxyPassword",)


@click.group("migrate", context_settings=_CONTEXT)
def command() -> None:
    """Move over from another scanner.

    \b
    Examples:
      tocsin migrate clamav            # show what would become of each setting
      tocsin migrate clamav --apply    # write tocsin's settings
    """


@command.command("clamav", context_settings=_CONTEXT)
@click.option(
    "--from",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Folder of clamd.conf and freshclam.conf. Default: where distributions have them.",
)
@click.option(
    "--to",
    "target",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Settings file to write. Default: the one that tocsin reads.",
)
@click.option(
    "--take-over-socket", is_flag=True, help="Listen where clamd does; clients need no change."
)
@click.option("--apply", "do_apply", is_flag=True, help="Write the file; without, only show.")
@click.option("--all", "everything", is_flag=True, help="Show options that change nothing as well.")
@click.option(
    "--root",
    metavar="DIR",
    default="/",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The tree in which ClamAV's paths are: a backup, a container.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def clamav(
    folder: str | None,
    target: Path | None,
    take_over_socket: bool,
    do_apply: bool,
    everything: bool,
    root: Path,
    as_json: bool,
) -> None:
    """Turn ClamAV's settings into tocsin's, and say what becomes of every option.

    Reads clamd.conf, freshclam.conf, clamav-milter.conf, how clamonacc is started, and what
    signatures of your own and exceptions there are. None of ClamAV's files is changed, and
    without --apply nothing is written at all. A settings file that is there already is kept
    beside the new one.

    Exit status: 0 done; 1 ClamAV's files hold mistakes, and nothing was written; 2 errors.

    \b
    Examples:
      tocsin migrate clamav
      tocsin migrate clamav --take-over-socket --apply
      tocsin migrate clamav --from /backup/etc/clamav --to tocsin.toml --apply
      tocsin migrate clamav --json | jq '.options[] | select(.attention)'
    """
    import os

    from tocsin.app.migrate import plan_migration, write_settings
    from tocsin.app.migrate_signatures import review_signatures
    from tocsin.app.settings import settings_file

    if folder is not None and root == Path("/"):
        folder = os.path.abspath(folder)
    migration = plan_migration(folder, take_over_socket=take_over_socket, root=root)
    signatures = list(review_signatures(migration.plan, migration.folders, root))
    place = target or settings_file(named_settings())[0]
    written = None
    if do_apply and not migration.plan.problems:
        written = write_settings(migration, place)
    if as_json:
        click.echo(json.dumps(_as_json(migration, signatures, place, written)))
    else:
        _print(migration, signatures, place, written, everything=everything)
    sys.exit(1 if migration.plan.problems else 0)


def _print(
    migration: Migration,
    signatures: list[SignatureFile],
    place: Path,
    written: Written | None,
    *,
    everything: bool,
) -> None:
    _print_options(migration, everything=everything)
    _print_signatures(signatures)
    _print_clients(migration)
    for name, problem in migration.plan.problems:
        where = f"{name}:{problem.line}" if problem.line else name
        key = f"{problem.key}: " if problem.key else ""
        click.echo(plain(f"{where}: {key}{problem.reason}"), err=True)
    if migration.plan.problems:
        said = "nothing is written: set this right first, in a copy if need be (--from DIR)"
        click.echo(f"tocsin: {said}", err=True)
        return
    if migration.loaded is not None:
        for warning in migration.loaded.warnings:
            click.echo(plain(f"warning: {warning.key}: {warning.reason}"), err=True)
    if written is None:
        click.echo("\nWould write " + plain(f"{place}:") + "\n")
        click.echo(
            "".join(f"    {plain(line)}\n" for line in migration.text.splitlines()), nl=False
        )
        click.echo("\nNothing was written; --apply does.")
        return
    click.echo()
    click.echo(plain(f"wrote {written.file}"))
    if written.backup:
        click.echo(plain(f"the one before is {written.backup}"))
    _print_next(migration)


def _print_options(migration: Migration, *, everything: bool) -> None:
    """A table for each file of what its options become, then what there is to say of them."""
    from tocsin.protect.migrate.options import Fate

    click.echo(plain(f"read {', '.join(migration.files)}"))
    quiet = (Fate.SAME, Fate.NOT_NEEDED)
    rows = [
        row for row in migration.plan.rows if everything or row.attention or row.fate not in quiet
    ]
    for file in dict.fromkeys(row.stated.file for row in rows):
        cells = [
            [
                str(row.stated.line or ""),
                row.stated.option,
                _shown(row.stated),
                row.becomes or row.fate,
            ]
            for row in rows
            if row.stated.file == file
        ]
        click.echo()
        click.echo(format_table(cells, [file, "option", "value", "becomes"]))
    for stated in migration.variables:
        said = f"{stated.origin} {stated.option}: for ClamAV's own start scripts, not read here"
        click.echo(plain(said))
    left = len(migration.plan.rows) - len(rows)
    if left:
        click.echo(f"\n{left} options more change nothing here; --all shows why.")
    for attention, title in ((True, "What differs, or is for you to decide:"), (False, "Besides:")):
        said_of = [row for row in rows if row.remark and row.attention is attention]
        if said_of:
            click.echo(f"\n{title}")
        for row in said_of:
            text = f"{row.stated.origin} {row.stated.option}: {row.remark}"
            click.echo(wrap(text, first="  ", following="    "))


def _print_signatures(signatures: list[SignatureFile]) -> None:
    if not signatures:
        return
    rows = []
    for file in signatures:
        said = file.purpose or "not read"
        if file.number:
            said = f"{file.number:,} {file.purpose}"
        if file.unevaluated:
            said += f", {file.unevaluated:,} of them of a kind that is not used"
        if file.problems:
            said += f"; passed over: {file.problems[0]}"
            more = len(file.problems) - 1 + file.more
            said += f" and {more:,} more" if more else ""
        rows.append([file.path, file.origin.value, said])
    click.echo()
    click.echo(format_table(rows, ["signatures", "kept by", ""]))


def _print_clients(migration: Migration) -> None:
    for place in migration.clients:
        where = f"{place.file}:{place.line}" if place.line else place.file
        click.echo()
        click.echo(plain(f"to be changed for {place.client}: {where}"))
        if place.text:
            click.echo(plain(f"  - {place.text}"))
        click.echo(plain(f"  + {place.change}"))
        if place.reload:
            click.echo(plain(f"  then: {place.reload}"))


def _print_next(migration: Migration) -> None:
    click.echo("\nNext:")
    steps = []
    taken = migration.loaded and migration.loaded.settings.daemon.socket
    if migration.old_socket and not migration.clients:
        steps.append(
            "systemctl disable --now clamav-daemon.socket clamav-daemon.service   "
            f"# it holds {taken}"
        )
    steps += [
        "tocsin install        # the account, the systemd unit, and the daemon's start",
        "tocsin doctor         # whether all is as it should be",
    ]
    if migration.clients:
        steps.append("change the lines named above; then switch clamd off")
    for step in steps:
        click.echo(wrap(step, first="  ", following="    "))


def _shown(stated: Any) -> str:
    return "…" if stated.option in _SECRET else str(stated.text)


def _as_json(
    migration: Migration, signatures: list[SignatureFile], place: Path, written: Written | None
) -> dict[str, Any]:
    return {
        "files": migration.files,
        "options": [
            {
                "file": row.stated.file,
                "line": row.stated.line,
                "option": row.stated.option,
                "value": _shown(row.stated),
                "fate": row.fate.value,
                "becomes": row.becomes,
                "remark": row.remark,
                "attention": row.attention,
            }
            for row in migration.plan.rows
        ],
        "variables": [
            {"file": s.file, "line": s.line, "name": s.option, "value": s.text}
            for s in migration.variables
        ],
        "signatures": [{**f._asdict(), "origin": f.origin.value} for f in signatures],
        "clients": [client._asdict() for client in migration.clients],
        "problems": [{"file": name, **p._asdict()} for name, p in migration.plan.problems],
        "settings": migration.text,
        "target": str(place),
        "written": written is not None,
        "backup": str(written.backup) if written and written.backup else None,
    }

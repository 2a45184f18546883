"""`tocsin quarantine`: take files away, show what was taken, put it back, let it go."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tocsin.cli.printable import printable
from tocsin.cli.sizes import counted
from tocsin.cli.table import format_table

if TYPE_CHECKING:
    from tocsin.app.quarantine import Looked, Quarantine
    from tocsin.app.remote_quarantine import Quarantines

    _Q = TypeVar("_Q", Quarantine, Quarantines)

_CONTEXT = {"help_option_names": ["-h", "--help"]}
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_FOLDER = click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="The quarantine, instead of what the settings name.",
)


@click.group("quarantine", context_settings=_CONTEXT)
def command() -> None:
    """Keep what is dangerous where it does no harm, and put back what is not.

    What is taken is encrypted, with all that is needed to put it back exactly: owner, mode,
    times, access lists, attributes, holes. An ID may be shortened to as many of its first
    digits as tell it from others. Root has the device's quarantine, other users their own; members
    of [daemon] admin_group list, show, restore and delete what is in the device's too.

    \b
    Examples:
      tocsin scan --action quarantine ~/Downloads
      tocsin quarantine list
      tocsin quarantine restore 3fa9 --to /tmp
    """


# --- looking ------------------------------------------------------------------------------


@command.command("list", context_settings=_CONTEXT)
@_FOLDER
@_JSON
def list_(folder: Path | None, as_json: bool) -> None:
    """List what is in the quarantine, the oldest first.

    Exit status: 0; 1 when something in it is damaged.

    \b
    Examples:
      tocsin quarantine list
      tocsin quarantine list --json | jq -r '.[] | select(.may_be_restored) | .id'
    """
    from tocsin.app.quarantine import NoQuarantine
    from tocsin.cli.quarantine_rows import print_list

    items: list[dict[str, Any]] = []
    try:
        with _reached(folder) as quarantine:
            items = quarantine.items()
    except NoQuarantine as error:
        if not as_json:
            click.echo(printable(str(error)))
    if as_json:
        click.echo(json.dumps(items))
    else:
        print_list(items)
    sys.exit(1 if any(item["damaged"] for item in items) else 0)


@command.command("show", context_settings=_CONTEXT)
@click.argument("number", metavar="ID")
@_FOLDER
@_JSON
def show(number: str, folder: Path | None, as_json: bool) -> None:
    """Show all that is known of an object.

    \b
    Examples:
      tocsin quarantine show 3fa9
    """
    from tocsin.cli.quarantine_rows import rows_of

    with _reached(folder) as quarantine:
        item = quarantine.show(number)
    if as_json:
        click.echo(json.dumps(item))
    else:
        click.echo(format_table(rows_of(item)))


# --- in and out ---------------------------------------------------------------------------


@command.command("take", context_settings=_CONTEXT)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path())
@click.option("--reason", default="", help="Why; kept with it.")
@_FOLDER
@_JSON
def take(paths: tuple[str, ...], reason: str, folder: Path | None, as_json: bool) -> None:
    """Take files away by hand, whatever a scan says of them.

    Of a file with several names only the one given is gone; the others are named. A mailbox is
    not taken whole. Exit status: 0 all taken; 2 some were not, and stand where they stood.

    \b
    Examples:
      tocsin quarantine take ~/Downloads/setup.exe --reason 'do not trust it'
    """
    from tocsin.app.quarantine import item_values
    from tocsin.cli.quarantine_rows import warn_of_links

    def one(quarantine: Quarantine, path: str) -> dict[str, Any]:
        item = item_values(quarantine.take(path, reason))
        if not as_json:
            click.echo(printable(f"taken as {item['id']}: {item['path']}"))
            warn_of_links(item)
        return item

    sys.exit(_each(one, paths, "path", _opened(folder, create=True), as_json=as_json))


@command.command("restore", context_settings=_CONTEXT)
@click.argument("numbers", nargs=-1, required=True, metavar="ID...")
@click.option("--to", metavar="PATH", help="Where else than where it stood: a path or a folder.")
@click.option(
    "--keep-setid",
    is_flag=True,
    help="With set-user-ID and set-group-ID bits and file capabilities, which are left off else.",
)
@_FOLDER
@_JSON
def restore(
    numbers: tuple[str, ...], to: str | None, keep_setid: bool, folder: Path | None, as_json: bool
) -> None:
    """Put files back as they were; they are in the quarantine no longer.

    Nothing is ever overwritten. What could not be put back as it was is said. Exit status: 0
    all put back; 2 some were not, and still are in the quarantine.

    \b
    Examples:
      tocsin quarantine restore 3fa9
      tocsin quarantine restore 3fa9 --to /srv/examined/
    """
    if to is not None and len(numbers) > 1 and not os.path.isdir(to):
        raise click.UsageError("several objects can only be put into a folder that is there")

    from tocsin.cli.quarantine_rows import say_restored

    def one(quarantine: Quarantines, number: str) -> dict[str, Any]:
        restored = quarantine.restore(number, to, keep_setid=keep_setid)
        if not as_json:
            say_restored(restored["id"], restored)
        return restored

    sys.exit(_each(one, numbers, "id", _reached(folder), as_json=as_json))


@command.command("delete", context_settings=_CONTEXT)
@click.argument("numbers", nargs=-1, metavar="ID...")
@click.option(
    "--older-than",
    type=click.FloatRange(0, min_open=True),
    metavar="DAYS",
    help="Delete what was taken longer ago.",
)
@_FOLDER
@_JSON
def delete(
    numbers: tuple[str, ...], older_than: float | None, folder: Path | None, as_json: bool
) -> None:
    """Delete objects for good: first their keys, then their bytes. Nothing brings them back.

    Exit status: 0 all deleted; 2 some were not.

    \b
    Examples:
      tocsin quarantine delete 3fa9 77c0
      tocsin quarantine delete --older-than 90
    """
    if bool(numbers) == (older_than is not None):
        raise click.UsageError("name objects, or give --older-than")

    def one(quarantine: Quarantines, number: str) -> dict[str, Any]:
        whole = quarantine.delete(number)
        if not as_json:
            click.echo(f"deleted {whole}")
        return {"id": whole}

    if older_than is None:
        sys.exit(_each(one, numbers, "id", _reached(folder), as_json=as_json))
    with _reached(folder) as quarantine:
        old = quarantine.expire(older_than)
    if as_json:
        click.echo(json.dumps([{"id": number} for number in old]))
    else:
        click.echo(f"deleted {counted(len(old), 'object')}")


@command.command("export", context_settings=_CONTEXT)
@click.argument("number", metavar="ID")
@click.argument("file", type=click.Path())
@_FOLDER
@_JSON
def export(number: str, file: str, folder: Path | None, as_json: bool) -> None:
    """Write an object into a zip archive with the password 'infected', for analysis.

    The password is the field's custom: it keeps other scanners and double clicks away, and
    nothing secret. FILE must not be there yet; its owner alone may read it.

    \b
    Examples:
      tocsin quarantine export 3fa9 sample.zip
    """
    with _opened(folder) as quarantine:
        record, path = quarantine.export(number, file)
    if as_json:
        click.echo(json.dumps({"id": record.id, "file": str(path), "sha256": record.sha256}))
    else:
        click.echo(printable(f"{path}: {record.id}, password 'infected'"))


# --- looking again ------------------------------------------------------------------------


@command.command("reexamine", context_settings=_CONTEXT)
@click.option(
    "--db",
    "databases",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Database to look with; repeatable. Default: what the settings name.",
)
@click.option("--with-default", is_flag=True, help="Use tocsin's own signatures besides --db.")
@click.option("--again", is_flag=True, help="Also what was looked at with this database before.")
@click.option(
    "--restore", is_flag=True, help="Put back what nothing is found in any more, to its place."
)
@_FOLDER
@_JSON
def reexamine(
    databases: tuple[Path, ...],
    with_default: bool,
    again: bool,
    restore: bool,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Look again at what is in the quarantine, with the database as it is now.

    What is no longer detected is offered for restoring, by 'list' too. Look with the databases
    that the scans were made with: others know nothing of what those found. What was taken by
    hand is never put back by --restore.

    Exit status: 0; 2 when something could not be looked at or put back.

    \b
    Examples:
      tocsin quarantine reexamine
      tocsin quarantine reexamine --db /var/lib/clamav --restore
    """
    from tocsin.app.apart import scanner_apart
    from tocsin.app.device_index import database_sources, scan_options
    from tocsin.cli.settings_option import current_settings
    from tocsin.database.cache import default_sources, open_database

    settings = current_settings()
    sources = [*databases, *([default_sources()] if with_default else [])]
    database = open_database(
        sources if databases else database_sources(settings), lenient=settings.database.lenient
    )
    looked: list[Looked] = []
    # The process that parses is forked before the quarantine's key is in memory.
    with scanner_apart(database, scan_options(settings)) as scan, _opened(folder) as quarantine:
        for one in quarantine.reexamine(scan, database.identity, again=again, restore=restore):
            looked.append(one)
            if not as_json:
                _print_looked(one)
    if as_json:
        click.echo(json.dumps([_looked_values(one) for one in looked]))
    elif not looked:
        click.echo("nothing to look at that was not looked at with this database")
    failed = any(
        one.trouble or one.report.verdict.value in ("incomplete", "error") for one in looked
    )
    sys.exit(2 if failed else 0)


# --- joining ------------------------------------------------------------------------------


def _opened(folder: Path | None, *, create: bool = False) -> Quarantine:
    from tocsin.app.quarantine import Quarantine
    from tocsin.cli.settings_option import current_settings

    return Quarantine(current_settings(), folder, create=create)


@contextmanager
def _reached(folder: Path | None) -> Iterator[Quarantines]:
    """What this user reaches; the device's as far as the daemon lets them."""
    from tocsin.app.device import device
    from tocsin.app.remote_quarantine import reached
    from tocsin.cli.settings_option import current_settings, named_settings

    with reached(current_settings(), device(named_settings()), folder) as quarantine:
        yield quarantine
        if quarantine.unseen:
            click.echo(f"tocsin: not shown: {printable(quarantine.unseen)}", err=True)


def _each(
    work: Callable[[_Q, str], dict[str, Any]],
    names: Iterable[str],
    kind: str,
    opened: AbstractContextManager[_Q],
    *,
    as_json: bool,
) -> int:
    """Do something with each of several; what fails is said and the others are done."""
    from tocsin.errors import QuarantineError

    results: list[dict[str, Any]] = []
    failed = False
    with opened as quarantine:
        for name in names:
            try:
                results.append({**work(quarantine, name), "error": ""})
            except QuarantineError as error:
                failed = True
                results.append({kind: name, "error": str(error)})
                if not as_json:
                    click.echo(f"tocsin: {printable(str(error))}", err=True)
        trouble = quarantine.trouble
    if as_json:
        click.echo(json.dumps(results))
    if trouble:
        click.echo(f"tocsin: not journalled: {printable(trouble)}", err=True)
    return 2 if failed else 0


# --- printing -----------------------------------------------------------------------------


def _print_looked(one: Looked) -> None:
    from tocsin.app.quarantine import restored_values
    from tocsin.cli.quarantine_rows import ID_SHOWN, say_restored

    record, report = one.record, one.report
    names = ", ".join(dict.fromkeys(detection.name for detection in report.detections))
    said = names or report.verdict.value
    if record.may_be_restored:
        said = "no longer detected: may be restored"
    elif report.errors or report.skipped:
        reasons = [*report.errors, *(skip.detail for skip in report.skipped)]
        said += f" ({reasons[0]})"
    click.echo(printable(f"{record.id[:ID_SHOWN]}  {record.place}: {said}"))
    if one.restored is not None:
        say_restored(record.id, restored_values(one.restored))
    if one.trouble:
        click.echo(f"tocsin: {printable(one.trouble)}", err=True)


def _looked_values(one: Looked) -> dict[str, Any]:
    from tocsin.app.quarantine import restored_values

    return {
        "id": one.record.id,
        "path": one.record.place,
        "verdict": one.report.verdict.value,
        "names": list(dict.fromkeys(detection.name for detection in one.report.detections)),
        "may_be_restored": one.record.may_be_restored,
        "restored": None if one.restored is None else restored_values(one.restored),
        "error": one.trouble,
    }

"""`tocsin publish`: what others can verify, as a folder of static files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.printable import printable
from tocsin.cli.publish_ceremony import COMMANDS
from tocsin.cli.publish_options import (
    CONTEXT,
    completed_values,
    folder_argument,
    json_option,
    keys_option,
    passphrase_option,
    pkcs11_option,
    print_json,
    publishing,
    quiet_option,
    read_spread,
    say_completed,
    spread_options,
    waiting_said,
)
from tocsin.cli.publish_rebuilds import rebuilds
from tocsin.cli.publish_rings import rings as spread
from tocsin.cli.publish_rulebook import rulebook, rulebook_rows
from tocsin.cli.sizes import counted, human_size
from tocsin.cli.table import format_table
from tocsin.errors import UsageError

if TYPE_CHECKING:
    from tocsin.updates.publish.add import Added
    from tocsin.updates.publish.status import PublisherStatus


@click.group(context_settings=CONTEXT)
def command() -> None:
    """Publish databases, releases and rulebooks that others can verify.

    A publisher's folder has a repository in it, which any web server, mirror or USB stick can
    carry, and which proves by itself what it says: signed metadata (TUF), a log of everything
    ever published, and the cosignatures of the witnesses that the policy asks for.

    \b
    Examples:
      tocsin publish init pub --keys keys --name "Example Guild" --origin example.org/log
      tocsin publish add pub sources.toml --benign good/ --malicious bad/
      tocsin publish refresh pub
      tocsin publish status pub
    """


for _each in (*COMMANDS, rebuilds, rulebook, spread):
    command.add_command(_each)


def _with_session(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (json_option, quiet_option, pkcs11_option, passphrase_option, keys_option):
        function = option(function)
    return folder_argument(function)


# --- what is published --------------------------------------------------------------------


@command.command("add", context_settings=CONTEXT)
@_with_session
@click.argument("sources", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--benign",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Files in which nothing may be found.",
)
@click.option(
    "--malicious",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Files in each of which something must be found.",
)
@click.option("--untried", is_flag=True, help="Publish without trying the database on files.")
@click.option(
    "--strict", is_flag=True, help="A malformed record ends it, instead of being left out."
)
@spread_options
def add(
    folder: Path,
    sources: Path,
    benign: Path | None,
    malicious: Path | None,
    untried: bool,
    strict: bool,
    fast_after: str | None,
    stable_after: str | None,
    rings: Sequence[str],
    keys: Path | None,
    passphrase_files: Sequence[str],
    pkcs11_module: Path | None,
    no_progress: bool,
    as_json: bool,
) -> None:
    """Build a database from pinned sources, try it, log it, and publish it.

    SOURCES is a TOML file of [[source]] tables, each with name, sha256 and uri or path. The
    database is tried on files of which it is known what they are; one that flags a harmless file
    or misses a bad one is not published. Readers see nothing of it before the witnesses that the
    policy asks for have cosigned.

    Exit status: 0 published, or nothing had changed; 1 waiting for witnesses ('tocsin publish
    finish' goes on); 2 something is wrong and nothing was published.

    \b
    Examples:
      tocsin publish add pub sources.toml --benign good/ --malicious bad/
      tocsin publish add pub sources.toml --untried --stable-after 12h --ring 10:0 --ring 100:4h
    """
    from tocsin.app.publish import validator
    from tocsin.updates.publish.add import add_database

    if not untried and (benign is None or malicious is None):
        raise UsageError(
            "name files to try the database on with --benign and --malicious, or say --untried"
        )
    with (
        waiting_said(as_json),
        publishing(
            folder, keys, passphrase_files, pkcs11_module, no_progress=no_progress
        ) as session,
    ):
        channels, read_rings = read_spread(fast_after, stable_after, rings, session)
        validate = None
        if not untried and benign is not None and malicious is not None:
            validate = validator(benign, malicious, session.progress)
        added = add_database(
            session,
            sources,
            validate,
            channels=channels,
            rings=read_rings,
            lenient=not strict,
        )
    if as_json:
        print_json(_added_values(added))
    else:
        _say_added(added)


def _added_values(added: Added) -> dict[str, object]:
    return {
        "version": added.version,
        "sha256": added.sha256,
        "bytes": added.size,
        "compressed": added.compressed,
        "added": added.added,
        "removed": added.removed,
        "deltas": added.deltas,
        "left_out": added.left_out,
        "validation": added.validation._asdict() if added.validation else None,
        **completed_values(added.completed),
    }


def _say_added(added: Added) -> None:
    if added.completed is None:
        click.echo(f"Nothing changed: these sources give version {added.version}, as published.")
        return
    click.echo(
        f"Database {added.version}: +{added.added:,} -{added.removed:,} records, "
        f"{human_size(added.size)}, {human_size(added.compressed)} compressed"
    )
    click.echo(f"SHA-256 {added.sha256}")
    for old, size in added.deltas.items():
        click.echo(f"  delta from version {old}: {human_size(size)}")
    if added.left_out:
        click.echo(f"  left out as malformed: {counted(added.left_out, 'record')}")
    if added.validation:
        click.echo(
            f"  tried on {counted(added.validation.benign, 'harmless file')} and "
            f"{counted(added.validation.malicious, 'bad file')}"
        )
    say_completed(added.completed)


@command.command("release", context_settings=CONTEXT)
@_with_session
@click.argument("wheels", type=click.Path(path_type=Path, exists=True, file_okay=False))
@spread_options
def release(
    folder: Path,
    wheels: Path,
    fast_after: str | None,
    stable_after: str | None,
    rings: Sequence[str],
    keys: Path | None,
    passphrase_files: Sequence[str],
    pkcs11_module: Path | None,
    no_progress: bool,
    as_json: bool,
) -> None:
    """Publish a release of tocsin: its wheel and every wheel that it needs, from one folder.

    Whoever installs it asks no registry, so the set must be whole for every Python and platform
    that it has compiled wheels for; each wheel is opened and looked at first. A set without
    compiled wheels is looked at for this machine.

    Exit status: 0 published, 1 waiting for witnesses, 2 something is wrong.

    \b
    Examples:
      pip download tocsin-1.2.0-py3-none-any.whl -d wheels/
      tocsin publish release pub wheels/
    """
    from tocsin.updates.publish.release import publish_release

    with (
        waiting_said(as_json),
        publishing(
            folder, keys, passphrase_files, pkcs11_module, no_progress=no_progress
        ) as session,
    ):
        channels, read_rings = read_spread(fast_after, stable_after, rings, session)
        released = publish_release(session, wheels, channels=channels, rings=read_rings)
    if as_json:
        print_json(
            {
                "version": released.version,
                "sha256": released.sha256,
                "wheels": [wheel.name for wheel in released.wheels],
                "machines": list(released.machines),
                **completed_values(released.completed),
            }
        )
        return
    click.echo(
        f"Release {printable(released.version)}: {counted(len(released.wheels), 'wheel')}, "
        f"{human_size(sum(wheel.size for wheel in released.wheels))}"
    )
    for machine in released.machines:
        click.echo(f"  whole for {printable(machine)}")
    click.echo(f"SHA-256 of the manifest {released.sha256}")
    say_completed(released.completed)


@command.command("withdraw", context_settings=CONTEXT)
@_with_session
@click.argument("version", type=int)
@click.option("--reason", required=True, help="Why, for whoever has it to read.")
def withdraw(
    folder: Path,
    version: int,
    reason: str,
    keys: Path | None,
    passphrase_files: Sequence[str],
    pkcs11_module: Path | None,
    no_progress: bool,
    as_json: bool,
) -> None:
    """Pull a database back: nobody fetches it any more, and whoever has it learns why.

    It stays in the log, and that it was withdrawn is logged as well.

    Exit status: 0 published, 1 waiting for witnesses, 2 something is wrong.

    \b
    Examples:
      tocsin publish withdraw pub 12 --reason "flags /bin/ls on Debian 13"
    """
    from tocsin.updates.publish.withdraw import withdraw as pull_back

    with (
        waiting_said(as_json),
        publishing(
            folder, keys, passphrase_files, pkcs11_module, no_progress=no_progress
        ) as session,
    ):
        done = pull_back(session, version, reason)
    if as_json:
        print_json(completed_values(done))
    else:
        say_completed(done)


# --- going on -----------------------------------------------------------------------------


@command.command("refresh", context_settings=CONTEXT)
@_with_session
def refresh(
    folder: Path,
    keys: Path | None,
    passphrase_files: Sequence[str],
    pkcs11_module: Path | None,
    no_progress: bool,
    as_json: bool,
) -> None:
    """Say that nothing is newer: a fresh timestamp and fresh cosignatures; for a daily timer.

    Something unfinished is finished first.

    Exit status: 0 done, 1 waiting for witnesses, 2 something is wrong.

    \b
    Examples:
      tocsin publish refresh pub --passphrase-file /run/credentials/passphrase
    """
    from tocsin.updates.publish.publication import complete
    from tocsin.updates.publish.publication import refresh as renew

    with (
        waiting_said(as_json),
        publishing(
            folder, keys, passphrase_files, pkcs11_module, no_progress=no_progress
        ) as session,
    ):
        done = complete(session) or renew(session)
    if as_json:
        print_json(completed_values(done))
    else:
        say_completed(done)


@command.command("finish", context_settings=CONTEXT)
@_with_session
def finish(
    folder: Path,
    keys: Path | None,
    passphrase_files: Sequence[str],
    pkcs11_module: Path | None,
    no_progress: bool,
    as_json: bool,
) -> None:
    """Go on with what is unfinished: a root that enough have signed, or what waits for witnesses.

    Exit status: 0 published, 1 still waiting, 2 something is wrong, or nothing is unfinished.

    \b
    Examples:
      tocsin publish finish pub
    """
    from tocsin.updates.publish.ceremony import finish as go_on

    with (
        waiting_said(as_json),
        publishing(
            folder, keys, passphrase_files, pkcs11_module, no_progress=no_progress
        ) as session,
    ):
        done = go_on(session)
    if as_json:
        print_json(completed_values(done))
    else:
        say_completed(done)


@command.command("abandon", context_settings=CONTEXT)
@folder_argument
@json_option
def abandon(folder: Path, as_json: bool) -> None:
    """Give up what is staged and any draft; readers see nothing of it.

    What is in the log already stays there: a log forgets nothing.

    Exit status: 0 done, 2 something is wrong.

    \b
    Examples:
      tocsin publish abandon pub
    """
    from tocsin.updates.publish.ceremony import abandon as give_up
    from tocsin.updates.publish.workspace import Workspace

    workspace = Workspace(folder)
    workspace.settings()
    with workspace.locked():
        gone = give_up(workspace)
    if as_json:
        print_json({"abandoned": list(gone)})
    else:
        click.echo(f"Given up: {printable(', '.join(gone))}" if gone else "Nothing is unfinished.")


# --- status -------------------------------------------------------------------------------


@command.command("status", context_settings=CONTEXT)
@folder_argument
@keys_option
@json_option
def status(folder: Path, keys: Path | None, as_json: bool) -> None:
    """Show what is offered, who vouches for it, and what runs out when.

    Exit status: 0 all is well, 1 there is something to do, 2 something is wrong.

    \b
    Examples:
      tocsin publish status pub
      tocsin publish status pub --json
    """
    import msgspec

    from tocsin.updates.publish.status import publisher_status

    with publishing(folder, keys, (), None, no_progress=True, locked=False) as session:
        found = publisher_status(session)
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        _print_status(found)
    if found.warnings:
        sys.exit(1)


def _print_status(found: PublisherStatus) -> None:
    name = found.publisher.name if found.publisher else "not published yet"
    rows: list[tuple[str, object]] = [
        ("Publisher", name),
        ("Log", f"{found.origin}, size {found.log_size:,}"),
        ("Quorum", f"{found.quorum}, {'met' if found.quorum_met else 'not met'}"),
    ]
    if found.releases:
        rows.append(("Releases", ", ".join(found.releases)))
    click.echo(format_table(rows))
    if found.roles:
        click.echo()
        click.echo(
            format_table(
                [
                    (
                        role.role,
                        role.version,
                        _day(role.expires),
                        f"{role.threshold} of {len(role.keys)}",
                        ", ".join(role.keys),
                    )
                    for role in found.roles
                ],
                ("Role", "Version", "Expires", "Signed by", "Keys"),
            )
        )
    if found.versions:
        click.echo()
        click.echo(
            format_table(
                [
                    (
                        one.version,
                        one.records,
                        f"+{one.added:,} -{one.removed:,}",
                        human_size(one.compressed),
                        ", ".join(map(str, one.deltas_from)),
                        "; ".join(f"{name} {_minute(at)}" for name, at in one.channels.items()),
                    )
                    for one in found.versions
                ],
                ("Version", "Records", "Change", "Size", "Deltas from", "Channels"),
            )
        )
    if found.rulebooks:
        click.echo(f"\n{rulebook_rows(found)}")
    for one in found.withdrawn:
        click.echo(printable(f"Withdrawn: version {one.version}, {_day(one.since)}: {one.reason}"))
    if found.witnesses:
        click.echo()
        click.echo(
            format_table(
                [(one.name, one.standing, _minute(one.cosigned)) for one in found.witnesses],
                ("Witness", "Standing", "Cosigned"),
            )
        )
    for words in found.warnings:
        click.echo(f"! {printable(words)}")


def _day(moment: object) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""


def _minute(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""

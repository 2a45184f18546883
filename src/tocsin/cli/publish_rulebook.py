"""`tocsin publish rulebook`: an edition of the rules of law, logged and signed like a database."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.printable import printable
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
from tocsin.cli.sizes import human_size
from tocsin.cli.table import format_table

if TYPE_CHECKING:
    from tocsin.updates.publish.rulebook import PublishedEdition
    from tocsin.updates.publish.status import PublisherStatus
    from tocsin.updates.rulebooks import Changes

_WRONG = 2
_SHOWN = 40


@click.command("rulebook", context_settings=CONTEXT)
@folder_argument
@click.argument(
    "rules", metavar="FOLDER", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@spread_options
@keys_option
@passphrase_option
@pkcs11_option
@quiet_option
@json_option
def rulebook(
    folder: Path,
    rules: Path,
    fast_after: str | None,
    stable_after: str | None,
    rings: Sequence[str],
    keys: Path | None,
    passphrase_files: Sequence[str],
    pkcs11_module: Path | None,
    no_progress: bool,
    as_json: bool,
) -> None:
    """Publish an edition of the rulebook: the rules in FOLDER, checked, logged and signed.

    FOLDER has edition.toml, rules/ and suppliers/; every mistake in them is shown with its line
    and key, and nothing is published then. The edition's number must be higher than that of the
    last one. There is no withdrawing: an edition that is wrong is followed by the next.

    Exit status: 0 published, or it was already; 1 waiting for witnesses; 2 something is wrong and
    nothing was published.

    \b
    Examples:
      tocsin publish rulebook pub rulebook/
      tocsin publish rulebook pub rulebook/ --stable-after 1d --ring 10:0 --ring 100:12h
    """
    from tocsin.app.law_editions import make_edition, try_edition
    from tocsin.jurisdiction.folder import BrokenRulebook
    from tocsin.updates.publish.rulebook import publish_rulebook

    try:
        made = make_edition(rules)
    except BrokenRulebook as error:
        if as_json:
            print_json({"error": "the rulebook has mistakes", "problems": error.lines()})
        for line in () if as_json else error.lines():
            click.echo(printable(line), err=True)
        sys.exit(_WRONG)
    with (
        waiting_said(as_json),
        publishing(
            folder, keys, passphrase_files, pkcs11_module, no_progress=no_progress
        ) as session,
    ):
        channels, read_rings = read_spread(fast_after, stable_after, rings, session)
        done = publish_rulebook(
            session, made.data, made.files, try_edition, channels=channels, rings=read_rings
        )
    if as_json:
        print_json(_values(done))
    else:
        _say(done)


def _values(done: PublishedEdition) -> dict[str, Any]:
    return {
        "edition": done.facts.version,
        "checked": done.facts.checked.isoformat(),
        "sha256": done.sha256,
        "bytes": done.size,
        "before": done.before,
        "counts": dict(done.facts.counts),
        "rules": done.rules._asdict(),
        "others": done.others._asdict(),
        **completed_values(done.completed),
    }


def _say(done: PublishedEdition) -> None:
    number = done.facts.version
    if done.completed is None:
        click.echo(f"Nothing changed: this is edition {number}, as published.")
        return
    counts = ", ".join(f"{count:,} {kind}" for kind, count in done.facts.counts.items())
    click.echo(
        f"Edition {number} of the rulebook, checked {done.facts.checked}: rules {done.rules}; "
        f"{counts}; {human_size(done.size)}"
    )
    click.echo(f"SHA-256 {done.sha256}")
    if done.before:  # of the first, everything is new
        _say_changes(done.rules)
        _say_changes(done.others)
    say_completed(done.completed)


def _say_changes(changed: Changes) -> None:
    marked = [f"{mark}{name}" for mark, names in zip("+-~", changed, strict=True) for name in names]
    for line in marked[:_SHOWN]:
        click.echo(printable(f"  {line}"))
    if len(marked) > _SHOWN:
        click.echo(f"  and {len(marked) - _SHOWN:,} more")


def rulebook_rows(found: PublisherStatus) -> str:
    """The editions that are offered, as a table."""
    return format_table(
        [
            (
                one.version,
                str(one.checked),
                one.rules,
                f"+{one.added:,} -{one.removed:,} ~{one.changed:,}",
                human_size(one.size),
                "; ".join(f"{name} {at:%Y-%m-%d %H:%M}" for name, at in one.channels.items()),
            )
            for one in found.rulebooks
        ],
        ("Rulebook", "Checked", "Rules", "Change", "Size", "Channels"),
    )

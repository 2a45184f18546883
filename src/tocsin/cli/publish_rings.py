"""`tocsin publish rings`: who gets a version when, changed after it was published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

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
    read_delay,
    read_rings,
    say_completed,
    spread_options,
    waiting_said,
)
from tocsin.errors import UsageError


@click.command("rings", context_settings=CONTEXT)
@folder_argument
@click.argument("version")
@click.option("--release", is_flag=True, help="VERSION is one of the software, not of a database.")
@click.option("--rulebook", is_flag=True, help="VERSION is an edition of the rulebook.")
@spread_options
@click.option("--all-at-once", is_flag=True, help="No rings: every device of a channel at once.")
@click.option(
    "--not-for",
    "not_for",
    multiple=True,
    type=click.Choice(["fast", "stable"]),
    help="This channel is not to have it (any more).",
)
@keys_option
@passphrase_option
@pkcs11_option
@quiet_option
@json_option
def rings(
    folder: Path,
    version: str,
    release: bool,
    rulebook: bool,
    fast_after: str | None,
    stable_after: str | None,
    rings: Sequence[str],
    all_at_once: bool,
    not_for: Sequence[str],
    keys: Path | None,
    passphrase_files: Sequence[str],
    pkcs11_module: Path | None,
    no_progress: bool,
    as_json: bool,
) -> None:
    """Change who gets a version when: sooner, later, in other rings, or all at once.

    Delays count from now. What is not named stays. It is signed, staged and shown like everything
    else. Devices that took the version keep it: 'tocsin publish withdraw' takes one back.

    Exit status: 0 published, 1 waiting for witnesses, 2 something is wrong.

    \b
    Examples:
      tocsin publish rings pub 12 --stable-after 0 --all-at-once
      tocsin publish rings pub 12 --stable-after 2d --ring 1:0 --ring 100:1d
      tocsin publish rings pub 12 --not-for stable
      tocsin publish rings pub 3 --rulebook --stable-after 0
    """
    from tocsin.updates.layout import RulebookTarget
    from tocsin.updates.publish.spread import change_spread

    channels: dict[str, int | None] = dict.fromkeys(not_for)
    for name, text in (("fast", fast_after), ("stable", stable_after)):
        if text is not None:
            channels[name] = read_delay(text)
    read = () if all_at_once else read_rings(rings)
    if not channels and read is None:
        raise UsageError("say what is to change: --stable-after, --fast-after, --ring, --not-for")
    if release and rulebook:
        raise UsageError("a version is a --release or a --rulebook, not both")
    if not release and not version.isdecimal():
        raise UsageError(f"{version!r} is no number of a database; --release means the software's")
    with (
        waiting_said(as_json),
        publishing(
            folder, keys, passphrase_files, pkcs11_module, no_progress=no_progress
        ) as session,
    ):
        wanted = version if release else int(version)
        kind = RulebookTarget if rulebook else None
        done = change_spread(session, wanted, kind=kind, channels=channels, rings=read)
    if as_json:
        print_json(completed_values(done))
    else:
        say_completed(done)

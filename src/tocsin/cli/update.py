"""`tocsin update`: fetch new signatures, and check who vouches for them."""

from __future__ import annotations

from pathlib import Path

import click

from tocsin.cli.update_consent import consent
from tocsin.cli.update_copies import bundle, mirror
from tocsin.cli.update_trust import trust
from tocsin.cli.update_versions import pin, rollback, status, verify

_CONTEXT = {"help_option_names": ["-h", "--help"]}


@click.group("update", context_settings=_CONTEXT, invoke_without_command=True)
@click.option(
    "--mirror",
    "mirrors",
    multiple=True,
    metavar="URL|DIR",
    help="Where the repository is, instead of what the settings say; repeatable.",
)
@click.option(
    "--trust",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with root.json and policy, instead of the usual one.",
)
@click.option("--channel", type=click.Choice(["stable", "fast"]), help="Instead of the settings'.")
@click.option("--at", metavar="TIME", help="Judge by this time instead of the clock's.")
@click.option("--again", is_flag=True, help="Try a version again that did not pass its test here.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(
    ctx: click.Context,
    mirrors: tuple[str, ...],
    folder: Path | None,
    channel: str | None,
    at: str | None,
    again: bool,
    as_json: bool,
) -> None:
    """Fetch new signatures, and check who vouches for them.

    No mirror is believed. A new version is used when the publisher's threshold signed it, it
    stands in a public log that only grew, the witnesses of your policy saw it, its bytes are the
    signed ones, and it passed a test on this device. Otherwise what is in use stays in use, and
    scanning goes on.

    Exit status: 0 up to date; 2 not updated, with the reason; 3 a new publisher waits for
    'tocsin update consent'.

    \b
    Examples:
      tocsin update trust --root root.json --policy policy --mirror https://mirror.example/
      tocsin update
      tocsin update status
      tocsin update verify
    """
    if ctx.invoked_subcommand is not None:
        return
    from tocsin.app.updates import Asked, stated_moment, update_device
    from tocsin.cli.progress import Meter
    from tocsin.cli.settings_option import current_settings
    from tocsin.cli.update_progress import print_outcome, shown, waits

    asked = Asked(folder, mirrors, None, channel or "", stated_moment(at), again)
    settings = current_settings(ctx)
    with waits(as_json=as_json), Meter(enabled=not as_json) as meter:
        outcome = update_device(settings, asked, shown(meter), meter.say)
    print_outcome(outcome, as_json=as_json)


for _verb in (trust, status, verify, rollback, pin, consent, mirror, bundle):
    command.add_command(_verb)

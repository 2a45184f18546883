"""`tocsin update`: fetch new signatures, and check who vouches for them."""

from __future__ import annotations

from pathlib import Path

import click

from tocsin.cli.update_background import background
from tocsin.cli.update_consent import consent
from tocsin.cli.update_copies import bundle, mirror
from tocsin.cli.update_software import software
from tocsin.cli.update_sources import sources
from tocsin.cli.update_trust import trust
from tocsin.cli.update_verify import verify
from tocsin.cli.update_versions import pin, rollback, status

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
@click.option(
    "--source",
    "named",
    multiple=True,
    metavar="NAME|KIND:URL",
    help="Bring in only this, which others publish, and keep it current from now on; repeatable. "
    "'tocsin update sources' lists the names.",
)
@click.option(
    "--require-sign", is_flag=True, help="Take ClamAV's databases only with a valid .sign."
)
@click.option("--allow-shrink", is_flag=True, help="Take a source that lost most of its content.")
@click.option(
    "--auth-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the key for abuse.ch, instead of what TOCSIN_AUTH_KEY says.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(
    ctx: click.Context,
    mirrors: tuple[str, ...],
    folder: Path | None,
    channel: str | None,
    at: str | None,
    again: bool,
    named: tuple[str, ...],
    require_sign: bool,
    allow_shrink: bool,
    auth_key_file: Path | None,
    as_json: bool,
) -> None:
    """Fetch new signatures, and check who vouches for them.

    No mirror is believed. A new version is used when the publisher's threshold signed it, it
    stands in a public log that only grew, the witnesses of your policy saw it, its bytes are the
    signed ones, and it passed a test on this device. Otherwise what is in use stays in use, and
    scanning goes on.

    Sources that others publish (--source) have no such log: each is checked as far as it is
    signed, tried on this device, and looked after by every 'tocsin update' from then on. One that
    fails keeps nothing else from being updated.

    Exit status: 0 up to date, or a server wants a pause; 2 something was not updated, with the
    reason; 3 a new publisher waits for 'tocsin update consent'.

    \b
    Examples:
      tocsin update trust --root root.json --policy policy --mirror https://mirror.example/
      tocsin update
      tocsin update status
      tocsin update verify
      tocsin update --source clamav --source malwarebazaar
      tocsin update --source ours=digests:https://lists.example/bad.csv
    """
    if ctx.invoked_subcommand is not None:
        return
    from tocsin.app.update_sources import SourceAsked
    from tocsin.app.updates import Asked, stated_moment
    from tocsin.cli.settings_option import current_settings
    from tocsin.cli.update_sources import run_update

    asked = Asked(folder, mirrors, None, channel or "", stated_moment(at), again)
    of_sources = SourceAsked(auth_key_file, require_sign, allow_shrink, again)
    run_update(current_settings(ctx), asked, named, of_sources, as_json=as_json)


for _verb in (
    *(trust, status, verify, rollback, pin, consent),
    *(mirror, bundle, background, sources, software),
):
    command.add_command(_verb)

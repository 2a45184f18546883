"""`tocsin update background`: one update as the daemon makes it."""

from __future__ import annotations

import sys

import click

from tocsin.cli.printable import printable


@click.command("background", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-q", "--quiet", is_flag=True, help="Say only what went wrong.")
def background(quiet: bool) -> None:
    """Update as the daemon does: at the lowest priority, with few rights, and journalled.

    The daemon runs this every [updates] every, at moments of this device's own, once it is known
    whom to trust, or there are sources. Without a daemon a timer may run it.

    Exit status: 0 up to date; 2 not updated, with the reason; 3 a new publisher waits for
    'tocsin update consent'.

    \b
    Examples:
      tocsin update background
      tocsin events --kind update
    """
    from tocsin.app.update_task import update_in_background
    from tocsin.cli.settings_option import current_settings

    def say(text: str) -> None:
        if not quiet:
            click.echo(printable(text))

    status, trouble = update_in_background(current_settings(), say)
    for line in trouble:
        click.echo(printable(f"tocsin: {line}"), err=True)
    sys.exit(status)

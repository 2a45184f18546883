"""`tocsin top`: the daemon watched live."""

from __future__ import annotations

import os
import sys

import click

from tocsin.errors import UsageError


@click.command("top", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--every",
    type=click.FloatRange(0.2, 60),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between two looks.",
)
def command(every: float) -> None:
    """Watch the daemon: what it scans, finds and guards, and what that costs.

    Keys: q ends it, p pauses, s sorts the processes otherwise, ? explains what is shown. While
    the daemon does not answer, it is waited for. Files are named to root and to members of
    [daemon] admin_group alone.

    \b
    Examples:
      tocsin top
      tocsin top --every 5
      tocsin status --json        # the same for programs
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM") == "dumb":
        raise UsageError("this needs a terminal; for programs there is 'tocsin status --json'")
    from tocsin.app.device import device_settings
    from tocsin.app.live import Watch
    from tocsin.cli.settings_option import named_settings
    from tocsin.cli.top_screen import Top

    settings = device_settings(named_settings())
    Top(Watch(settings).look, settings, every=every).run()

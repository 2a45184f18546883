"""`tocsin daemon`: what is always there, in the foreground."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import click


@click.command(
    "daemon",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 it was told to end; 2 it could not start or go on.",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Serve scans to others until told to end; stays in the foreground.

    It speaks clamd's protocol on a UNIX socket, and on TCP where the settings say so, so that
    whatever asks clamd can ask it. Started by root, it gives its rights up wherever it can.
    SIGHUP has it look at its database again, SIGTERM ends it in good order.

    \b
    Examples:
      tocsin daemon
      tocsin --config ./tocsin.toml daemon
      systemctl start tocsin        # after 'tocsin install'
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it means something
    from tocsin.cli.settings_option import current_settings, named_settings

    current_settings(ctx)  # what is wrong with them is said before anything else
    named = named_settings()
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    arguments = [sys.executable, *flags, "-P", "-m", "tocsin.cli.daemon_process"]
    if named is not None:
        arguments.append(str(Path(named).absolute()) if Path(named).exists() else str(named))
    if sys.stdout is not None:
        sys.stdout.flush()
    os.execv("/proc/self/exe", arguments)  # noqa: S606

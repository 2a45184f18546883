"""`tocsin`: one command with verbs, each loaded when it is called.

A verb is one module in this package. It parses, calls one function of a room or of `app`,
and prints; it decides nothing.
"""

from __future__ import annotations

import difflib
import importlib
import os
from pathlib import Path

import click

from tocsin.cli.ending import end_well
from tocsin.cli.printable import printable
from tocsin.version import VERSION

VERBS = {
    "scan": "Scan files and folders.",
    "unpack": "List what is inside a file, or write it to a folder.",
    "identify": "Say what files are, by their content.",
    "update": "Fetch new signatures, and check who vouches for them.",
    "db": "Build, inspect and compare detection databases.",
    "publish": "Publish databases and releases that others can verify.",
    "rebuild": "Build a published database again, and compare byte for byte.",
    "rebuilder": "Be somebody whose word on rebuilt databases counts.",
    "log": "Keep and check a transparency log.",
    "witness": "Cosign logs, so that nobody can be shown another one.",
    "daemon": "Serve scans to others, and guard this machine.",
    "quarantine": "Take files away, show what was taken, put it back.",
    "status": "Say what protects this device now.",
    "top": "Watch the daemon live.",
    "task": "Run what is done at certain times, and see how it stands.",
    "allow": "Make exceptions of your own, list and revoke them.",
    "events": "Show what happened: the journal of events.",
    "config": "Check and show the settings.",
    "install": "Make the daemon a part of this machine.",
    "uninstall": "Take back what 'tocsin install' made.",
    "migrate": "Move over from another scanner.",
    "audit": "Find what comes from a supplier under a rule, and malicious packages.",
    "law": "Ask dated law what may be supplied, and why.",
    "doctor": "Check what protects this machine, and say what is missing.",
}


class _Verbs(click.Group):
    """Imports a verb's module only when that verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"tocsin.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; one that is misspelt is told from what it is like."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], VERBS, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else "; 'tocsin --help' lists all"
            ctx.fail(f"there is no verb {printable(args[0])!r}{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, "-V", "--version", prog_name="tocsin")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings file. Default: what TOCSIN_CONFIG names, else the usual place.",
)
@click.pass_context
def main(ctx: click.Context, config: Path | None) -> None:
    """Malware protection whose trust is checked, not given.

    \b
    Examples:
      tocsin scan ~/Downloads
      tocsin scan --db /var/lib/clamav --json mail.eml
      tocsin db info rules.tdb
    """
    ctx.obj = config


def run() -> None:
    """Entry point. Whatever ends the command early ends it with exit status 2, never 1.

    Whatever the umask of who calls it, nothing that it makes can be written by everybody, and
    what root makes by nobody else: it would decide what is trusted, and what is found.
    """
    os.umask(os.umask(0o077) | (0o022 if os.geteuid() == 0 else 0o002))
    end_well(lambda: main(standalone_mode=False))


if __name__ == "__main__":
    run()

"""`tocsin doctor`: what protects this machine, and what is missing."""

from __future__ import annotations

import json
import sys

import click

from tocsin.cli.settings_option import named_settings
from tocsin.cli.table import format_table, wrap

_MARKS = {"ok": "ok", "warning": "WEAKER", "failed": "FAILED"}


@click.command("doctor", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each check.")
def command(as_json: bool) -> None:
    """Check what protects this machine, and say what is missing.

    Every promise is tried: what confines the processes that parse hostile files, the
    libraries, the signatures, and a scan of the EICAR test file in an archive. Of an installed
    daemon: the settings, accounts, folders, journal, quarantine and systemd unit, whether it
    answers where it should and is of this version, what the kernel lets the guard do, and who
    else scans; of the machine: room, memory and clock. As root it can look at more.

    Exit status: 0 all is well or weaker but working; 1 something does not work.

    \b
    Examples:
      sudo tocsin doctor
      tocsin doctor --json | jq 'select(.state != "ok")'
    """
    from tocsin.app.doctor import examine, exit_status

    checks = []
    for check in examine(named_settings()):
        checks.append(check)
        if as_json:
            click.echo(json.dumps({**check._asdict(), "state": check.state.value}))
    if not as_json:
        rows = [[c.group, c.name, _MARKS[c.state.value], c.detail] for c in checks]
        click.echo(format_table(rows, ["", "", "", ""]).lstrip("\n"))
        for check in checks:
            if check.advice:
                click.echo()
                click.echo(wrap(check.advice, first=f"{check.name}: ", following="  "))
    sys.exit(exit_status(checks))

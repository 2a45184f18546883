"""`tocsin status`: what protects this device now, on one screen."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from tocsin.cli.table import output_width, wrap

if TYPE_CHECKING:
    from tocsin.protect.health.seen import Judgement

_LABEL = 12
_COLOURS = {"ok": "green", "note": "cyan", "warning": "yellow", "alarm": "red"}
_WORDS = {"note": "note", "warning": "WARNING", "alarm": "ALARM"}


@click.command(
    "status",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 protected; 1 protected, but something needs attention; 2 not "
    "protected as it should be, or that cannot be told.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with all that is known.")
def command(as_json: bool) -> None:
    """Say what protects this device now, and what is amiss.

    The daemon is asked. Where none answers, this is said, with what is known without it. What
    was found and where is shown to root and to members of [daemon] admin_group alone.

    A database whose newest source is older than [database] warn_after_days is a warning, from
    alarm_after_days on an alarm.

    \b
    Examples:
      tocsin status
      tocsin status --json | jq -r '.judgements[] | "\\(.level): \\(.topic): \\(.text)"'
      tocsin status >/dev/null || logger 'tocsin needs attention'
    """
    from tocsin.app.device import device_settings
    from tocsin.app.status import look, status_values
    from tocsin.cli.settings_option import named_settings
    from tocsin.protect.health.judge import exit_status, headline, judge

    seen = look(device_settings(named_settings()))
    judgements = judge(seen)
    status = exit_status(judgements)
    if as_json:
        click.echo(json.dumps(status_values(seen, judgements)))
        sys.exit(status)
    from tocsin.cli.status_rows import status_rows

    colour = ("green", "yellow", "red")[status]
    click.secho(wrap(headline(seen, judgements)), fg=colour, bold=True)
    for judgement in judgements:
        if judgement.level.rank > 1:
            _print_judgement(judgement)
    click.echo()
    for label, lines in status_rows(seen):
        _print_row(label, lines)
    for judgement in judgements:
        if judgement.level.rank == 1 and judgement.topic != "guard":
            _print_row("note", [f"{judgement.topic}: {judgement.text}"])
    sys.exit(status)


def _print_judgement(judgement: Judgement) -> None:
    level = judgement.level.value
    word = _WORDS[level]
    text = wrap(f"{judgement.topic}: {judgement.text}", first=" " * 9, following=" " * 9)
    click.echo(click.style(f"{word:<9}", fg=_COLOURS[level], bold=True) + text[9:])
    if judgement.advice:
        click.echo(wrap(judgement.advice, first=" " * 9, following=" " * 9))


def _print_row(label: str, lines: list[str]) -> None:
    indent = " " * _LABEL
    for place, line in enumerate(lines):
        text = wrap(line, first=indent, following=indent, width=output_width())
        lead = f"{label:<{_LABEL}}" if place == 0 else indent
        click.echo(click.style(lead, bold=True) + text[_LABEL:])

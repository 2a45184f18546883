"""`tocsin config`: check the settings file, show what is in force, write a template."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tocsin.cli.printable import printable
from tocsin.cli.settings_option import named_settings

if TYPE_CHECKING:
    from tocsin.errors import Problem
    from tocsin.protect.configuration.describe import InForce
    from tocsin.protect.configuration.load import Loaded

_CONTEXT = {"help_option_names": ["-h", "--help"]}


@click.group("config", context_settings=_CONTEXT)
def command() -> None:
    """Check and show the settings.

    They are read from the file that 'tocsin --config FILE' or TOCSIN_CONFIG names, else from
    /etc/tocsin/tocsin.toml for root and ~/.config/tocsin/tocsin.toml for others; without a file
    the defaults hold.

    \b
    Examples:
      tocsin config show --template > /etc/tocsin/tocsin.toml
      tocsin config check
      tocsin config show --effective
    """


@command.command("check", context_settings=_CONTEXT)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(file: Path | None, as_json: bool) -> None:
    """Say whether a settings file is right, and everything that is wrong, by line and key.

    Exit status: 0 right, perhaps with warnings; 1 something is wrong, or the daemon would not
    start with it on this machine.

    \b
    Examples:
      tocsin config check
      tocsin config check new.toml && mv new.toml /etc/tocsin/tocsin.toml
    """
    from tocsin.app.settings import load_settings, settings_file
    from tocsin.errors import InvalidSettings

    named = file or named_settings()
    source = str(settings_file(named)[0])
    problems: tuple[Problem, ...] = ()
    warned: tuple[Problem, ...] = ()
    found = True
    try:
        loaded = load_settings(named)
        warned, found = loaded.warnings, loaded.found
        if loaded.refused:
            raise InvalidSettings(source, loaded.refused)
    except InvalidSettings as error:
        problems = error.problems
        if not as_json:
            for line in error.lines():
                click.echo(printable(line), err=True)
    if as_json:
        answer = {
            "file": source,
            "found": found,
            "valid": not problems,
            "problems": [problem._asdict() for problem in problems],
            "warnings": [problem._asdict() for problem in warned],
        }
        click.echo(json.dumps(answer))
    elif not problems:
        for problem in warned:
            place = f"{source}:{problem.line}" if problem.line else source
            key = f"{problem.key}: " if problem.key else ""
            click.echo(printable(f"{place}: warning: {key}{problem.reason}"), err=True)
        said = "right" if found else "not there; defaults hold"
        if warned:
            said += ", but with a warning" if len(warned) == 1 else ", but with warnings"
        click.echo(printable(f"{source}: {said}"))
    sys.exit(1 if problems else 0)


@command.command("show", context_settings=_CONTEXT)
@click.option("--effective", is_flag=True, help="Every key, defaults too, and where it is from.")
@click.option("--template", is_flag=True, help="A new file: every key explained, commented out.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(effective: bool, template: bool, as_json: bool) -> None:
    """Show what the settings file states, or with --effective everything that is in force.

    Passwords, the headers of webhooks and what can be a key in their addresses are masked.

    \b
    Examples:
      tocsin config show
      tocsin config show --effective --json | jq '.daemon.tcp'
      tocsin config show --template > tocsin.toml
    """
    from tocsin.protect.configuration.describe import in_force
    from tocsin.protect.configuration.describe import template as write_template

    if template:
        if effective or as_json:
            raise click.UsageError("--template is a file of its own; give it alone")
        click.echo(write_template(), nl=False)
        return
    from tocsin.cli.settings_option import loaded_settings

    loaded = loaded_settings()
    rows = [row for row in in_force(loaded) if effective or row.line]
    if as_json:
        click.echo(json.dumps(_as_json(rows, loaded)))
    else:
        _print(rows, loaded)


def _print(rows: list[InForce], loaded: Loaded) -> None:
    from tocsin.protect.configuration.describe import written

    missing = "" if loaded.found else " (not there: all are defaults)"
    click.echo(printable(f"# {loaded.source}{missing}"))
    table = ""
    for row in rows:
        if row.table != table:
            table = row.table
            click.echo(f"\n{table.replace(']] ', ']]  # ')}")
        origin = f"line {row.line}" if row.line else "default"
        text = f"{row.key.name} = {written(row.key, row.value)}"
        click.echo(printable(f"{text:<50}  # {origin}"))


def _as_json(rows: list[InForce], loaded: Loaded) -> dict[str, object]:
    values: dict[str, object] = {}
    for row in rows:
        name, _, number = row.table.replace("]", "").replace("[", "").partition(" ")
        entry = {
            row.key.name: {"value": row.value, "from": row.line or "default"},
        }
        if number:
            entries = values.setdefault(name, [])
            assert isinstance(entries, list)
            if len(entries) < int(number):
                entries.append({})
            entries[int(number) - 1].update(entry)
        else:
            held = values.setdefault(name, {})
            assert isinstance(held, dict)
            held.update(entry)
    return {"file": str(loaded.source), "found": loaded.found, "settings": values}

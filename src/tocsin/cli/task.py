"""`tocsin task`: what is done at certain times, or when it is asked for."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import click

from tocsin.cli.printable import printable
from tocsin.cli.table import format_table

if TYPE_CHECKING:
    from tocsin.app.task_table import TaskRow
    from tocsin.app.tasks import TaskRun
    from tocsin.protect.schedule.progress import Progress

_CONTEXT = {"help_option_names": ["-h", "--help"]}


@click.group("task", context_settings=_CONTEXT)
def command() -> None:
    """Run the named tasks of the settings, see how they stand, stop them.

    A task is a [[task]] in the settings: what it looks at, when, and what is done with what it
    finds. The daemon starts them at their times; without a daemon 'tocsin task schedule' does.

    \b
    Examples:
      tocsin task list
      tocsin task run nightly
      tocsin task stop nightly
    """


@command.command("list", context_settings=_CONTEXT)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each task.")
def list_(as_json: bool) -> None:
    """List the tasks: when they ran, when they will, and how they stand.

    A user without a settings file of their own is shown the tasks of the machine.

    Exit status: 0.
    """
    from tocsin.app.device import device
    from tocsin.app.task_table import task_rows
    from tocsin.cli.settings_option import named_settings

    machine = device(named_settings())
    rows = task_rows(machine.settings)
    if machine.trouble:
        click.echo(f"tocsin: {printable(machine.trouble)}", err=True)
    if rows and machine.of_machine and os.geteuid() != 0:
        said = f"tocsin: the machine's tasks, of {machine.source}; only root runs or stops them"
        click.echo(said, err=True)
    if as_json:
        for row in rows:
            click.echo(json.dumps(row.to_dict()))
        return
    if not rows:
        click.echo("no tasks: a [[task]] in the settings makes one, see 'tocsin config show'")
        return
    cells = [
        [r.name, r.kind, r.at or "when asked", _when(r.last), _next(r), _state(r)] for r in rows
    ]
    click.echo(format_table(cells, ["task", "kind", "times", "last", "next", "state"]))


@command.command("run", context_settings=_CONTEXT)
@click.argument("name")
@click.option("--from-start", is_flag=True, help="Even if the last run stopped on its way.")
@click.option("-q", "--quiet", is_flag=True, help="Say only what went wrong.")
@click.option("--no-progress", is_flag=True, help="No progress bar on a terminal.")
def run(name: str, from_start: bool, quiet: bool, no_progress: bool) -> None:
    """Run a task now; where its last run was stopped or interrupted, it goes on.

    Interrupt it (Ctrl+C) or 'tocsin task stop' it, and the next run goes on from there. What is
    found goes to the journal ('tocsin events').

    Exit status: 0 nothing was found; 1 something was; 2 nothing was, but something could not be
    looked at, or it was stopped.

    \b
    Examples:
      tocsin task run nightly
      tocsin task run nightly --from-start
    """
    from tocsin.app.scan import Totals
    from tocsin.app.tasks import TaskRun, exit_status, task_named
    from tocsin.cli.scan_output import TextOutput
    from tocsin.cli.settings_option import current_settings
    from tocsin.engine.report import Report

    settings = current_settings()
    task = TaskRun(settings, task_named(settings, name))
    totals = Totals()
    output = TextOutput(verbose=False, quiet=True)
    with output.progress(enabled=not (quiet or no_progress)) as meter:

        def heard(report: Report) -> None:
            totals.add(report)
            if not quiet:
                output.report(report)
            meter.update(totals, report.path)

        progress = task.run(from_start=from_start, heard=heard, say=meter.say)
    _conclude(task, progress, quiet=quiet)
    sys.exit(exit_status(progress))


@command.command("stop", context_settings=_CONTEXT)
@click.argument("name")
def stop(name: str) -> None:
    """Stop a task that is running; its next run goes on where it stopped.

    Exit status: 0 it was stopped; 1 it did not run.
    """
    from tocsin.app.settings import state_folder
    from tocsin.app.tasks import task_named
    from tocsin.cli.settings_option import current_settings
    from tocsin.protect.schedule.progress import Files, stop_task

    settings = current_settings()
    task = task_named(settings, name)
    if not stop_task(Files.of(state_folder(settings), task.name)):
        click.echo(f"task {name} is not running")
        sys.exit(1)
    click.echo(f"task {name} stopped; its next run goes on from there")


@command.command("schedule", context_settings=_CONTEXT)
@click.option("--once", is_flag=True, help="Start what is due now, wait for it, and end.")
def schedule(once: bool) -> None:
    """Start the tasks at their times, in the foreground: for machines without the daemon.

    Ends with Ctrl+C or SIGTERM, and stops what it started. Refuses where the daemon, or another
    of these, does it already.

    Exit status: 0.
    """
    from tocsin.app.task_table import make_scheduler
    from tocsin.cli.settings_option import current_settings, named_settings
    from tocsin.protect.schedule.loop import run_scheduler

    settings = current_settings()
    if not settings.task:
        raise click.UsageError("the settings have no [[task]]")
    scheduler = make_scheduler(settings, named_settings())
    run_scheduler(scheduler, once=once, say=lambda text: click.echo(printable(text), err=True))


def _conclude(task: TaskRun, progress: Progress, *, quiet: bool) -> None:
    from tocsin.protect.own_files import WHAT

    for trouble in task.trouble:
        click.echo(f"tocsin: {printable(trouble)}", err=True)
    if quiet:
        return
    rows = [("task", progress.state.value), ("looked at", f"{progress.files:,} objects")]
    rows.append(("found", f"{progress.found:,}"))
    for label, count in (
        ("acted on", progress.acted),
        ("not acted on", progress.failed),
        ("not wholly", progress.gaps),
        ("remarkable", progress.remarkable),
        ("unchanged", progress.unchanged),
        (f"{WHAT} left out", progress.own),
    ):
        if count:
            rows.append((label, f"{count:,}"))
    click.echo(format_table(rows))


def _when(moment: float) -> str:
    from tocsin.cli.times import local_time

    return local_time(moment) if moment else "never"


def _next(row: TaskRow) -> str:
    return (_when(row.next) if row.next else "") + (f" ({row.missed} missed)" if row.missed else "")


def _state(row: TaskRow) -> str:
    from tocsin.app.task_table import is_active

    progress = row.progress
    said = progress.state.value
    if progress.files:
        said += f": {progress.files:,} objects, {progress.found:,} found"
    if is_active(progress) and progress.part:
        said += f", in {printable(progress.part)}"
    return f"{said} ({printable(progress.detail)})" if progress.detail else said

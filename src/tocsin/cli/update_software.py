"""`tocsin update software`: releases of tocsin itself, side by side, of which one is in use."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.printable import printable
from tocsin.cli.sizes import counted
from tocsin.cli.table import format_table
from tocsin.cli.times import local_time

if TYPE_CHECKING:
    from tocsin.app.software import Done
    from tocsin.updates.receive.software import SoftwareOutcome

_CONTEXT = {"help_option_names": ["-h", "--help"]}
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_PREFIX = click.option(
    "--prefix",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of the releases. Default: the one this program is in, else /opt/tocsin for root "
    "and ~/.local/share/tocsin/software for others.",
)


@click.group("software", context_settings=_CONTEXT, invoke_without_command=True)
@click.option("--check", "check_only", is_flag=True, help="Only say what is there.")
@_PREFIX
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
@click.option("--again", is_flag=True, help="Try a release again that did not pass its test here.")
@_JSON
@click.pass_context
def software(
    ctx: click.Context,
    check_only: bool,
    prefix: Path | None,
    mirrors: tuple[str, ...],
    folder: Path | None,
    channel: str | None,
    at: str | None,
    again: bool,
    as_json: bool,
) -> None:
    """Install a new release of tocsin beside the one in use, try it out, and switch to it.

    A release is verified like a database: the publisher's threshold, the public log, the
    witnesses of your policy. It has every wheel that it needs, and no registry is asked for any.
    Nothing of it is executed before that; then it is tried out without rights and without the
    network. The two releases before are kept. Whatever goes wrong, the one in use stays in use.

    The commands are in DIR/bin, which belongs into your search path. A program that was
    installed in another way (pipx, a virtual environment) is left alone: this begins a folder of
    its own.

    Exit status: 0 the newest release that is for this device is in use, or with --check there is
    none; 1 with --check, one can be installed; 2 it was not, with the reason; 3 a new publisher
    waits for 'tocsin update consent'.

    \b
    Examples:
      tocsin update software --check
      tocsin update software
      sudo tocsin update software --prefix /opt/tocsin
      tocsin update software rollback
    """
    if ctx.invoked_subcommand is not None:
        return
    from tocsin.app.software import update_software
    from tocsin.app.updates import Asked, stated_moment
    from tocsin.cli.progress import Meter
    from tocsin.cli.settings_option import current_settings, named_settings
    from tocsin.cli.update_progress import shown, waits

    asked = Asked(folder, mirrors, None, channel or "", stated_moment(at), again)
    with waits(as_json=as_json), Meter(enabled=not as_json) as meter:
        done = update_software(
            current_settings(ctx),
            asked,
            prefix,
            check_only=check_only,
            config=named_settings(),
            progress=shown(meter),
            say=meter.say,
        )
    if as_json:
        click.echo(json.dumps(_values(done)))
    else:
        _print(done)
    sys.exit(1 if check_only and done.outcome.available else 0)


def _values(done: Done) -> dict[str, Any]:
    outcome = done.outcome
    return {
        "outcome": "updated" if outcome.changed else "unchanged",
        "why": outcome.why,
        "folder": str(done.folder),
        "before": outcome.before,
        "now": outcome.now,
        "available": outcome.available,
        "waiting": outcome.waiting,
        "wheels": outcome.wheels,
        "vouched": [
            {"point": finding.point, "stands": finding.stands, "detail": finding.detail}
            for finding in (outcome.vouching.findings if outcome.vouching else ())
        ],
        "daemon": done.daemon.text if done.daemon else "",
        "still_running": list(done.running),
        "left_aside": outcome.failures,
        "passed_over": outcome.passed_over,
        "waiting_roots": [waiting.step.version for waiting in outcome.waiting_roots],
        "steps": [
            {
                "name": step.name,
                "milliseconds": round(step.milliseconds, 1),
                "bytes": step.bytes,
                "requests": step.requests,
            }
            for step in outcome.steps
        ],
    }


def _print(done: Done) -> None:
    outcome = done.outcome
    for mirror_url, reason in outcome.failures.items():
        click.echo(printable(f"left aside: {mirror_url}: {reason}"), err=True)
    for version, reason in outcome.passed_over.items():
        click.echo(printable(f"passed over: version {version}: {reason}"), err=True)
    _print_result(done, outcome)
    for waiting in outcome.waiting_roots:
        click.echo(
            printable(f"root {waiting.step.version} waits: {'; '.join(waiting.reasons())}"),
            err=True,
        )


def _print_result(done: Done, outcome: SoftwareOutcome) -> None:
    if not outcome.changed:
        click.echo(printable(outcome.why))
        return
    before = f" (was {outcome.before})" if outcome.before else ""
    wheels = counted(outcome.wheels, "wheel")
    click.echo(printable(f"{outcome.why}{before}: {wheels} in {done.folder / 'current'}"))
    for finding in outcome.vouching.findings if outcome.vouching else ():
        click.echo(printable(f"  {finding.point}: {finding.detail}"))
    rows = [
        (
            step.name,
            f"{step.milliseconds:,.0f} ms",
            step.bytes,
            counted(step.requests, "request"),
        )
        for step in outcome.steps
    ]
    click.echo(format_table(rows, ("step", "time", "bytes", ""), indent=2))
    if not outcome.before:
        click.echo(printable(f"the commands are in {done.folder / 'bin'}: put it into your PATH"))
    if done.daemon and done.daemon.text:
        click.echo(printable(done.daemon.text))
    for name in done.running:
        click.echo(printable(f"{name} is kept, since a process runs it"))


@software.command("status", context_settings=_CONTEXT)
@_PREFIX
@_JSON
def status(prefix: Path | None, as_json: bool) -> None:
    """Say which releases are here, and which one is in use.

    Exit status: 0; 1 no release is in use here.

    \b
    Examples:
      tocsin update software status
      tocsin update software status --json | jq .current
    """
    from tocsin.app.software import software_values

    values = software_values(prefix)
    if as_json:
        click.echo(json.dumps(values))
        sys.exit(0 if values["current"] else 1)
    click.echo(printable(f"this is tocsin {values['running']}; releases are in {values['folder']}"))
    if values["releases"]:
        rows = [
            (
                printable(each["name"]),
                "in use" if each["in_use"] else "kept",
                local_time(each["received"]),
                each["wheels"],
                each["python"],
            )
            for each in values["releases"]
        ]
        click.echo(format_table(rows, ("release", "", "received", "wheels", "python"), indent=2))
    else:
        click.echo("no release was installed there yet: tocsin update software")
    for digest, reason in values["refused"].items():
        click.echo(printable(f"did not pass its test: {digest[:12]}: {reason}"), err=True)
    sys.exit(0 if values["current"] else 1)


@software.command("rollback", context_settings=_CONTEXT)
@click.argument("version", required=False)
@_PREFIX
@_JSON
def rollback(version: str | None, prefix: Path | None, as_json: bool) -> None:
    """Go back to the release before, or to one that is kept.

    It is tried out again first. The next update takes a later release than any that was in use.

    Exit status: 0 done, 2 it is not kept, or did not pass its test.

    \b
    Examples:
      tocsin update software rollback
      tocsin update software rollback 1.2.0
    """
    from tocsin.app.software import roll_back_software
    from tocsin.cli.progress import Meter
    from tocsin.cli.settings_option import current_settings, named_settings

    with Meter(enabled=not as_json) as meter:
        before, now, daemon = roll_back_software(
            current_settings(), prefix, version, config=named_settings(), say=meter.say
        )
    if as_json:
        click.echo(json.dumps({"before": before, "now": now, "daemon": daemon.text}))
        return
    click.echo(printable(f"{now} is in use (was {before}); the next update takes a later one"))
    if daemon.text:
        click.echo(printable(daemon.text), err=daemon.failed)

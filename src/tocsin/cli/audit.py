"""`tocsin audit`: what on a system comes from a supplier under a rule, or is known to be bad."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tocsin.audit.gate import DEFAULT, FailOn
from tocsin.audit.report.interface import Format
from tocsin.cli.law_options import facts_options, read_facts, read_instant
from tocsin.cli.printable import printable
from tocsin.cli.sizes import Size
from tocsin.errors import SettingsError

if TYPE_CHECKING:
    from tocsin.audit.report.interface import Report

_TABLE = "table"
_MOST_UNDECIDED = 10
_SUFFIXES = {
    ".cdx.json": Format.CYCLONEDX,
    ".bom.json": Format.CYCLONEDX,
    ".sarif.json": Format.SARIF,
    ".sarif": Format.SARIF,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".json": Format.JSON,
}
"""What a report's name says of its format; the longest first."""


@click.command(
    "audit",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 nothing that --fail-on names; 1 something; 2 a path that could not be "
    "looked at, a package of which cannot be told whether it is malicious, with --strict anything "
    "that was skipped, or the command was not understood. 1 goes before 2.",
)
@click.argument("paths", nargs=-1, type=click.Path(readable=False), metavar="[PATH|IMAGE|SBOM]...")
@facts_options
@click.option("--at", metavar="WHEN", help="Instant (2024-09-29T04:00:00Z) or day. Default: now.")
@click.option(
    "--supplier", "suppliers", multiple=True, metavar="NAME", help="Look for this one only."
)
@click.option(
    "--suppliers",
    "own",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Rules and suppliers of your own besides: rules/*.toml and suppliers/*.toml.",
)
@click.option(
    "--osv",
    "advisories",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Advisories in OSV's format: a folder, a zip or a file. Repeatable.",
)
@click.option(
    "--distribution",
    default="",
    metavar="NAME:RELEASE",
    help="Which one packages of dpkg, rpm or apk are of, as OSV names it (Debian:12), if they do "
    "not tell. Default: this machine's for its own.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([_TABLE, *(each.value for each in Format)]),
    help="Default: a table, or what the name of -o says.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the report there, whole or not at all.",
)
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Leave out what is less sure to be a supplier's.",
)
@click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice([each.value for each in FailOn]),
    help="What gives exit status 1; repeatable. Default: "
    + " and ".join(each.value for each in DEFAULT)
    + ". 'undetermined' counts as prohibited.",
)
@click.option("--strict", is_flag=True, help="Exit status 2 if anything was skipped.")
@click.option(
    "--system/--no-system",
    default=None,
    help="Look at what is installed on this machine. Default: only if no PATH is named.",
)
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out of folders; repeatable.")
@click.option("--one-file-system", is_flag=True, help="Stay on the file system of each PATH.")
@click.option(
    "--max-file-size",
    type=Size(),
    default=512 << 20,
    show_default="512M",
    help="Larger files are not looked into. 0: no limit.",
)
@click.option("-j", "--jobs", type=click.IntRange(1, 256), help="Processes. Default: one a core.")
@click.option("--no-progress", is_flag=True, help="No progress bar on a terminal.")
def command(
    paths: tuple[str, ...],
    at: str | None,
    suppliers: tuple[str, ...],
    own: Path | None,
    advisories: tuple[Path, ...],
    distribution: str,
    form: str | None,
    as_json: bool,
    output: Path | None,
    min_confidence: float,
    fail_on: tuple[str, ...],
    strict: bool,
    system: bool | None,
    exclude: tuple[str, ...],
    one_file_system: bool,
    max_file_size: int,
    jobs: int | None,
    no_progress: bool,
    **facts: Any,
) -> None:
    """Find what comes from a supplier under a rule, and packages known to be malicious.

    Looks into bills of materials (CycloneDX, SPDX), lists of packages, programs, archives, images
    and folders of them; without a path at what is installed on this machine. Nothing is sent
    anywhere. docs/audit.md says what it finds and what it cannot. This is no legal advice.

    \b
    Examples:
      tocsin audit --place DE
      tocsin audit sbom.cdx.json --place US --at 2024-09-29 --format sarif -o audit.sarif
      tocsin audit image.tar --place AU --addressee government -o audit.html
      tocsin audit . --osv osv/npm.zip --fail-on malicious --fail-on prohibited
    """
    from tocsin.app.audit import AuditRun, Request
    from tocsin.app.walk import WalkOptions
    from tocsin.audit.gate import fails
    from tocsin.audit.look import LIMITS
    from tocsin.cli.progress import Meter
    from tocsin.jurisdiction.vocabulary import Operation, Product

    look_at_system = not paths if system is None else system
    if not paths and not look_at_system:
        raise click.UsageError("name a file or folder; --no-system leaves nothing to look at")
    for place in advisories:
        if not place.exists():
            raise click.UsageError(f"--osv {place}: there is no such folder or file")
    chosen = _format(form, output, as_json=as_json)
    stated = read_facts(**facts)
    instant, meant = read_instant(at, stated.places)
    source = click.get_current_context().get_parameter_source("embedded")
    request = Request(
        paths=paths,
        system=look_at_system,
        facts=stated.question(Operation.USE, Product.OTHER, "", instant),
        is_embedded_stated=source is not ParameterSource.DEFAULT,
        meant=meant,
        suppliers=suppliers,
        own=own,
        advisories=advisories,
        distribution=distribution,
        min_confidence=min_confidence,
        walk=WalkOptions(exclude, one_file_system),
        limits=LIMITS._replace(max_file_size=max_file_size),
        jobs=jobs or _jobs(request_paths=paths, system=look_at_system),
    )
    with Meter(enabled=not no_progress) as meter:
        report = AuditRun(request, meter.say).report()
    _write(report, chosen, output)
    for path in report.unseen:
        click.echo(f"tocsin: {printable(path)}: could not be looked at", err=True)
    on = [FailOn(each) for each in fail_on] or DEFAULT
    if fails(report.audit, on):
        sys.exit(1)
    if report.undecided and set(on) & {FailOn.MALICIOUS, FailOn.VULNERABLE, FailOn.ANY}:
        for path in report.undecided[:_MOST_UNDECIDED]:
            said = "whether something in it is malicious cannot be told; see what was skipped"
            click.echo(f"tocsin: {printable(path)}: {said}", err=True)
        sys.exit(2)
    sys.exit(2 if report.unseen or (strict and report.audit.skipped) else 0)


def _format(form: str | None, output: Path | None, *, as_json: bool) -> Format | None:
    """Which format is meant; None: the table."""
    if as_json:
        if form not in (None, Format.JSON.value):
            raise click.UsageError(f"--json and --format {form} contradict each other")
        return Format.JSON
    if form is not None:
        return None if form == _TABLE else Format(form)
    name = "" if output is None else output.name.casefold()
    return next((found for suffix, found in _SUFFIXES.items() if name.endswith(suffix)), None)


def _jobs(*, request_paths: tuple[str, ...], system: bool) -> int:
    """A process a core; one for one file, of which one worker looks into all."""
    if len(request_paths) == 1 and not system and not os.path.isdir(request_paths[0]):
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def _write(report: Report, form: Format | None, output: Path | None) -> None:
    from tocsin.audit.report import writer
    from tocsin.cli.audit_output import headline_colour, table_lines
    from tocsin.cli.table import wrap
    from tocsin.durable import write_file

    if output is None and form is None:
        for line in table_lines(report):
            click.echo(line)
        return
    text = (
        "\n".join(map(click.unstyle, table_lines(report))) + "\n"
        if form is None
        else writer(form)(report)
    )
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        write_file(output, text.encode())
    except OSError as error:
        raise SettingsError(f"{output}: {error.strerror or error}; nothing was written") from error
    click.secho(wrap(report.headline()), fg=headline_colour(report), bold=True)
    click.echo(f"written: {printable(str(output))}")

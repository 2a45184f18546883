"""`tocsin scan`: parse, start one scan, print what it says."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from tocsin.cli.printable import printable
from tocsin.cli.sizes import Size
from tocsin.unpack.interface import Limits

if TYPE_CHECKING:
    from tocsin.app.acting import Acting
    from tocsin.app.scan import Request

_DEFAULTS = Limits()


def _jobs() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


@click.command(
    "scan",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 clean; 1 something was found; 2 nothing was found, but something "
    "could not be looked at, or was not wholly.",
)
@click.argument("paths", nargs=-1, type=click.Path(readable=False), metavar="[PATH]...")
@click.option(
    "--db",
    "databases",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Database: a file built by 'tocsin db build', a signature file (.ldb .hdb .yar .cvd …), "
    "a plain list of digests, or a folder of them. Repeatable. Default: what the settings "
    "name in [database], else tocsin's own.",
)
@click.option("--with-default", is_flag=True, help="Use tocsin's own signatures as well.")
@click.option("--lenient", is_flag=True, help="Pass over malformed signatures instead of refusing.")
@click.option("-j", "--jobs", type=click.IntRange(1, 256), help="Processes. Default: one a core.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each path.")
@click.option(
    "--all-matches/--first-match",
    default=False,
    help="Report everything that matches, or stop at the first match in a path (default).",
)
@click.option("--detect-pua", is_flag=True, help="Also report what is merely unwanted.")
@click.option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help="Leave out; repeatable. A pattern "
    "with a '/' is held against the whole path, others against the name.",
)
@click.option(
    "--files-from0",
    type=click.File("rb"),
    metavar="FILE",
    help="Scan the paths in FILE, each ended by a NUL byte ('-' for standard input).",
)
@click.option(
    "--memory",
    is_flag=True,
    help="Scan what running processes can execute: the files they have mapped for that, deleted "
    "ones too, and memory without a file. As root those of every user.",
)
@click.option(
    "--critical",
    is_flag=True,
    help="Scan what is started without being asked for: cron, systemd, shell profiles, the "
    "loader, PAM, SSH, kernel modules, browser extensions and so on, with the programs named "
    "there. Says what is remarkable besides. As root those of every user.",
)
@click.option("--one-file-system", is_flag=True, help="Stay on the file system of each PATH.")
@click.option("--pseudo-file-systems", is_flag=True, help="Enter /proc, /sys and their like too.")
@click.option(
    "--incremental",
    is_flag=True,
    help="Skip files that are unchanged since they were "
    "found clean with this database; the report says so.",
)
@click.option(
    "--password", "passwords", multiple=True, help="Try it on encrypted members; repeatable."
)
@click.option(
    "--max-file-size",
    type=Size(),
    default=_DEFAULTS.max_file_size,
    show_default="100M",
    help="Larger objects are not scanned; of larger files only the digests are. 0: no limit.",
)
@click.option(
    "--max-scan-size",
    type=Size(),
    default=_DEFAULTS.max_scan_size,
    show_default="400M",
    help="Most bytes taken out of the containers in one file. 0: no limit.",
)
@click.option(
    "--max-files",
    type=click.IntRange(0),
    default=_DEFAULTS.max_files,
    show_default=True,
    help="Most objects in one file. 0: no limit.",
)
@click.option(
    "--max-depth",
    type=click.IntRange(1, 64),
    default=_DEFAULTS.max_depth,
    show_default=True,
    help="Containers inside one another.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0),
    default=_DEFAULTS.timeout,
    show_default=True,
    help="Seconds for one file. 0: no limit.",
)
@click.option(
    "--alert-encrypted",
    is_flag=True,
    help="Report what is encrypted and could not be opened as Heuristics.Encrypted.*.",
)
@click.option(
    "--alert-macros",
    is_flag=True,
    help="Report documents with macros as Heuristics.OLE2.ContainsMacros.*.",
)
@click.option(
    "--require-sandbox",
    is_flag=True,
    help="Scan nothing where the processes that parse files cannot be confined "
    "('tocsin doctor' says whether they can).",
)
@click.option(
    "--files-per-worker",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Replace a worker after so many files; 1 lets no file's code judge another file.",
)
@click.option(
    "--action",
    type=click.Choice(["report", "quarantine", "delete", "terminate"]),
    help="What is done with what is INFECTED; 'tocsin quarantine restore' puts back what was "
    "taken; 'terminate' ends the processes that --memory finds. What was found and done is "
    "journalled. Default: it is reported, no more.",
)
@click.option("-v", "--verbose", is_flag=True, help="Name clean files too.")
@click.option("-q", "--quiet", is_flag=True, help="Only what was found or went wrong; no summary.")
@click.option("--no-progress", is_flag=True, help="No progress bar on a terminal.")
def command(
    paths: tuple[str, ...],
    databases: tuple[Path, ...],
    with_default: bool,
    lenient: bool,
    jobs: int | None,
    as_json: bool,
    all_matches: bool,
    detect_pua: bool,
    exclude: tuple[str, ...],
    files_from0: BinaryIO | None,
    memory: bool,
    critical: bool,
    one_file_system: bool,
    pseudo_file_systems: bool,
    incremental: bool,
    passwords: tuple[str, ...],
    max_file_size: int,
    max_scan_size: int,
    max_files: int,
    max_depth: int,
    timeout: float,
    alert_encrypted: bool,
    alert_macros: bool,
    require_sandbox: bool,
    files_per_worker: int,
    action: str | None,
    verbose: bool,
    quiet: bool,
    no_progress: bool,
) -> None:
    """Scan files and folders; '-' scans the bytes of standard input.

    What is not said here the settings say: [database] the signatures, [scan] limits and what is
    left out. tocsin's own files are left out of folders; a file of them that is named is scanned,
    but never taken away.

    \b
    Examples:
      tocsin scan ~/Downloads
      tocsin scan --db /var/lib/clamav --all-matches suspicious.doc
      tocsin scan --action quarantine ~/Downloads
      tocsin scan --json --jobs 4 /srv | jq 'select(.verdict != "clean")'
      tocsin scan --memory --critical
      find /home -newer stamp -print0 | tocsin scan --files-from0 -
    """
    from tocsin.app.allow import current_exceptions
    from tocsin.app.own_files import own_files
    from tocsin.app.own_processes import daemon_sessions
    from tocsin.app.scan import Request
    from tocsin.app.walk import WalkOptions, read_file_list
    from tocsin.cli.scan_settings import ScanSettings
    from tocsin.engine.options import Options, Sandboxing

    chosen = ScanSettings(databases)
    own = own_files(chosen.settings)
    scan = chosen.settings.scan
    named = list(paths)
    if files_from0 is not None:
        named += read_file_list(files_from0.read())
    elif not (named or memory or critical):
        raise click.UsageError("name a file or folder to scan, or '-' for standard input")
    single = len(named) == 1 and not (memory or critical) and not os.path.isdir(named[0])
    encrypted = chosen.or_given("alert_encrypted", alert_encrypted, scan.alert_encrypted)
    confined = chosen.or_given("require_sandbox", require_sandbox, scan.require_sandbox)
    request = Request(
        paths=tuple(named),
        options=Options(
            limits=Limits(
                chosen.or_given("max_file_size", max_file_size, scan.max_file_size),
                chosen.or_given("max_scan_size", max_scan_size, scan.max_scan_size),
                chosen.or_given("max_files", max_files, scan.max_files),
                chosen.or_given("max_depth", max_depth, scan.max_depth),
                chosen.or_given("timeout", timeout, scan.timeout),
            ),
            all_matches=all_matches,
            detect_pua=chosen.or_given("detect_pua", detect_pua, scan.detect_pua),
            exceptions=current_exceptions(),
            passwords=tuple(
                os.fsencode(password)
                for password in chosen.or_given("passwords", passwords, scan.passwords)
            ),
            alert_encrypted_archives=encrypted,
            alert_encrypted_documents=encrypted,
            alert_macros=chosen.or_given("alert_macros", alert_macros, scan.alert_macros),
            objects_per_worker=chosen.or_given(
                "files_per_worker", files_per_worker, scan.objects_per_worker
            ),
            sandbox=Sandboxing.REQUIRED if confined else Sandboxing.ON,
        ),
        walk=WalkOptions(
            chosen.or_given("exclude", exclude, scan.exclude),
            one_file_system,
            pseudo_file_systems,
            own=own,
            own_named=files_from0 is not None,
        ),
        jobs=1 if single else jobs or (scan.jobs or _jobs()),
        incremental=incremental,
        memory=memory,
        critical=critical,
        own_sessions=daemon_sessions(chosen.settings.daemon.api_socket) if memory else (),
        remember_files=action is not None,
    )
    sys.exit(
        _run(
            request,
            chosen.sources(with_default=with_default),
            lenient=chosen.lenient(lenient),
            as_json=as_json,
            verbose=verbose,
            quiet=quiet,
            progress=not no_progress,
            action=action,
        )
    )


def _acting(action: str, database: str) -> Acting:
    from tocsin.app.acting import Acting
    from tocsin.cli.settings_option import current_settings
    from tocsin.protect.actions import Action

    return Acting(Action(action), current_settings(), database)


def _run(
    request: Request,
    sources: list[Path],
    *,
    lenient: bool,
    as_json: bool,
    verbose: bool,
    quiet: bool,
    progress: bool,
    action: str | None,
) -> int:
    from tocsin.app.scan import ScanRun
    from tocsin.cli.scan_output import JsonOutput, TextOutput
    from tocsin.cli.scan_settings import shown_sources
    from tocsin.database.cache import open_database

    output = (
        JsonOutput()
        if as_json
        else TextOutput(verbose=verbose, quiet=quiet, sources=shown_sources(sources))
    )
    with output.progress(enabled=progress) as meter:
        database = open_database(sources, lenient=lenient, progress=meter.say)
        output.begin(database)
        run = ScanRun(database, request)
        acting = _acting(action, database.identity) if action is not None else None
        stopped = False
        try:
            with closing(run.reports()) as reports:
                for report in reports:
                    output.report(report, acting.after(report, run.seen) if acting else None)
                    meter.update(run.totals, report.path)
        except KeyboardInterrupt:
            stopped = True
    output.end(run, stopped=stopped)
    if acting is not None and acting.trouble:
        click.echo(f"tocsin: not journalled: {printable(acting.trouble)}", err=True)
    if stopped and not run.totals.found:
        return 2
    return run.totals.exit_status

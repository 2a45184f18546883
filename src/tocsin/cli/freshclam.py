"""`tocsin-freshclam`: keeps ClamAV's databases current as freshclam does, from `freshclam.conf`.

Options, lines and exit statuses are freshclam's where scripts rely on them; `docs/freshclam.md`
has the table of what differs.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from tocsin.cli.ending import Words, end_well
from tocsin.cli.freshclam_output import Log, Output, Style
from tocsin.cli.printable import printable
from tocsin.errors import SettingsError, TocsinError

if TYPE_CHECKING:
    from tocsin.app.freshclam import Round
    from tocsin.app.freshclam_settings import FreshclamSettings
    from tocsin.updates.sources.notices import Notice

CONNECTION, BAD_DATABASE, TEST_FAILED, CONFIGURATION = 5, 7, 8, 9
DIRECTORY, FAILED_GET, NOT_SYNCHRONISED, FAILED_UPDATE = 10, 11, 12, 14
FORBIDDEN, OTHER = 17, 19
_ENGINE = "1.4.6"
_MOST_CHECKS = 50
_NOW = "now"
_END = "end"


class Chosen(NamedTuple):
    """What the command line says beside `freshclam.conf`."""

    dns: bool
    allow_shrink: bool
    on_update: str
    on_error: str
    on_outdated: str
    notify: Path | None
    as_json: bool


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-V", "--version", "show_version", is_flag=True, help="Print versions and end.")
@click.option("-v", "--verbose", is_flag=True, help="Say more.")
@click.option("--debug", is_flag=True, help="The same as --verbose.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
@click.option("--no-warnings", is_flag=True, help="Print and log no warnings.")
@click.option("--stdout", "to_stdout", is_flag=True, help="Print all to standard output.")
@click.option("--show-progress", is_flag=True, help="Show how far a download is.")
@click.option(
    "--config-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read this instead of /etc/clamav/freshclam.conf.",
)
@click.option("-l", "--log", type=click.Path(path_type=Path), metavar="FILE", help="Log to FILE.")
@click.option("-d", "--daemon", is_flag=True, help="Stay, and look again and again.")
@click.option(
    "-p", "--pid", type=click.Path(path_type=Path), metavar="FILE", help="Note the process number."
)
@click.option("-F", "--foreground", is_flag=True, help="With --daemon: stay in the foreground.")
@click.option("-u", "--user", metavar="USER", help="Run as USER, where root starts it.")
@click.option("--no-dns", is_flag=True, help="Ask the server itself what is new.")
@click.option("-c", "--checks", type=int, metavar="N", help="Look N times a day, 1 to 50.")
@click.option(
    "--datadir", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the databases."
)
@click.option(
    "--daemon-notify",
    is_flag=False,
    flag_value="/etc/clamav/clamd.conf",
    metavar="[FILE]",
    help="Tell clamd, whose clamd.conf FILE is, to load its databases again.",
)
@click.option("-a", "--local-address", metavar="IP", help="Connect from this address.")
@click.option("--on-update-execute", metavar="COMMAND", help="After an update; EXIT_1 sets 1.")
@click.option("--on-error-execute", metavar="COMMAND", help="After an error.")
@click.option("--on-outdated-execute", metavar="COMMAND", help="When ClamAV is outdated; %v.")
@click.option("--update-db", multiple=True, metavar="NAME", help="Only this database; repeatable.")
@click.option("--allow-shrink", is_flag=True, help="Take a file that lost most of its content.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a round.")
def command(
    show_version: bool,
    verbose: bool,
    debug: bool,
    quiet: bool,
    no_warnings: bool,
    to_stdout: bool,
    show_progress: bool,
    config_file: Path | None,
    log: Path | None,
    daemon: bool,
    pid: Path | None,
    foreground: bool,
    user: str | None,
    no_dns: bool,
    checks: int | None,
    datadir: Path | None,
    daemon_notify: str | None,
    local_address: str | None,
    on_update_execute: str | None,
    on_error_execute: str | None,
    on_outdated_execute: str | None,
    update_db: tuple[str, ...],
    allow_shrink: bool,
    as_json: bool,
) -> None:
    """Keep ClamAV's databases current, as freshclam.conf says.

    Differences are fetched where there are any, each is checked by its signature, and a new
    database takes the old one's place when it is whole and loads. A server that asks not to be
    asked is not asked before the time it names.

    \b
    Exit status:
      0   up to date or updated; also while a server is not to be asked
      2   the command line or freshclam.conf cannot be read
      5   no connection         7   damaged or badly signed   8   does not load
      9   no such database     10   the folder cannot be written
      11  the server does not serve it      12  the server has an older one
      14  other failures while updating     17  the server refuses this client

    \b
    Examples:
      tocsin-freshclam
      tocsin-freshclam --datadir=. --update-db=daily --show-progress
      tocsin-freshclam -d -F -c 12
    """
    del debug
    from tocsin.app.freshclam_settings import CONFIGURATION as USUAL
    from tocsin.app.freshclam_settings import read_settings, select_named

    settings = read_settings(config_file or USUAL)
    if datadir is not None:
        settings = settings._replace(folder=datadir.absolute())
    if local_address:
        settings = settings._replace(wishes=settings.wishes._replace(local_address=local_address))
    if show_version:
        from tocsin.app.freshclam import version_line

        click.echo(f"ClamAV {_ENGINE}{version_line(settings.folder)}")
        return
    path = log or settings.log
    output = Output(
        Style(quiet, no_warnings, to_stdout, silent=as_json),
        Log(path, settings.log_time, settings.log_largest, settings.log_rotate) if path else None,
        settings.log_syslog,
    )
    try:
        settings = select_named(settings, update_db)
    except SettingsError as error:
        output.error(str(error))
        sys.exit(CONFIGURATION)
    count = settings.checks if checks is None else checks
    if daemon and not 1 <= count <= _MOST_CHECKS:
        output.error("Number of checks must be between 1 and 50.")
        sys.exit(CONFIGURATION)
    chosen = Chosen(
        not no_dns,
        allow_shrink,
        on_update_execute or settings.on_update,
        on_error_execute or settings.on_error,
        on_outdated_execute or settings.on_outdated,
        Path(daemon_notify) if daemon_notify else settings.notify,
        as_json,
    )
    if verbose or settings.verbose:
        for problem in settings.problems:
            output.info(problem)
    from tocsin.app.freshclam import become

    if daemon:
        _daemon(settings, chosen, output, count, pid, user, stay=foreground or settings.foreground)
        return
    become(user or settings.owner)
    sys.exit(_round(settings, chosen, output, progress=show_progress or sys.stderr.isatty()))


def _daemon(
    settings: FreshclamSettings,
    chosen: Chosen,
    output: Output,
    checks: int,
    pid: Path | None,
    user: str | None,
    *,
    stay: bool,
) -> None:
    """Look, wait, look again; signals are freshclam's: USR1 wakes, TERM ends."""
    from tocsin.app.freshclam import become, write_pid

    if not stay:
        _leave_terminal()
    pid_file = pid or settings.pid_file
    if pid_file is not None:
        write_pid(pid_file)
    become(user or settings.owner)
    _look_until_told(settings, chosen, output, checks)
    output.info("Update process terminated")


def _look_until_told(
    settings: FreshclamSettings, chosen: Chosen, output: Output, checks: int
) -> None:
    woken = _signals()
    output.info(f"freshclam daemon {_ENGINE} (tocsin)")
    while _END not in woken:
        status = _round(settings, chosen, output, progress=False)
        if status == FORBIDDEN:
            output.warn("FreshClam was forbidden from downloading a database.")
            output.warn("This is fatal. Retrying later won't help. Exiting now.")
            sys.exit(status)
        output.info("--------------------------------------")
        end = time.monotonic() + 86_400 / checks
        while time.monotonic() < end and not woken:
            time.sleep(min(1.0, max(0.0, end - time.monotonic())))
        if _NOW in woken:
            output.info("Received signal: wake up")
            woken.discard(_NOW)


def _signals() -> set[str]:
    """Hear signals; the set says whether to end, or to begin the next round now.

    A round that is under way ends first, unless it is told twice. Nothing is printed by a handler:
    something may just be printed.
    """
    woken: set[str] = set()

    def wake(number: int, frame: FrameType | None) -> None:
        del number, frame
        woken.add(_NOW)

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        woken.add(_END)
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)

    for number in (signal.SIGUSR1, signal.SIGALRM):
        signal.signal(number, wake)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the log is opened anew for every line
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return woken


def _leave_terminal() -> None:
    """Become a process of its own, without a terminal."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)


def _round(settings: FreshclamSettings, chosen: Chosen, output: Output, *, progress: bool) -> int:
    """One round and what follows from it; its exit status."""
    from tocsin.app.freshclam import forced_exit, is_newer, run_hook, run_round
    from tocsin.cli.progress import Meter
    from tocsin.cli.update_sources import download_shown

    output.info(f"ClamAV update process started at {time.ctime()}")
    if settings.databases and (not chosen.dns or not settings.wishes.dns_record):
        output.warn("DNS Update Info disabled. Falling back to HTTP mode.")
    try:
        with Meter(enabled=progress and not chosen.as_json) as meter:

            def say(notice: Notice) -> None:
                meter.pause()
                output.notice(notice)

            done = run_round(
                settings,
                dns=chosen.dns,
                allow_shrink=chosen.allow_shrink,
                progress=download_shown(meter),
                say=say,
            )
    except TocsinError as error:
        output.error(str(error))
        output.error("Update failed.")
        status = exit_status([error], announced=False)
        return _after_error(chosen.on_error, status)
    announced = done.announced
    status = exit_status(done.errors, announced=announced is not None)
    if status:
        for failure in done.errors:
            output.error(f"Database update process failed: {failure}")
        output.error("Update failed.")
    if done.updated and chosen.notify is not None:
        _notify(chosen.notify, output)
    if chosen.as_json:
        click.echo(json.dumps(_values(done, status)))
    if done.updated and chosen.on_update and not status:
        forced = forced_exit(chosen.on_update)
        if forced is not None:
            return forced
        run_hook(chosen.on_update)
    if announced and announced.warns and is_newer(announced.software, _ENGINE):
        output.warn("Your ClamAV installation is OUTDATED!")
        recommended = f"Local version: {_ENGINE} Recommended version: {announced.software}"
        output.warn(recommended)
        if chosen.on_outdated:
            run_hook(chosen.on_outdated, software=announced.software)
    return _after_error(chosen.on_error, status) if status else 0


def _after_error(hook: str, status: int) -> int:
    from tocsin.app.freshclam import forced_exit, run_hook

    if not hook:
        return status
    forced = forced_exit(hook)
    if forced is not None:
        return forced
    run_hook(hook)
    return status


def _notify(configuration: Path, output: Output) -> None:
    from tocsin.app.freshclam import NotNotified, notify_clamd

    try:
        notify_clamd(configuration)
    except NotNotified as error:
        output.warn(f"Clamd was NOT notified: {error}")
    else:
        output.info("Clamd successfully notified about the update.")


def exit_status(errors: Any, *, announced: bool) -> int:
    """Freshclam's exit status for what went wrong first; 0 for nothing.

    Args:
        errors: in order.
        announced: whether the TXT record was used; without it freshclam calls every failure to
            get a file 11.
    """
    from tocsin.updates.sources import errors as source

    table: tuple[tuple[type[TocsinError], int], ...] = (
        (source.SourceUntested, TEST_FAILED),
        (source.SourceOlder, NOT_SYNCHRONISED),
        (source.SourceShrunk, FAILED_UPDATE),
        (source.SourceRefused, BAD_DATABASE),
        (source.SourceUnreachable, CONNECTION if announced else FAILED_GET),
        (source.SourceMissing, FAILED_GET),
        (source.SourceStorage, DIRECTORY),
        (source.SourceBusy, DIRECTORY),
        (SettingsError, CONFIGURATION),
    )
    for error in errors:
        if isinstance(error, source.CoolDown):
            if not error.fresh:
                continue
            return FORBIDDEN if error.status == 403 and announced else FAILED_GET
        return next((status for kind, status in table if isinstance(error, kind)), OTHER)
    return 0


def _values(done: Round, status: int) -> dict[str, Any]:
    return {
        "status": status,
        "updated": list(done.updated),
        "errors": [str(error) for error in done.errors],
        "requests": done.requests,
        "received": done.received,
    }


def run() -> None:
    """Entry point; what is wrong is said as freshclam says it."""
    words = Words("ERROR: ", "Update process terminated", _usage)
    end_well(lambda: command(standalone_mode=False), words)


def _usage(error: click.ClickException) -> None:
    click.echo(f"ERROR: {printable(error.format_message())}", err=True)
    click.echo("ERROR: Can't parse command line options", err=True)


if __name__ == "__main__":
    run()

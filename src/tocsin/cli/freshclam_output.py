"""What `tocsin-freshclam` prints: freshclam's lines, where scripts look for them.

Lines of information go to standard output, warnings and errors to standard error, all of them to
the log and the system's log where `freshclam.conf` says so.
"""

from __future__ import annotations

import contextlib
import os
import sys
import syslog
import time
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from tocsin.cli.printable import printable
from tocsin.updates.sources.notices import Event, Notice

FUNCTIONALITY_LEVEL = 216


class Level(Enum):
    """How a line is marked."""

    INFO = ""
    WARNING = "WARNING: "
    ERROR = "ERROR: "


class Style(NamedTuple):
    """How lines are printed.

    Attributes:
        quiet: errors only.
        no_warnings: no warnings.
        all_to_stdout: everything to standard output.
        silent: nothing at all on the terminal; the log has it still.
    """

    quiet: bool = False
    no_warnings: bool = False
    all_to_stdout: bool = False
    silent: bool = False


class Log(NamedTuple):
    """The file that lines go to besides.

    Attributes:
        path: of it.
        times: whether each line has a time before it.
        largest: bytes; 0 for no limit.
        rotate: begin anew when it is full, with the old one kept beside it.
    """

    path: Path
    times: bool = False
    largest: int = 1 << 20
    rotate: bool = False


class Output:
    """Prints lines.

    Args:
        style: how.
        log: a file besides, or None.
        facility: of the system's log, such as `LOG_LOCAL6`; empty for none.
    """

    def __init__(self, style: Style, log: Log | None = None, facility: str = "") -> None:
        self._style = style
        self._log = log
        self._syslog = bool(facility)
        if facility:
            number = getattr(syslog, facility, None)
            chosen = number if isinstance(number, int) else syslog.LOG_LOCAL6
            syslog.openlog("freshclam", syslog.LOG_PID, chosen)

    def info(self, text: str) -> None:
        """A line of information."""
        self._line(Level.INFO, text)

    def warn(self, text: str) -> None:
        """A warning."""
        self._line(Level.WARNING, text)

    def error(self, text: str) -> None:
        """An error."""
        self._line(Level.ERROR, text)

    def notice(self, notice: Notice) -> None:
        """What happened, in freshclam's words."""
        for level, text in lines_of(notice):
            self._line(level, text)

    def _line(self, level: Level, text: str) -> None:
        if level is Level.WARNING and self._style.no_warnings:
            return
        line = level.value + printable(text)
        self._record(level, line)
        if self._style.silent or (self._style.quiet and level is not Level.ERROR):
            return
        aside = level is not Level.INFO and not self._style.all_to_stdout
        stream = sys.stderr if aside else sys.stdout
        with contextlib.suppress(BrokenPipeError, ValueError):
            print(line, file=stream, flush=True)

    def _record(self, level: Level, line: str) -> None:
        if self._syslog:
            priority = {Level.INFO: syslog.LOG_INFO, Level.WARNING: syslog.LOG_WARNING}
            syslog.syslog(priority.get(level, syslog.LOG_ERR), line)
        if self._log is None:
            return
        text = f"{time.ctime()} -> {line}\n" if self._log.times else f"{line}\n"
        data = text.encode("utf-8", "backslashreplace")
        with contextlib.suppress(OSError):  # a log that cannot be written stops no update
            if self._full(len(data)):
                return
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._log.path, flags, 0o640)
            try:
                os.write(descriptor, data)
            finally:
                os.close(descriptor)

    def _full(self, coming: int) -> bool:
        """Whether the log takes no more; one that is to be rotated begins anew."""
        log = self._log
        assert log is not None
        if not log.largest or not log.path.exists():
            return False
        if log.path.stat().st_size + coming <= log.largest:
            return False
        if log.rotate:
            os.replace(log.path, log.path.with_name(log.path.name + ".1"))
            return False
        return True


def lines_of(notice: Notice) -> list[tuple[Level, str]]:
    """The lines that freshclam 1.4.6 prints for an event."""
    name, custom = notice.name, notice.version == 0
    state = (
        f"version: {notice.version}, sigs: {notice.signatures}, f-level: {notice.level}, "
        f"builder: {notice.builder}"
    )
    info, warning = Level.INFO, Level.WARNING
    match notice.event:
        case Event.NO_RECORD:
            return [
                (warning, notice.reason),
                (warning, "Invalid DNS reply. Falling back to HTTP mode."),
            ]
        case Event.AVAILABLE if notice.before:
            found = f"(local version: {notice.before}, remote version: {notice.version})"
            return [(info, f"{name} database available for update {found}")]
        case Event.AVAILABLE:
            found = f"(remote version: {notice.version})"
            return [(info, f"{name} database available for download {found}")]
        case Event.UP_TO_DATE if custom:
            return [(info, f"{notice.file} is up-to-date (version: custom database)")]
        case Event.UP_TO_DATE:
            return [(info, f"{notice.file} database is up-to-date ({state})")]
        case Event.PATCHING:
            return [(info, f"Downloading database patch # {notice.version}...")]
        case Event.PATCH_FAILED:
            failed = f"Incremental update failed, trying to download {notice.file}"
            return [(warning, notice.reason), (warning, failed)]
        case Event.PATCH_MISSING:
            return [
                (
                    info,
                    f"The database server doesn't have the latest patch for the {name} database "
                    f"(version {notice.version}). The server will likely have updated if you "
                    "check again in a few hours.",
                )
            ]
        case Event.PARTIAL:
            return [(info, f"{name}: patches up to version {notice.before} of {notice.version}")]
        case Event.TESTING:
            return [(info, f"Testing database: '{notice.file}' ...")]
        case Event.TESTED:
            return [(info, "Database test passed.")]
        case Event.UPDATED if custom:
            stated = f"version: custom database, sigs: {notice.signatures}"
            return [(info, f"{notice.file} updated ({stated})")]
        case Event.UPDATED:
            lines = [(info, f"{notice.file} updated ({state})")]
            if notice.level > FUNCTIONALITY_LEVEL:
                outdated = (
                    f"Current functionality level = {FUNCTIONALITY_LEVEL}, "
                    f"recommended = {notice.level}"
                )
                lines.append((warning, outdated))
            return lines
        case Event.RETRY:
            return [(warning, notice.reason), (info, "Trying again in 5 secs...")]
        case Event.GIVEN_UP:
            return [(warning, notice.reason), (info, f"Giving up on {notice.file}...")]
        case Event.COOL_DOWN:
            return [(warning, notice.reason)]

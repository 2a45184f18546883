"""The lines of `tocsin-clamscan`: which go to which stream and to the log, and the summary.

Names of files are bytes and are printed as they are, because a script that reads `PATH: OK` wants
the path it can open. The forms were measured with clamscan 1.4.6.
"""

from __future__ import annotations

import os
import sys
import time
from typing import BinaryIO, NamedTuple

from tocsin.version import VERSION

ENGINE = f"1.4.6-compatible tocsin {VERSION}"
_RULE = "-" * 79
_MIB = 1 << 20


class Style(NamedTuple):
    """What to print.

    Attributes:
        quiet: errors only.
        infected: of the results only those in which something was found.
        no_ok: no results that say OK.
        to_stdout: warnings and errors on standard output.
        summary: whether to end with one.
    """

    quiet: bool = False
    infected: bool = False
    no_ok: bool = False
    to_stdout: bool = False
    summary: bool = True


class Output:
    """Prints, and keeps the log.

    Args:
        style: what to print.
    """

    def __init__(self, style: Style) -> None:
        self._style = style
        self._log: BinaryIO | None = None
        self._stdout = _stdout()
        self._live = self._stdout.isatty()

    def open_log(self, path: str) -> None:
        """Append to a log from now on.

        Raises:
            OSError: it cannot be opened.
        """
        self._log = open(path, "ab")  # noqa: SIM115
        self._record(f"\n{_RULE}\n")

    def clean(self, path: str) -> None:
        """A file in which nothing was found."""
        if not (self._style.quiet or self._style.infected or self._style.no_ok):
            self._print(f"{path}: OK")

    def note(self, path: str, text: str) -> None:
        """A path that was not scanned, with the reason."""
        if self._style.infected:
            return
        self.plain(f"{path}: {text}")

    def plain(self, line: str) -> None:
        """A line for standard output and for the log."""
        if not self._style.quiet:
            self._print(line)
        self._record(line)

    def warn(self, text: str) -> None:
        """A warning."""
        line = f"WARNING: {text}"
        if not self._style.quiet:
            self._complain(line)
        self._record(line)

    def error(self, text: str) -> None:
        """An error."""
        line = f"ERROR: {text}"
        self._complain(line)
        self._record(line)

    def system(self, line: str) -> None:
        """What the system says of a path: always on standard error, never in the log."""
        write_error(line)

    def bell(self) -> None:
        """Ring."""
        if sys.stderr is not None:
            sys.stderr.buffer.write(b"\a")
            sys.stderr.buffer.flush()

    def summary(self, lines: list[str]) -> None:
        """The summary, unless it is not wanted."""
        if self._style.summary:
            for line in ("", *lines):
                self.plain(line)

    def close(self) -> None:
        """Write out what is left."""
        self._stdout.flush()
        if self._log is not None:
            self._log.close()

    def _print(self, line: str) -> None:
        self._stdout.write(encode(line) + b"\n")
        if self._live:
            self._stdout.flush()

    def _complain(self, line: str) -> None:
        if self._style.to_stdout:
            self._print(line)
        else:
            write_error(line)

    def _record(self, line: str) -> None:
        if self._log is not None:
            self._log.write(encode(line) + b"\n")
            self._log.flush()


class Totals:
    """What the summary counts.

    Attributes:
        signatures: in the database.
        folders: entered.
        files: scanned.
        infected: of these, with a detection.
        errors: paths that could not be read.
        scanned: bytes of all objects looked at.
        read: bytes of the files.
    """

    def __init__(self) -> None:
        self.signatures = self.folders = self.files = self.infected = self.errors = 0
        self.scanned = self.read = 0
        self._started = time.time()
        self._clock = time.monotonic()

    def lines(self) -> list[str]:
        """The summary."""
        seconds = time.monotonic() - self._clock
        ratio = self.scanned / self.read if self.read else 0.0
        errors = [f"Total errors: {self.errors}"] if self.errors else []
        return [
            "----------- SCAN SUMMARY -----------",
            f"Known viruses: {self.signatures}",
            f"Engine version: {ENGINE}",
            f"Scanned directories: {self.folders}",
            f"Scanned files: {self.files}",
            f"Infected files: {self.infected}",
            *errors,
            f"Data scanned: {self.scanned / _MIB:.2f} MB",
            f"Data read: {self.read / _MIB:.2f} MB (ratio {ratio:.2f}:1)",
            f"Time: {seconds:.3f} sec ({int(seconds) // 60} m {int(seconds) % 60} s)",
            f"Start Date: {_date(self._started)}",
            f"End Date:   {_date(time.time())}",
        ]


def _date(seconds: float) -> str:
    return time.strftime("%Y:%m:%d %H:%M:%S", time.localtime(seconds))


def encode(text: str) -> bytes:
    """A line as bytes; bytes of file names that are no text come out as they were."""
    try:
        return os.fsencode(text)
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")


def write_error(line: str) -> None:
    """A line for standard error, if there is one."""
    if sys.stderr is not None:
        sys.stderr.buffer.write(encode(line) + b"\n")
        sys.stderr.buffer.flush()


def _stdout() -> BinaryIO:
    """Standard output for bytes; a caller may have closed it, which is no reason not to scan."""
    if sys.stdout is None:
        return open(os.devnull, "wb")
    sys.stdout.flush()
    return sys.stdout.buffer

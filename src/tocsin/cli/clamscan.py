"""`tocsin-clamscan`: takes clamscan's options and prints its output, for scripts that call it.

Options, walk, actions and lines are modules of their own beside this one; here they meet the
engine. A script reads the exit status: 1 something found, else 2 errors, else 0; 54 a list of
files that cannot be read. A limit keeps clamscan's `OK` and adds a warning; `--strict` makes
of it exit status 2.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from tocsin.cli.clamscan_actions import Action, ActionError, Held, choose_action
from tocsin.cli.clamscan_arguments import Arguments, OptionError, read_arguments
from tocsin.cli.clamscan_closed import closed_kinds
from tocsin.cli.clamscan_names import wanted
from tocsin.cli.clamscan_options import help_text
from tocsin.cli.clamscan_output import ENGINE, Output, Totals, write_error
from tocsin.cli.clamscan_settings import (
    TROUBLE,
    Refusal,
    count_signatures,
    read_limits,
    read_rules,
    read_style,
    select_database,
)
from tocsin.cli.clamscan_walk import Event, Item, Walker

if TYPE_CHECKING:
    from tocsin.engine.report import Report, SkippedObject
    from tocsin.engine.scanner import Scanner

CLEAN, FOUND, NO_LIST = 0, 1, 54
INTERRUPTED = 130

STDIN = "stdin"
_SHOWN_GAPS = 3
_CHUNK = 1 << 20


_LIMIT_NAMES = {
    "--max-file-size": "MaxFileSize",
    "--max-scan-size": "MaxScanSize",
    "--max-files": "MaxFiles",
    "--max-depth": "MaxRecursion",
    "--timeout": "MaxScanTime",
}
"""The engine's names of its limits, as they stand in what it says, to clamscan's."""


class Scan:
    """One run over all paths.

    Args:
        arguments: the command line.
        output: where lines go.
        totals: what the summary counts.
        action: what is done with infected files, or None.
    """

    def __init__(
        self, arguments: Arguments, output: Output, totals: Totals, action: Action | None
    ) -> None:
        self._arguments = arguments
        self._output = output
        self._totals = totals
        self._action = action
        self._walker = Walker(read_rules(arguments))
        from tocsin.engine.clamav_names import Names

        self._names = Names(every=arguments.is_on("allmatch"), keep=wanted(arguments))
        self._verbose = arguments.is_on("verbose")
        self._members = arguments.is_on("archive-verbose")
        self._bell = arguments.is_on("bell")
        self._strict = arguments.is_on("strict")
        self._alert = arguments.is_on("alert-exceeds-max")
        self._limits = read_limits(arguments, output)
        self._scanner = self._make_scanner()
        self._failed = False

    def _make_scanner(self) -> Scanner:
        """A scanner that reports everything: clamscan's first name is not the engine's."""
        from tocsin.engine.options import Options
        from tocsin.engine.scanner import Scanner

        database = select_database(self._arguments, self._output)
        self._totals.signatures = count_signatures(database.counts)
        pua = self._arguments.is_on("detect-pua")
        encrypted = self._arguments.is_on("alert-encrypted")
        options = Options(
            limits=self._limits,
            all_matches=True,
            detect_pua=pua,
            alert_encrypted_archives=encrypted or self._arguments.is_on("alert-encrypted-archive"),
            alert_encrypted_documents=encrypted or self._arguments.is_on("alert-encrypted-doc"),
            alert_macros=self._arguments.is_on("alert-macros"),
            closed=closed_kinds(self._arguments),
        )
        return Scanner(database, options)

    def run(self) -> int:
        """Scan everything; the exit status."""
        for path in self._paths():
            if path == "-":
                self._standard_input()
                continue
            for item in self._walker.visit(path):
                self._meet(item)
        if self._totals.infected:
            return FOUND
        return TROUBLE if self._failed or self._totals.errors else CLEAN

    def _paths(self) -> Iterator[str]:
        name = self._arguments.text("file-list")
        if not name:
            yield from self._arguments.paths or [os.getcwd()]
            return
        if self._arguments.paths:
            self._output.warn(
                "Only scanning files from --file-list (files passed at cmdline are ignored)"
            )
        try:
            with open(name, "rb") as file:
                for line in file:
                    yield os.fsdecode(line.partition(b"\0")[0].rstrip(b"\r\n") or line[:1])
        except OSError as error:
            raise Refusal(f"--file-list: Can't open file {name}", status=NO_LIST) from error

    def _meet(self, item: Item) -> None:
        output, totals = self._output, self._totals
        if item.event is Event.FILE:
            self._file(item.path)
        elif item.event is Event.FOLDER:
            totals.folders += 1
        elif item.event is Event.MISSING:
            output.system(f"{item.path}: {item.text}" if item.path else item.text)
            output.warn(f"{item.path}: Can't access file")
            self._failed = True
        elif item.event is Event.SPECIAL:
            output.warn(f"{item.path}: {item.text}")
            self._failed = True
        elif item.event is Event.TOO_DEEP:
            output.warn(f"{item.path}: not entered: {item.text}")
            self._failed |= self._strict
        else:
            totals.errors += item.event is Event.DENIED
            output.note(item.path, item.text)

    def _file(self, path: str) -> None:
        if self._verbose:
            self._output.plain(f"Scanning {path}")
        try:
            holding = self._hold(path)
        except OSError as error:
            self._unreadable(path, error.strerror or str(error))
            return
        with holding as held:
            report = self._report(path, path if held is None else held.source)
            if report is not None:
                self._tell(report, held)

    def _report(self, path: str, source: str) -> Report | None:
        """Scan a file; None if that failed, which must not end the scan of the others.

        Args:
            path: its name in the report.
            source: what is opened.
        """
        try:
            report = self._scanner.scan_file(source)
            return report if source == path else _renamed(report, path)
        except Exception as error:
            self._unreadable(path, f"{type(error).__name__}: {error}")
            return None

    def _unreadable(self, path: str, reason: str) -> None:
        self._totals.errors += 1
        self._output.warn(f"Can't open file {path}: {reason}")

    def _hold(self, path: str) -> AbstractContextManager[Held | None]:
        """Keep the file open while an action may follow."""
        return nullcontext() if self._action is None else Held(path)

    def _standard_input(self) -> None:
        bound = self._limits.max_file_size
        try:
            data = _read(sys.stdin.fileno(), bound + 1)
        except (AttributeError, OSError):
            self._output.warn(f"{STDIN}: Can't access file")
            self._failed = True
            return
        if len(data) > bound:
            self._totals.files += 1
            self._output.clean(STDIN)
            self._output.warn(f"{STDIN}: not scanned: more than {bound} bytes (--max-filesize)")
            self._failed |= self._strict
            return
        self._tell(self._scanner.scan_bytes(data, STDIN), None)

    def _tell(self, report: Report, held: Held | None) -> None:
        """Print what a report says, count it, and act on it."""
        totals, path = self._totals, report.path
        totals.scanned += report.bytes_scanned
        totals.read += report.size
        if report.errors and not report.detections:
            self._unreadable(path, report.errors[0])
            return
        totals.files += 1
        names = self._names.of(report) or self._limit_alert(report)
        if not names:
            self._output.clean(path)
        for place, name in names:
            self._found(path, place, name)
        if names:
            totals.infected += 1
            self._act(path, held)
        self._gaps(report)

    def _found(self, path: str, place: str, name: str) -> None:
        self._output.plain(f"{path}: {name} FOUND")
        if self._members:
            shown = f"{path}!(0)" if place == path else place
            self._output.plain(f"{shown}: {name} FOUND")
        if self._bell:
            self._output.bell()

    def _limit_alert(self, report: Report) -> list[tuple[str, str]]:
        """The names of a limit that was hit, when that is asked for."""
        if not self._alert:
            return []
        bound = self._limits.max_scan_size
        if bound and report.size > bound:
            return [(report.path, "Heuristics.Limits.Exceeded.MaxScanSize")]
        for skip in report.skipped:
            for mark, name in _LIMIT_NAMES.items():
                if skip.reason == "limit" and mark in skip.detail:
                    return [(skip.object, f"Heuristics.Limits.Exceeded.{name}")]
        return []

    def _gaps(self, report: Report) -> None:
        """Say what was not looked at: limits always, the rest if asked for."""
        gaps = [skip for skip in report.skipped if skip.reason != "allowed"]
        self._failed |= self._strict and bool(gaps)
        if not (self._strict or self._verbose):
            gaps = [skip for skip in gaps if skip.reason == "limit"]
        for skip in gaps[:_SHOWN_GAPS]:
            self._output.warn(f"{skip.object}: {_gap_words(skip)}")
        if len(gaps) > _SHOWN_GAPS:
            more = len(gaps) - _SHOWN_GAPS
            self._output.warn(f"{report.path}: {more} more objects were not scanned wholly")

    def _act(self, path: str, held: Held | None) -> None:
        if self._action is None or held is None:
            return
        try:
            done = self._action.act(held)
        except ActionError as error:
            place = f"'{path}' (real path: '{held.real}')"
            self._output.error(f"Can't {self._action.failed} file {place}: {error}")
            return
        self._output.plain(f"{path} (real path: '{held.real}'): {done}")


def _renamed(report: Report, path: str) -> Report:
    """The same report about another path."""
    cut = len(report.path)
    report.detections = [d._replace(object=path + d.object[cut:]) for d in report.detections]
    report.skipped = [s._replace(object=path + s.object[cut:]) for s in report.skipped]
    report.path = path
    return report


def _read(descriptor: int, most: int) -> bytes:
    """What can be read, up to a number of bytes."""
    content = bytearray()
    while len(content) < most and (chunk := os.read(descriptor, min(_CHUNK, most - len(content)))):
        content += chunk
    return bytes(content)


def _gap_words(skip: SkippedObject) -> str:
    """What was not looked at, with this command's names of the limits."""
    words = skip.detail
    for ours, theirs in (
        ("--max-file-size", "--max-filesize"),
        ("--max-scan-size", "--max-scansize"),
        ("--max-depth", "--max-recursion"),
        ("--timeout", "--max-scantime"),
    ):
        words = words.replace(ours, theirs)
    return f"not wholly scanned ({skip.reason}): {words}"


def main(words: list[str]) -> int:
    """Run the command with these arguments; the exit status."""
    try:
        arguments = read_arguments(words)
    except OptionError as error:
        write_error(str(error))
        return TROUBLE
    if arguments.is_on("help"):
        print(help_text(ENGINE))
        return CLEAN
    if arguments.is_on("version"):
        print(f"ClamAV {ENGINE}")
        return CLEAN
    return _scan(arguments)


def _scan(arguments: Arguments) -> int:
    output, totals = Output(read_style(arguments)), Totals()
    summary = True
    try:
        status = _prepared_scan(arguments, output, totals)
    except Refusal as error:
        output.error(str(error))
        status, summary = error.status, error.summary
    if summary:
        output.summary(totals.lines())
    output.close()
    return status


def _prepared_scan(arguments: Arguments, output: Output, totals: Totals) -> int:
    log = arguments.text("log")
    if log:
        try:
            output.open_log(log)
        except OSError as error:
            raise Refusal(
                f"Failed to open log file {log}: {error.strerror}", summary=False
            ) from error
    for warning in arguments.warnings:
        output.warn(warning)
    try:
        action = choose_action(
            move=arguments.text("move"),
            copy=arguments.text("copy"),
            remove=arguments.is_on("remove"),
        )
    except ActionError as error:
        raise Refusal(str(error), summary=False) from error
    return Scan(arguments, output, totals, action).run()


def run() -> None:
    """Entry point; a defect of this program ends with 2: 1 means that something was found."""
    try:
        status = main(sys.argv[1:])
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BrokenPipeError:
        status = TROUBLE
        _silence_output()
    except Exception as error:
        status = TROUBLE
        _silence_output()
        reason = (
            error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        )
        print(f"ERROR: {reason}", file=sys.stderr)
    sys.exit(status)


def _silence_output() -> None:
    """Keep the interpreter from failing once more when it closes standard output."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    run()

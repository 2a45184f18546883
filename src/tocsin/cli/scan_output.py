"""How `tocsin scan` prints: lines and a table for people, JSON lines for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Protocol

from tocsin.cli.printable import printable
from tocsin.cli.progress import Meter
from tocsin.cli.sizes import counted, human_size, human_time
from tocsin.engine.report import Level, ProcessInfo, Report, Verdict
from tocsin.protect.own_files import WHAT

if TYPE_CHECKING:
    from tocsin.app.scan import ScanRun
    from tocsin.database.index import Index
    from tocsin.protect.actions import Outcome

_WORDS = {
    Verdict.INFECTED: "INFECTED",
    Verdict.SUSPICIOUS: "SUSPICIOUS",
    Verdict.INCOMPLETE: "INCOMPLETE",
    Verdict.ERROR: "ERROR",
    Verdict.CLEAN: "clean",
}
_COLOURS = {
    Verdict.INFECTED: "31;1",
    Verdict.SUSPICIOUS: "33;1",
    Verdict.INCOMPLETE: "36",
    Verdict.ERROR: "36",
    Verdict.CLEAN: "32",
}
_MOST_GAPS_SHOWN = 3
_MOST_NOTES_SHOWN = 10
_MOST_PROCESSES_SHOWN = 5

_ALWAYS_SHOWN = ("remarkable", "start-up")
_TRAITS = {"remarkable": "look at this", "start-up": "looked at because"}


def _others(processes: list[ProcessInfo]) -> str:
    """The other processes that have the same object."""
    shown = [f"{p.pid} ({printable(p.name)})" for p in processes[:_MOST_PROCESSES_SHOWN]]
    more = len(processes) - len(shown)
    return f"also in {', '.join(shown)}{f' and {more:,} more' if more else ''}"


def _what_was_done(outcome: Outcome) -> str:
    number = f" as {outcome.record}" if outcome.record else ""
    said = f"NOT DONE ({outcome.action.value})" if outcome.failed else outcome.state
    return printable(f"{said}{number}" + (f": {outcome.detail}" if outcome.detail else ""))


class Output(Protocol):
    """What a scan is told to."""

    def progress(self, *, enabled: bool) -> Meter:
        """The meter that goes with this output."""
        ...

    def begin(self, database: Index) -> None:
        """The database is open."""
        ...

    def report(self, report: Report, outcome: Outcome | None = None) -> None:
        """A path is done, and what was to be done about it."""
        ...

    def end(self, run: ScanRun, *, stopped: bool) -> None:
        """The scan is over, or was stopped by the user."""
        ...


class JsonOutput:
    """One JSON object a line for each path; see docs/report.schema.json."""

    def progress(self, *, enabled: bool) -> Meter:
        """A meter for the person at the terminal, on standard error."""
        return Meter(enabled=enabled)

    def begin(self, database: Index) -> None:
        """Nothing to say."""

    def report(self, report: Report, outcome: Outcome | None = None) -> None:
        """Print the report."""
        done = {"outcome": outcome.to_dict()} if outcome is not None else {}
        sys.stdout.write(json.dumps({**report.to_dict(), **done}) + "\n")

    def end(self, run: ScanRun, *, stopped: bool) -> None:
        """Say on standard error what the reports cannot: what was not looked at, and why."""
        sys.stdout.flush()
        own = run.walk.left_out.get(WHAT, 0)
        if own:
            sys.stderr.write(f"{WHAT} left out: {own:,}\n")
        for source in run.sources:
            label = ""
            for first, value in source.lines():
                label = first or label
                sys.stderr.write(f"{label}: {printable(value)}\n")
        if stopped:
            sys.stderr.write(f"stopped after {run.totals.files} files\n")


class TextOutput:
    """Findings as they come, then a table.

    Args:
        verbose: name clean files too.
        quiet: no summary.
        sources: where the signatures are from, in words; empty when that is not to be said.
    """

    def __init__(self, *, verbose: bool, quiet: bool, sources: str = "") -> None:
        self._sources = sources
        self._verbose = verbose
        self._quiet = quiet
        self._colour = sys.stdout.isatty()
        self._meter: Meter | None = None
        self._database: Index | None = None

    def progress(self, *, enabled: bool) -> Meter:
        """The meter on standard error."""
        self._meter = Meter(enabled=enabled)
        return self._meter

    def begin(self, database: Index) -> None:
        """Keep the database for the summary."""
        self._database = database

    def report(self, report: Report, outcome: Outcome | None = None) -> None:
        """Print a path's verdict when it is worth a line."""
        verdict = report.verdict
        remarkable = any(note.trait == "remarkable" for note in report.notes)
        if verdict is Verdict.CLEAN and not self._verbose and not remarkable:
            return
        lines = [f"{self._word(verdict)} {printable(report.path)}"]
        for detection in report.detections:
            where = "" if detection.object == report.path else f" in {printable(detection.object)}"
            at = "" if detection.offset is None else f" at byte {detection.offset:,}"
            level = "" if detection.level is Level.MALICIOUS else f" [{detection.level.value}]"
            name, source = printable(detection.name), printable(detection.source)
            lines.append(f"    {name}{level}{where}{at}  ({source})")
        gaps = [s for s in report.skipped if s.reason != "allowed" or self._verbose]
        for skip in gaps[:_MOST_GAPS_SHOWN]:
            where = "" if skip.object == report.path else f"{printable(skip.object)}: "
            lines.append(f"    {skip.reason}: {where}{printable(skip.detail)}")
        if len(gaps) > _MOST_GAPS_SHOWN:
            lines.append(f"    … and {len(gaps) - _MOST_GAPS_SHOWN} more (--json lists all)")
        notes = [n for n in report.notes if self._verbose or n.trait in _ALWAYS_SHOWN]
        for note in notes[:_MOST_NOTES_SHOWN]:
            where = "" if note.object == report.path else f"{printable(note.object)}: "
            lines.append(f"    {_TRAITS.get(note.trait, 'note')}: {where}{printable(note.detail)}")
        if len(report.processes) > 1:
            lines.append(f"    {_others(report.processes[1:])}")
        lines += [f"    {printable(error)}" for error in report.errors]
        if report.unchanged:
            lines.append("    unchanged since it was found clean")
        if outcome is not None and outcome.state != "reported":
            lines.append(f"    {_what_was_done(outcome)}")
        self._write("\n".join(lines) + "\n")

    def end(self, run: ScanRun, *, stopped: bool) -> None:
        """Print the summary."""
        if self._quiet:
            return
        totals = run.totals
        rate = human_size(totals.bytes / max(totals.seconds, 0.001))
        rows = [
            ("scanned", f"{counted(totals.files, 'file')}, {human_size(totals.bytes)}"),
            ("time", f"{human_time(totals.seconds)} ({rate}/s)"),
        ]
        for verdict, count in totals.verdicts.items():
            if count or verdict in (Verdict.CLEAN, Verdict.INFECTED):
                rows.append((verdict.value, f"{count:,}"))
        if totals.unchanged:
            rows.append(("unchanged", f"{totals.unchanged:,} not scanned again (--incremental)"))
        for reason, count in sorted(run.walk.left_out.items()):
            rows.append(("left out", f"{reason}: {count:,}"))
        for source in run.sources:
            rows += source.lines()
        rows += self._database_rows()
        if run.trouble:
            rows.append(("history", printable(run.trouble)))
        if stopped:
            rows.append(("stopped", "by you: this is what was looked at until then"))
        width = max(len(label) for label, _ in rows)
        table = "".join(f"{label:<{width}}  {value}\n" for label, value in rows)
        self._write(f"\n{table}{self._advice(run)}")

    def _database_rows(self) -> list[tuple[str, str]]:
        if self._database is None:
            return []
        origin = f" from {self._sources}" if self._sources else ""
        rows = [("signatures", f"{self._database.signature_count:,}{origin}")]
        unevaluated = sum(self._database.unevaluated.values())
        if unevaluated:
            rows.append(
                ("", f"{unevaluated:,} more are not evaluated yet: 'tocsin db info' names them")
            )
        if self._database.problems:
            rows.append(("", f"{len(self._database.problems):,} malformed ones were passed over"))
        return rows

    def _advice(self, run: ScanRun) -> str:
        totals = run.totals
        if totals.verdicts[Verdict.INFECTED]:
            return (
                "\nDo not open what is INFECTED. If you know a file to be good:\n"
                "  tocsin allow PATH --reason 'why'\n"
            )
        if totals.verdicts[Verdict.INCOMPLETE] or totals.verdicts[Verdict.ERROR]:
            return "\nSome files were not wholly looked at: the reasons stand above.\n"
        return ""

    def _word(self, verdict: Verdict) -> str:
        word = f"{_WORDS[verdict]:<10}"
        return f"\x1b[{_COLOURS[verdict]}m{word}\x1b[0m" if self._colour else word

    def _write(self, text: str) -> None:
        if self._meter is not None:
            self._meter.pause()
        sys.stdout.write(text)
        sys.stdout.flush()

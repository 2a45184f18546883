"""Figures, and the Markdown that `run.py` writes from them.

A ratio is always so that above 1 is to tocsin's advantage: the peer's time or memory over
tocsin's, or tocsin's throughput over the peer's.
"""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from peers import Peers, library_versions

ROOT = Path(__file__).resolve().parent.parent


class Figure(NamedTuple):
    """What one program took for one thing.

    Attributes:
        who: the program and how it was called.
        values: one for each counted run, in the measure's unit.
        ours: whether it is tocsin.
        workers: it is compared only with what has as many; 0 for one that has no choice.
        note: anything a reader must know.
    """

    who: str
    values: tuple[float, ...]
    ours: bool = False
    note: str = ""
    workers: int = 0

    @property
    def median(self) -> float:
        """The median of the runs."""
        return statistics.median(self.values)


class Measure(NamedTuple):
    """One thing measured of several programs side by side.

    Attributes:
        name: what it is.
        unit: of the values.
        figures: one for each program.
        more_is_better: for throughput; otherwise less is better.
        minor: among every figure, but not in the table of ratios.
    """

    name: str
    unit: str
    figures: tuple[Figure, ...]
    more_is_better: bool = False
    minor: bool = False


class CaseResult:
    """What one case found out.

    Args:
        title: heading in the report.

    Attributes:
        notes: sentences on data and method.
        measures: what was measured.
        skipped: what was not, with the reason.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.notes: list[str] = []
        self.measures: list[Measure] = []
        self.skipped: list[str] = []

    def add(
        self,
        name: str,
        unit: str,
        figures: Iterable[Figure],
        *,
        more_is_better: bool = False,
        minor: bool = False,
    ) -> None:
        """Add a measure, if any program has figures for it."""
        kept = tuple(figure for figure in figures if figure.values)
        if kept:
            self.measures.append(Measure(name, unit, kept, more_is_better, minor))

    def skip(self, what: str, reason: object) -> None:
        """Say that something was not measured."""
        self.skipped.append(f"{what}: {reason}")


def markdown(
    results: Sequence[CaseResult],
    peers: Peers,
    *,
    how: str,
    seconds: float,
    scale: str,
    load_before: float,
) -> str:
    """The whole report.

    Args:
        results: of the cases, in order.
        peers: who was measured.
        how: the command line.
        seconds: how long it took.
        scale: how much was measured, in a line.
        load_before: the machine's load before the run.
    """
    return "\n".join(
        [
            "# Results",
            "",
            f"Written by `{how}` in {seconds:.0f} s; `benchmarks/README.md` says how to read it.",
            "",
            *([scale, ""] if scale else []),
            *_machine(peers, load_before),
            *_ratios(results),
            *_details(results),
        ]
    )


def summary(results: Sequence[CaseResult]) -> str:
    """The table of ratios and what was skipped, for the terminal."""
    return "\n".join(_ratios(results))


def _ratios(results: Sequence[CaseResult]) -> Iterator[str]:
    yield "## Ratios"
    yield ""
    yield "Medians; a ratio above 1 is to tocsin's advantage. In brackets what it would be at the"
    yield "least and at the most favourable pairing of single runs."
    yield ""
    rows = [
        _ratio_row(result, measure, ours, theirs)
        for result in results
        for measure in result.measures
        for ours in measure.figures
        if ours.ours
        for theirs in measure.figures
        if not (theirs.ours or measure.minor)
        and (ours.workers == theirs.workers or not ours.workers or not theirs.workers)
    ]
    yield from _table(("case", "measure", "tocsin", "peer", "ratio"), rows)
    skipped = [(result.title, text) for result in results for text in result.skipped]
    if skipped:
        yield "Skipped:"
        yield ""
        for title, text in skipped:
            yield f"- {title}: {text}"
        yield ""


def _ratio_row(
    result: CaseResult, measure: Measure, ours: Figure, theirs: Figure
) -> tuple[str, ...]:
    def ratio(mine: float, other: float) -> float:
        above, below = (mine, other) if measure.more_is_better else (other, mine)
        return above / below if below else float("inf")

    pairs = [ratio(mine, other) for mine in ours.values for other in theirs.values]
    middle = ratio(ours.median, theirs.median)
    spread = f" ({_number(min(pairs))} … {_number(max(pairs))})" if len(pairs) > 1 else ""
    return (
        result.title,
        f"{measure.name}, {measure.unit}",
        f"{ours.who}: {_number(ours.median)}",
        f"{theirs.who}: {_number(theirs.median)}",
        f"**{_number(middle)}**{spread}",
    )


def _details(results: Sequence[CaseResult]) -> Iterator[str]:
    yield "## Every figure"
    yield ""
    for result in results:
        yield f"### {result.title}"
        yield ""
        for note in result.notes:
            yield f"- {note}"
        if result.notes:
            yield ""
        rows = [
            (
                f"{measure.name}, {measure.unit}",
                figure.who,
                _number(figure.median),
                _number(min(figure.values)),
                _number(max(figure.values)),
                str(len(figure.values)),
                figure.note,
            )
            for measure in result.measures
            for figure in measure.figures
        ]
        if rows:
            yield from _table(("measure", "program", "median", "min", "max", "runs", "note"), rows)
        for text in result.skipped:
            yield f"Skipped: {text}"
            yield ""


def _machine(peers: Peers, load_before: float) -> Iterator[str]:
    yield "## Machine and versions"
    yield ""
    rows = [
        ("date", datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("commit", _commit()),
        ("processor", _processor()),
        ("cores usable", str(len(os.sched_getaffinity(0)))),
        ("load before and at the end", f"{load_before:.2f}, {os.getloadavg()[0]:.2f}"),
        ("memory", f"{_memory_gib():.1f} GiB"),
        ("system", f"{_distribution()}, Linux {platform.release()}"),
        *library_versions(),
        *((peer.name, peer.version or peer.reason) for peer in peers.all()),
    ]
    yield from _table(("", ""), rows)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(headings) + " |"
    yield "|" + "---|" * len(headings)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""


def _number(value: float) -> str:
    """Three digits that mean something, without an exponent."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _commit() -> str:
    """The checked-out commit, and whether the package differs from it."""
    head = _git("rev-parse", "--short=12", "HEAD")
    if not head:
        return "not a git checkout"
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "src")
    return f"{head}, with uncommitted changes in src" if changed else head


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", ROOT, *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _processor() -> str:
    return _after_colon("/proc/cpuinfo", "model name") or platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


def _after_colon(path: str, key: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith(key):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return ""

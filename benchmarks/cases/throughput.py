"""Scanning a folder: time, throughput with and without start-up, memory; for several cases.

What a program needs to start is measured apart, on a folder with one small file, and also
taken off the time; a scan of a large folder is start-up and work, and both are shown.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import Bench
from measure import Memory, Run, RunFailed
from report import CaseResult, Figure

import data
from data import MB, Sample

_FOUND_OR_NOT = (0, 1)
_TOCSIN = (0, 1, 2)
"""2: clean as far as was looked, a file was not wholly looked at (a limit, a password)."""


class Contender(NamedTuple):
    """A program and how it is told what to scan.

    Attributes:
        who: for the report.
        command: everything before the folder's path.
        found: in how many files something was found, from what it printed.
        ours: whether it is tocsin.
        once: slow; run a single time, behind the others' first run, while there is time.
        workers: processes or threads it was told to use, 0 if it has no choice; of
            tocsin with several, all processes' memory is watched.
    """

    who: str
    command: Sequence[str | Path]
    found: Callable[[str], int]
    ours: bool = False
    once: bool = False
    workers: int = 0


def compare(
    bench: Bench, result: CaseResult, sample: Sample, contenders: Sequence[Contender]
) -> None:
    """Run all over the sample and add the measures to the result."""
    result.notes.append(sample.describe())
    start_ups: dict[str, list[Run]] = {}
    scans: dict[str, list[Run]] = {}
    watched: dict[str, Run] = {}
    usable: list[Contender] = []
    single = _folder_of_one(bench)
    for contender in contenders:
        bench.say(f"{contender.who}: start-up" + ("" if contender.once else " and warm-up"))
        try:
            _run(bench, contender, single)
            start_ups[contender.who] = [_run(bench, contender, single) for _ in range(3)]
            if not contender.once:
                watched[contender.who] = _run(
                    bench, contender, sample.folder, watch=contender.ours and contender.workers > 1
                )
            usable.append(contender)
        except RunFailed as failure:
            result.skip(contender.who, failure)
    rounds = bench.scale.scans
    for number in range(rounds):
        for contender in usable:
            if contender.once and number:
                continue
            bench.say(f"{contender.who}: run {1 if contender.once else number + 1}")
            try:
                run = _run(bench, contender, sample.folder)
            except RunFailed as failure:
                result.skip(f"{contender.who}, run {number + 1}", failure)
                continue
            scans.setdefault(contender.who, []).append(run)
    _add_measures(result, sample, usable, start_ups, scans, watched)


def _add_measures(
    result: CaseResult,
    sample: Sample,
    contenders: Sequence[Contender],
    start_ups: Mapping[str, list[Run]],
    scans: Mapping[str, list[Run]],
    watched: Mapping[str, Run],
) -> None:
    size = sample.size / MB
    rates, net_rates, times, starts, memory, added = [], [], [], [], [], []
    for contender in contenders:
        who, ours, workers = contender.who, contender.ours, contender.workers
        runs = scans.get(who)
        if not runs:
            continue
        start = statistics.median(run.wall for run in start_ups[who])
        note = f"something found in {contender.found(runs[0].stdout)} files"
        if ours and runs[0].status == 2:
            note += "; exit status 2, not everything was wholly looked at"
        rates.append(Figure(who, tuple(size / run.wall for run in runs), ours, note, workers))
        work = [run.wall - start for run in runs]
        spread = max(run.wall for run in start_ups[who]) - min(run.wall for run in start_ups[who])
        if min(work) > 3 * spread:
            net = tuple(size / seconds for seconds in work)
            net_rates.append(Figure(who, net, ours, workers=workers))
        else:
            result.notes.append(f"{who}: start-up varied too much to be taken off so short a scan.")
        times.append(Figure(who, tuple(run.wall for run in runs), ours))
        starts.append(Figure(who, tuple(run.wall for run in start_ups[who]), ours))
        peaks = tuple(run.peak / 1024 for run in runs)
        memory.append(Figure(who, peaks, ours, workers=workers))
        seen = watched[who].memory if who in watched else None
        if ours and workers > 1 and seen and seen.processes > workers:
            both = ((seen.first + seen.others) / 1024,)
            added.append(Figure(who, both, ours, _memory_note(seen), workers))
        elif not ours:
            added.append(Figure(who, peaks, ours, "one process", workers))
    rate = "throughput, start-up included"
    result.add(rate, "MB/s", rates, more_is_better=True)
    result.add("throughput, start-up taken off", "MB/s", net_rates, more_is_better=True)
    result.add("peak memory of the largest process", "MiB", memory)
    if any(figure.ours for figure in added):  # none where a scan was too short to be sampled
        result.add("peaks of all processes added up", "MiB", added)
    result.add("time for the folder", "s", times, minor=True)
    result.add("start-up: a folder with one small file", "s", starts, minor=True)


def _memory_note(memory: Memory) -> str:
    note = (
        f"{memory.processes} processes sampled in the warm-up: first {memory.first / 1024:.0f} + "
        f"others {memory.others / 1024:.0f} MiB, shared pages counted in each"
    )
    if memory.together:
        note += f"; {memory.together / 1024:.0f} MiB with shared pages counted once (PSS)"
    return note


def _run(bench: Bench, contender: Contender, folder: Path, *, watch: bool = False) -> Run:
    accept = _TOCSIN if contender.ours else _FOUND_OR_NOT
    return bench.runner.run([*contender.command, folder], accept=accept, watch=watch)


def _folder_of_one(bench: Bench) -> Path:
    folder = bench.folder / "one"
    if not folder.exists():
        folder.mkdir()
        data.small_file(folder / "small.txt")
    return folder

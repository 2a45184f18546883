"""The five real signature sets: cold start, building, and two samples of files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

import peers
from bench import Bench
from measure import Run, RunFailed
from report import CaseResult, Figure

from cases.throughput import Contender, compare
from data import Absent, Sample


def cold_start(bench: Bench, result: CaseResult) -> None:
    """One small file with the index already built: what a mail server's hook would wait for."""
    sets, file = bench.real_sets(), bench.small_file()
    prepare_index(bench)
    result.notes.append("A clean file of 1 kB; the index was built before.")
    programs: dict[str, Callable[[], Run]] = {}
    tocsin = bench.peers.need("tocsin")
    programs["tocsin scan"] = partial(bench.runner.run, peers.tocsin_scan(tocsin, file, sets))
    for name in ("tocsin-clamscan", "clamscan"):
        try:
            command = peers.clamscan(bench.peers.need(name), file, sets)
            bench.runner.run(command)
        except (Absent, RunFailed) as reason:
            result.skip(name, reason)
            continue
        programs[name] = partial(bench.runner.run, command)
    bench.say(f"cold start of {', '.join(programs)}")
    runs = bench.runner.side_by_side(programs, times=bench.scale.starts)
    add_starts(result, runs)


def build(bench: Bench, result: CaseResult) -> None:
    """The machine index from raw sets, and the portable database with its digest."""
    sets = bench.real_sets()
    tocsin = bench.peers.need("tocsin")
    bench.say("building the index from an empty cache")
    opened = [
        bench.probe("open", sets, environment=bench.empty_cache("build"))
        for _ in range(bench.scale.builds)
    ]
    times = tuple(answer["open_s"] for _, answer in opened)
    peaks = tuple(run.peak / 1024 for run, _ in opened)
    portable = bench.folder / "real.tdb"
    bench.say("building the portable database")
    built = [
        bench.runner.run([tocsin.path, "db", "build", str(sets), "-o", str(portable)])
        for _ in range(bench.scale.builds)
    ]
    digest = hashlib.sha256(portable.read_bytes()).hexdigest()
    result.notes.append(f"Portable database: {portable.stat().st_size:,} bytes, SHA-256 {digest}")
    portable.unlink()
    loads: list[Run] = []
    try:
        command = peers.clamscan(bench.peers.need("clamscan"), bench.small_file(), sets)
        loads = [bench.runner.run(command) for _ in range(3)]
    except (Absent, RunFailed) as reason:
        result.skip("clamscan", reason)
    result.notes.append(
        "tocsin builds its index once and keeps it; clamscan compiles at every start, so its "
        "whole start stands beside the build."
    )
    result.add(
        "index build",
        "s",
        [
            Figure("tocsin.open_database, empty cache", times, ours=True),
            Figure("clamscan, whole start", tuple(run.wall for run in loads)),
        ],
    )
    result.add(
        "peak memory while building",
        "MiB",
        [
            Figure("tocsin.open_database, empty cache", peaks, ours=True),
            Figure("clamscan, whole start", tuple(run.peak / 1024 for run in loads)),
        ],
    )
    who = "tocsin db build"
    result.add("portable build", "s", [Figure(who, tuple(r.wall for r in built), ours=True)])
    result.add(
        "peak memory of the portable build",
        "MiB",
        [Figure(who, tuple(run.peak / 1024 for run in built), ours=True)],
    )


def pe_files(bench: Bench, result: CaseResult) -> None:
    """Windows programs, which most signatures are about."""
    _folder(bench, result, bench.pe_sample)


def system_files(bench: Bench, result: CaseResult) -> None:
    """What a full scan of a Linux machine meets."""
    _folder(bench, result, bench.system_sample)


def _folder(bench: Bench, result: CaseResult, make: Callable[[], Sample]) -> None:
    sets, sample = bench.real_sets(), make()
    prepare_index(bench)
    contenders = tocsin_contenders(bench, ["--db", str(sets)])
    try:
        clamscan = bench.peers.need("clamscan")
    except Absent as reason:
        result.skip("clamscan", reason)
    else:
        command = [clamscan.path, "-d", str(sets), "--no-summary", "-r"]
        contenders.append(Contender("clamscan", command, peers.found_by_clamscan, once=True))
    result.notes.append("clamscan runs over the folder once, between tocsin's runs.")
    compare(bench, result, sample, contenders)


def tocsin_contenders(bench: Bench, database: list[str]) -> list[Contender]:
    """`tocsin scan` in one process and with two workers."""
    path = bench.peers.need("tocsin").path
    return [
        Contender(
            f"tocsin --jobs {jobs}",
            [path, "scan", *database, "--jobs", str(jobs), "-q", "--no-progress"],
            peers.found_by_tocsin,
            ours=True,
            workers=jobs,
        )
        for jobs in (1, 2)
    ]


def prepare_index(bench: Bench) -> None:
    """Have the index of the real sets in the run's cache; quick when it is there."""
    bench.say("indexing the five real sets, if that was not done yet")
    tocsin = bench.peers.need("tocsin")
    bench.runner.run(peers.tocsin_scan(tocsin, bench.small_file(), bench.real_sets()))


def add_starts(result: CaseResult, runs: dict[str, list[Run]]) -> None:
    """Wall time and peak memory of programs that were run on one small file."""
    for name, unit, memory in (("whole process", "s", False), ("peak memory", "MiB", True)):
        figures = []
        for who, several in runs.items():
            values = tuple(run.peak / 1024 if memory else run.wall for run in several)
            figures.append(Figure(who, values, ours=who.startswith("tocsin")))
        result.add(name, unit, figures)

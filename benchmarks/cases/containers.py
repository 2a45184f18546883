"""Containers with the five real sets: mixed archives and documents, and one large PDF."""

from __future__ import annotations

from functools import partial

import containers
import peers
from bench import Bench
from measure import Run, RunFailed
from report import CaseResult, Figure

from cases.real_sets import prepare_index, tocsin_contenders
from cases.throughput import Contender, compare
from data import MB, Absent


def mixed(bench: Bench, result: CaseResult) -> None:
    """What a mail gateway meets, in one process each; the rate counts unpacked bytes."""
    scale = bench.scale
    sample = containers.container_sample(
        bench.folder / "containers", scale.container_bytes, scale.containers
    )
    sets = bench.real_sets()
    prepare_index(bench)
    contenders = tocsin_contenders(bench, ["--db", str(sets)])
    try:
        clamscan = bench.peers.need("clamscan")
    except Absent as reason:
        result.skip("clamscan", reason)
    else:
        command = [clamscan.path, "-d", str(sets), "--no-summary", "-r"]
        contenders.append(Contender("clamscan", command, peers.found_by_clamscan, once=True))
    result.notes.append("The rate counts the bytes of the files inside.")
    compare(bench, result, sample, contenders)


def large_pdf(bench: Bench, result: CaseResult) -> None:
    """One PDF of 20 MB with many streams."""
    path = containers.pdf_with_many_streams(bench.folder / "large.pdf", bench.scale.pdf_bytes)
    sets = bench.real_sets()
    prepare_index(bench)
    result.notes.append(f"{path.stat().st_size / MB:.1f} MB, the index was built before.")
    tocsin = bench.peers.need("tocsin")
    runs: dict[str, list[Run]] = {}
    programs = {"tocsin scan": partial(bench.runner.run, peers.tocsin_scan(tocsin, path, sets))}
    bench.say("the large PDF: tocsin")
    runs = bench.runner.side_by_side(programs, times=3)
    try:
        command = peers.clamscan(bench.peers.need("clamscan"), path, sets)
        bench.say("the large PDF: clamscan")
        runs["clamscan"] = [bench.runner.run(command)]
    except (Absent, RunFailed) as reason:
        result.skip("clamscan", reason)
    figures = [
        Figure(who, tuple(run.wall for run in several), ours=who.startswith("tocsin"))
        for who, several in runs.items()
    ]
    result.add("whole process", "s", figures)

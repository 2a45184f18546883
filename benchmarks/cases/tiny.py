"""From three raw signatures to a verdict with nothing prepared: what an analyst's try-out costs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import peers
from bench import Bench
from measure import Run, RunFailed
from report import CaseResult

import data
from cases.real_sets import add_starts
from data import Absent


def run(bench: Bench, result: CaseResult) -> None:
    """Every tocsin run has an empty cache and so builds its index."""
    sets = data.tiny_set(bench.folder / "tiny")
    file = data.small_file(bench.folder / "marked.txt", marked=True)
    tocsin = peers.tocsin_scan(bench.peers.need("tocsin"), file, sets)
    programs: dict[str, Callable[[], Run]] = {
        "tocsin scan": lambda: bench.runner.run(
            tocsin, accept=(1,), environment=bench.empty_cache("tiny")
        )
    }
    result.notes.append(
        "A .ndb, a .yar and a .hdb of one signature each and a file of 1 kB in which they are "
        "found; yara has the .yar alone. Every run of tocsin finds an empty cache."
    )
    for name, accept in (("clamscan", 1), ("yara", 0)):
        try:
            peer = bench.peers.need(name)
            command = (
                peers.clamscan(peer, file, sets)
                if name == "clamscan"
                else [peer.path, str(sets / "tiny.yar"), str(file)]
            )
            if not bench.runner.run(command, accept=(accept,)).stdout.strip():
                raise RunFailed("it did not find the marker")
        except (Absent, RunFailed) as reason:
            result.skip(name, reason)
            continue
        programs[name] = partial(bench.runner.run, command, accept=(accept,))
    bench.say(f"three signatures to a verdict: {', '.join(programs)}")
    add_starts(result, bench.runner.side_by_side(programs, times=bench.scale.starts))

"""Many random digests: what opening them costs in time and memory, beside clamscan's load."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import peers
from bench import Bench
from measure import RunFailed
from report import CaseResult, Figure

import data
from cases.real_sets import add_starts
from data import Absent


def run(bench: Bench, result: CaseResult) -> None:
    """Build once; then open in fresh processes, measured from inside and as a whole."""
    each = bench.scale.digests
    bench.say(f"making {2 * each:,} random digests")
    sets, file = data.digest_sets(bench.folder / "digests", each), bench.small_file()
    size = sum(path.stat().st_size for path in sets.iterdir()) / data.MB
    result.notes.append(f"{each:,} MD5 and {each:,} SHA-256, {size:.0f} MB of text, fixed seed.")
    bench.say("indexing them")
    cache = bench.empty_cache("digests")
    first, built = bench.probe("open", sets, environment=cache)
    result.add(
        "index build", "s", [Figure("tocsin.open_database, empty cache", (built["open_s"],), True)]
    )
    result.add(
        "peak memory while building",
        "MiB",
        [Figure("tocsin.open_database, empty cache", (first.peak / 1024,), True)],
    )
    bench.say("opening the index")
    bench.probe("open", sets, file, environment=cache)
    answers = [
        bench.probe("open", sets, file, environment=cache)[1] for _ in range(bench.scale.starts)
    ]
    bare = [bench.runner.run([sys.executable, "-c", "pass"]) for _ in range(bench.scale.starts)]
    result.notes.append(
        "Inside the process: interpreter start, import and opening are apart; memory is VmRSS. "
        "The index is mapped, so what a scan touches is resident only after the scan."
    )
    result.add(
        "interpreter start",
        "ms",
        [Figure("python -c pass", tuple(r.wall * 1e3 for r in bare), True)],
    )
    for name, unit, key, before, factor in (
        ("import of open_database and Scanner", "ms", "import_s", "", 1e3),
        ("open_database", "ms", "open_s", "", 1e3),
        ("first scan of a small file", "ms", "scan_s", "", 1e3),
        ("resident after import", "MiB", "import_kib", "", 1 / 1024),
        ("resident after opening", "MiB", "open_kib", "", 1 / 1024),
        ("  of which by opening", "MiB", "open_kib", "import_kib", 1 / 1024),
        ("resident after one scan", "MiB", "scan_kib", "", 1 / 1024),
        ("  of which by opening and scanning", "MiB", "scan_kib", "import_kib", 1 / 1024),
    ):
        values = tuple(
            (answer[key] - (answer[before] if before else 0)) * factor for answer in answers
        )
        result.add(name, unit, [Figure("tocsin, inside", values, True)])
    _whole_processes(bench, result, sets, file, cache)


def _whole_processes(
    bench: Bench, result: CaseResult, sets: Path, file: Path, cache: dict[str, str]
) -> None:
    """The command lines on one small file, side by side."""
    tocsin = peers.tocsin_scan(bench.peers.need("tocsin"), file, sets)
    programs = {"tocsin scan": partial(bench.runner.run, tocsin, environment=cache)}
    try:
        clamscan = peers.clamscan(bench.peers.need("clamscan"), file, sets)
        bench.say("the same with clamscan")
        bench.runner.run(clamscan)
        programs["clamscan"] = partial(bench.runner.run, clamscan)
    except (Absent, RunFailed) as reason:
        result.skip("clamscan", reason)
    add_starts(result, bench.runner.side_by_side(programs, times=min(5, bench.scale.starts)))

"""The signatures that come with tocsin: cold start, and files of /usr.

No peer reads all of them (clamscan refuses some of the rules), so YARA-X stands beside with
the YARA rules alone, which are most of them.
"""

from __future__ import annotations

import shutil

import peers
from bench import Bench
from report import CaseResult

from cases.real_sets import add_starts, tocsin_contenders
from cases.yara import over_rules


def run(bench: Bench, result: CaseResult) -> None:
    """No --db: what a user has after installing."""
    tocsin, file = bench.peers.need("tocsin"), bench.small_file()
    bench.say("cold start with tocsin's own signatures")
    add_starts(
        result,
        bench.runner.side_by_side(
            {"tocsin scan": lambda: bench.runner.run(peers.tocsin_scan(tocsin, file))},
            times=bench.scale.starts,
        ),
    )
    from tocsin.database.cache import default_sources

    rules = bench.folder / "default-rules"
    rules.mkdir()
    for path in sorted(default_sources().glob("*.yar")):
        shutil.copy(path, rules)
    result.notes.append(
        f"tocsin has all of its signatures; the peers have its {len(list(rules.iterdir()))} YARA "
        "files. Compiling is of these files for all."
    )
    over_rules(bench, result, rules, bench.system_sample(), tocsin_contenders(bench, []))

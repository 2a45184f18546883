"""How fast an audit looks into files: programs, lists and archives, in confined workers.

    python benchmarks/audit_files.py                         /usr/bin, and libwine's programs
    python benchmarks/audit_files.py --jobs 2 /usr/lib       others
    python benchmarks/audit_files.py --most 0.5 /usr         exit status 1 where something is surer

One row a path: files, bytes, wall time with the workers' start in it, and what was found. Files
are read once before, so that disks are not measured.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from tocsin.app.walk import Walk, WalkOptions
from tocsin.audit.look import LIMITS, Look
from tocsin.audit.matching import Matcher, confidence
from tocsin.audit.model import Skipped
from tocsin.database.cache import default_sources, open_database
from tocsin.database.index import Index
from tocsin.engine.options import Options
from tocsin.jurisdiction.folder import packaged, read_folder

PATHS = ("/usr/bin", "/usr/lib/x86_64-linux-gnu/wine")
MB = 1e6


class Row(NamedTuple):
    """What came of one path."""

    path: str
    files: int
    size: int
    seconds: float
    components: int
    skipped: Counter[str]
    found: list[tuple[float, str, str]]


def files(path: str) -> Iterator[str]:
    """Files below a path, each read once."""
    for item in Walk(WalkOptions()).items([path]):
        if isinstance(item, str):
            try:
                with open(item, "rb", buffering=0) as file:
                    while file.read(1 << 20):
                        pass
            except OSError:
                continue
            yield item


def run(database: Index, matcher: Matcher, path: str, jobs: int) -> Row:
    """Look into everything below a path."""
    paths = list(files(path))
    look = Look(database, matcher.interests(), options=Options(limits=LIMITS), jobs=jobs)
    day = datetime.now(UTC).date()
    components, skipped = 0, Counter[str]()
    found: list[tuple[float, str, str]] = []
    start = time.perf_counter()
    for each in look.run(paths):
        if isinstance(each, Skipped):
            skipped[each.reason[:70]] += 1
            continue
        components += 1
        for matches in matcher.matches(each, day).values():
            why = f"{matches[0].trace.where}: {matches[0].trace.value}"
            found.append((confidence(matches), each.place, why))
    seconds = time.perf_counter() - start
    return Row(path, look.files, look.size, seconds, components, skipped, sorted(found)[::-1])


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--most", type=float, default=1.0, help="confidence that is expected")
    parser.add_argument("paths", nargs="*", default=list(PATHS))
    stated = parser.parse_args()
    matcher = Matcher(read_folder(packaged()).suppliers.values())
    database = open_database([default_sources()])
    print(f"{'files':>8} {'MB':>8} {'seconds':>8} {'files/s':>8} {'MB/s':>7} {'parts':>7}  path")
    surest = 0.0
    for path in stated.paths:
        row = run(database, matcher, path, stated.jobs)
        print(
            f"{row.files:>8,} {row.size / MB:>8,.0f} {row.seconds:>8.1f} "
            f"{row.files / row.seconds:>8,.0f} {row.size / MB / row.seconds:>7,.0f} "
            f"{row.components:>7,}  {row.path}",
            flush=True,
        )
        for sure, place, why in row.found[:20]:
            print(f"         {sure:.2f} {place!a} ({why!a})")
            surest = max(surest, sure)
        for reason, count in row.skipped.most_common(5):
            print(f"         {count} not looked at: {reason!a}")
    return int(surest > stated.most)


if __name__ == "__main__":
    sys.exit(main())

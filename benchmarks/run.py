"""Measures tocsin beside whichever peers are installed, and writes the figures down.

    python benchmarks/run.py [--quick] [--only NAME …] [--output FILE]

Nothing here asserts a time: the report is for people, and for comparing two of them that
were made on one machine. `benchmarks/README.md` says what is measured and how to read it.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench import FULL, QUICK, Bench, compile_packages
from cases import CASES
from measure import RunFailed
from report import CaseResult, markdown, summary

from data import Absent

_QUICK_NOTE = (
    "**Quick**: parts of the samples and sets and few runs. It shows that everything works; "
    "start-up is most of every scan, and the ratios are not to be quoted."
)
_HERE = Path(__file__).resolve().parent


def main() -> int:
    """Parse, run the cases, print and write the report."""
    arguments = _parsed()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the folder is removed
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
    try:
        compile_packages()
        bench = Bench(folder, QUICK if arguments.quick else FULL)
        names = [name for name in CASES if name in arguments.only]
        results = [_measured(bench, name, len(names) - n) for n, name in enumerate(names)]
        how = shlex.join(["python", "benchmarks/run.py", *sys.argv[1:]])
        text = markdown(
            results,
            bench.peers,
            how=how,
            seconds=time.monotonic() - bench.began,
            scale=_QUICK_NOTE if arguments.quick else "",
            load_before=bench.load,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(summary(results))
    if arguments.output is not None:
        arguments.output.write_text(text, "utf-8")
        print(f"written to {arguments.output}")
    return 0


def _measured(bench: Bench, name: str, cases_left: int) -> CaseResult:
    """One case's result; what stops it is in the report, and the others go on."""
    title, case = CASES[name]
    result = CaseResult(title)
    bench.say(f"--- {title}")
    try:
        bench.begin_case(cases_left)
        case(bench, result)
    except (Absent, RunFailed, OSError) as reason:
        result.skip("case" if not result.measures else "the rest", reason)
    for text in result.skipped:
        bench.say(f"skipped: {text}")
    return result


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--quick", action="store_true", help="small samples and few runs: whether it all works"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=list(CASES),
        default=list(CASES),
        help=f"these cases alone: {', '.join(CASES)}",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=None,
        metavar="FILE",
        help="write the report here (default: benchmarks/RESULTS.md for a whole run; "
        "a quick or partial one is only printed)",
    )
    arguments = parser.parse_args()
    whole = not arguments.quick and set(arguments.only) == set(CASES)
    if arguments.output is None and whole:
        arguments.output = _HERE / "RESULTS.md"
    return arguments


if __name__ == "__main__":
    sys.exit(main())

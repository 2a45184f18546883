"""Run fuzz targets one after the other and print a table of what came of it.

    python fuzz/run.py --seconds 60            every target
    python fuzz/run.py --seconds 600 zip scan  two of them

An input that breaks a promise is kept in `fuzz/found/`, where version control does not look.
Exit status 1 when there was one.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from fuzz_support import HERE, WATCHED

NOT_TARGETS = {"fuzz_support", "fuzz_database"}
_RUNS = re.compile(r"(?:^#|Done )(\d+)", re.M)
_COVERED = re.compile(r"\bcov: (\d+)")
_ERROR = re.compile(r"^(\w[\w.]*(?:Error|Exception|Warning)\b.*)$", re.M)
_KEPT = re.compile(r"Test unit written to (\S+)")


class Outcome(NamedTuple):
    """What came of one target."""

    name: str
    status: str
    runs: int
    covered: int
    seconds: float
    error: str = ""
    kept: str = ""


def targets() -> list[str]:
    """Names of all targets."""
    files = sorted(path.stem for path in HERE.glob("fuzz_*.py"))
    return [stem.removeprefix("fuzz_") for stem in files if stem not in NOT_TARGETS]


def run_target(name: str, seconds: int, corpus: Path | None) -> Outcome:
    """Run one target in a process of its own."""
    found = HERE / "found"
    found.mkdir(exist_ok=True)
    (found / ".gitignore").write_text("*\n")
    command = [
        sys.executable,
        str(HERE / f"fuzz_{name}.py"),
        f"-max_total_time={seconds}",
        "-timeout=30",
        "-rss_limit_mb=3000",
        "-max_len=16384",
        f"-artifact_prefix={found}/{name}-",
    ]
    if corpus is not None:
        (corpus / name).mkdir(parents=True, exist_ok=True)
        command.append(str(corpus / name))
    started = time.monotonic()
    done = subprocess.run(
        command,
        env={**os.environ, WATCHED: "1"},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    output = done.stdout + done.stderr
    (found / f"{name}.log").write_text(output)
    runs = [int(count) for count in _RUNS.findall(output)]
    covered = [int(count) for count in _COVERED.findall(output)]
    error, kept = _ERROR.findall(output), _KEPT.findall(output)
    return Outcome(
        name,
        "ok" if done.returncode == 0 else f"broken ({done.returncode})",
        max(runs, default=0),
        max(covered, default=0),
        time.monotonic() - started,
        "" if done.returncode == 0 else (error[0] if error else output.strip()[-200:]),
        kept[-1] if kept else "",
    )


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--corpus", type=Path, help="keep inputs here between runs")
    parser.add_argument("targets", nargs="*", help=f"of: {' '.join(targets())}")
    stated = parser.parse_args()
    unknown = set(stated.targets) - set(targets())
    if unknown:
        parser.error(f"no such target: {' '.join(sorted(unknown))}")
    print(f"{'target':<12} {'runs':>10} {'covered':>8} {'seconds':>8}  result", flush=True)
    broken = False
    for name in stated.targets or targets():
        outcome = run_target(name, stated.seconds, stated.corpus)
        broken |= outcome.status != "ok"
        print(
            f"{outcome.name:<12} {outcome.runs:>10,} {outcome.covered:>8,} "
            f"{outcome.seconds:>8.0f}  {outcome.status}",
            flush=True,
        )
        for line in (outcome.error, outcome.kept):
            if line:
                print(f"{'':<12} {line}", flush=True)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())

"""YARA rules over PE files: tocsin, YARA-X by its own Python API, and the `yara` command.

All three scan with rules that were compiled before; compiling is measured apart.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import peers
from bench import PROBE, Bench
from measure import RunFailed
from report import CaseResult, Figure

import data
from cases.real_sets import tocsin_contenders
from cases.throughput import Contender, compare
from data import Absent

VARIABLES = ("filename", "filepath", "extension", "filetype", "owner")
"""What signature-base expects the scanner to define."""


def run(bench: Bench, result: CaseResult) -> None:
    """signature-base over a part of the PE sample."""
    rules = data.signature_base(bench.folder / "signature-base", bench.scale.rules)
    result.notes.append(f"{len(list(rules.iterdir()))} rule files of signature-base.")
    over_rules(
        bench, result, rules, bench.yara_sample(), tocsin_contenders(bench, ["--db", str(rules)])
    )


def over_rules(
    bench: Bench,
    result: CaseResult,
    rules: Path,
    sample: data.Sample,
    contenders: Sequence[Contender],
) -> None:
    """Compile a folder of rules for each peer and scan the sample with it.

    Args:
        bench: what is measured with.
        result: where figures go.
        rules: a folder of .yar files and nothing else.
        sample: what to scan.
        contenders: tocsin's, whose database is compiled from the same rules.
    """
    compiled: dict[str, tuple[float, float]] = {}
    everyone = list(contenders)
    bench.say("compiling the rules with tocsin, yara_x and yarac")
    _compile_tocsin(bench, rules, compiled)
    for name, make in (("yara_x", _yara_x), ("yara", _yara)):
        try:
            everyone += make(bench, rules, compiled)
        except (Absent, RunFailed) as reason:
            result.skip(name, reason)
    _add_compiling(result, compiled)
    compare(bench, result, sample, everyone)


def _add_compiling(result: CaseResult, compiled: Mapping[str, tuple[float, float]]) -> None:
    for place, (name, unit) in enumerate(
        (("compiling the rules", "s"), ("its peak memory", "MiB"))
    ):
        result.add(
            name,
            unit,
            [
                Figure(who, (both[place],), who.startswith("tocsin"))
                for who, both in compiled.items()
            ],
        )


def _compile_tocsin(bench: Bench, rules: Path, compiled: dict[str, tuple[float, float]]) -> None:
    run, answer = bench.probe("open", rules, environment=bench.empty_cache("rules"))
    compiled["tocsin.open_database, empty cache"] = answer["open_s"], run.peak / 1024


def _yara_x(bench: Bench, rules: Path, compiled: dict[str, tuple[float, float]]) -> list[Contender]:
    bench.need("yara_x")
    out = bench.folder / f"{rules.name}.yarx"
    run, answer = bench.probe("yarax-compile", rules, out, ",".join(VARIABLES))
    compiled["yara_x.Compiler"] = answer["compile_s"], run.peak / 1024
    return [Contender("yara_x", [sys.executable, PROBE, "yarax-scan", out], peers.found_by_probe)]


def _yara(bench: Bench, rules: Path, compiled: dict[str, tuple[float, float]]) -> list[Contender]:
    yara, yarac = bench.peers.need("yara"), bench.peers.need("yarac")
    out = bench.folder / f"{rules.name}.yarac"
    defined = [word for name in VARIABLES for word in ("-d", f"{name}=")]
    sources = [f"n{place}:{path}" for place, path in enumerate(sorted(rules.iterdir()))]
    run = bench.runner.run([yarac.path, "-w", *defined, *sources, out])
    compiled["yarac, whole process"] = run.wall, run.peak / 1024
    command = [yara.path, "-C", "-w", *defined, "-r"]
    return [
        Contender(
            f"yara -p {threads}",
            [*command, "-p", str(threads), out],
            peers.found_by_yara,
            workers=threads,
        )
        for threads in (1, 2)
    ]

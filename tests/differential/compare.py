"""Runs both sides over many cases and says where they disagree."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from differential.explained import Disagreement, explained
from differential.oracle import ask_clamscan, ask_tocsin, write_database, write_files
from differential.signatures import GAP_SIGNATURES, Case, Numbering, make_case

PER_DATABASE = 24
_HEX_SHOWN = 480


def batches(seed: int, pairs: int) -> Iterator[list[Case]]:
    """Cases for one database each, until so many (signature, file) pairs were planted."""
    rng = random.Random(seed)
    names = Numbering()
    together: list[Case] = []
    while pairs > 0:
        case, alone = make_case(rng, names)
        pairs -= len(case.files)
        if alone:
            yield [case]
            continue
        together.append(case)
        if len(together) == PER_DATABASE:
            yield together
            together = []
    if together:
        yield together


def merged(cases: Iterable[Case]) -> dict[str, str]:
    """The database files of some cases together."""
    files: dict[str, str] = {"gap.ndb": GAP_SIGNATURES}
    for case in cases:
        for ending, lines in case.lines.items():
            files[f"a.{ending}"] = files.get(f"a.{ending}", "") + lines + "\n"
    return files


def lines_by_name(cases: Iterable[Case]) -> dict[str, str]:
    """The lines behind each name that a case can report."""
    found: dict[str, str] = {}
    for case in cases:
        text = "\n".join(case.lines.values())
        for line in text.split("\n"):
            for field in line.replace(";", ":").replace("=", ":").split(":"):
                if field.startswith("D."):
                    found[field] = line if len(case.lines) == 1 else text
    return found


def disagreements(cases: list[Case], folder: Path) -> list[str]:
    """What is not the same and not explained, in words."""
    database = write_database(folder / "database", merged(cases))
    contents = {
        f"{number:04}-{place}": data
        for number, case in enumerate(cases)
        for place, data in enumerate(case.files)
    }
    target = write_files(folder / "files", contents)
    ours = ask_tocsin(database, target, folder / "cache", confined=False)
    if ours is None and len(cases) > 1:
        return _halves(cases, folder)
    theirs = ask_clamscan(database, target)
    if theirs is None or ours is None:
        if len(cases) == 1:
            return _loading(cases[0], theirs is None, ours is None)
        return _halves(cases, folder)
    return list(_differences(cases, contents, theirs, ours))


def _halves(cases: list[Case], folder: Path) -> list[str]:
    """One of the cases does not load: look for it."""
    half = len(cases) // 2
    first = disagreements(cases[:half], folder / "first")
    return first + disagreements(cases[half:], folder / "second")


def _loading(case: Case, theirs: bool, ours: bool) -> list[str]:
    lines = "\n".join(case.lines.values())
    if theirs == ours or explained(Disagreement(lines, b"", not ours, malformed=True)):
        return []
    says = {True: "malformed", False: "loads"}
    return [f"{lines}\n    clamscan: {says[theirs]}, tocsin: {says[ours]}"]


def _differences(
    cases: list[Case],
    contents: dict[str, bytes],
    theirs: dict[str, frozenset[str]],
    ours: dict[str, frozenset[str]],
) -> Iterator[str]:
    by_name = lines_by_name(cases)
    for file, data in contents.items():
        if file not in theirs:
            continue  # clamscan crashed
        for name in sorted(theirs[file] ^ ours[file]):
            line = by_name.get(name, name)
            found_by_us = name in ours[file]
            if explained(Disagreement(line, data, found_by_us)):
                continue
            who = "only tocsin" if found_by_us else "only clamscan"
            head = data.hex()[:_HEX_SHOWN]
            more = "" if len(data) * 2 <= _HEX_SHOWN else f"… ({len(data)} bytes)"
            yield f"{who}: {name}\n    {line}\n    {head}{more}"

"""Which lines load: well-formed ones with one character changed, one database each."""

from __future__ import annotations

import os
import random
from pathlib import Path

from differential.compare import batches
from differential.explained import Disagreement, explained
from differential.oracle import ask_clamscan, ask_tocsin, require_clamscan, write_database

USUAL_LINES = 300
SEED = 7
SHOWN = 30
_CHARACTERS = "0123456789abcdefABLW?*{}[]()|!:;,-+=<>&$#/ iwEOFPS"


def _changed(line: str, rng: random.Random) -> str:
    """The line with one character too many, too few, or another one."""
    at = rng.randrange(line.index(":" if ";" not in line else ";"), len(line))
    added = rng.choice(_CHARACTERS)
    return rng.choice((line[:at] + line[at + 1 :], line[:at] + added + line[at:],
                       line[:at] + added + line[at + 1 :]))  # fmt: skip


def _lines(count: int) -> list[tuple[str, str]]:
    rng = random.Random(SEED)
    found = []
    for cases in batches(SEED, 1 << 30):
        for case in cases:
            for ending, lines in case.lines.items():
                line = lines.split("\n")[0]
                if ending != "ign2" and (":" in line or ";" in line):
                    found.append((ending, _changed(line, rng)))
        if len(found) >= count:
            return found[:count]
    return found


def test_changed_lines_load_or_fail_alike(tmp_path: Path) -> None:
    require_clamscan()
    probe = tmp_path / "probe"
    probe.write_bytes(bytes(64))
    wrong = []
    count = int(os.environ.get("TOCSIN_DIFFERENTIAL", "0")) // 20
    for number, (ending, line) in enumerate(_lines(max(USUAL_LINES, count))):
        database = write_database(tmp_path / str(number), {f"a.{ending}": line + "\n"})
        theirs = ask_clamscan(database, probe)
        ours = ask_tocsin(database, probe, tmp_path / "cache" / str(number), confined=False)
        if (theirs is None) == (ours is None):
            continue
        if explained(Disagreement(line, b"", ours is not None, malformed=True)) is None:
            says = "loads only in tocsin" if theirs is None else "loads only in clamscan"
            wrong.append(f"{says} ({ending}): {line}")
    assert not wrong, f"{len(wrong)} lines:\n" + "\n".join(wrong[:SHOWN])

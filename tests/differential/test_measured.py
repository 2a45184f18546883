"""tocsin against verdicts of clamscan 1.4.6 that were written down.

`measured.jsonl.gz` holds a signature, a file and the names that clamscan printed, one case a
line; every case is ours. It needs no clamscan.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import tocsin
from differential.explained import Disagreement, explained_measured
from tocsin.errors import SignatureError

MEASURED = Path(__file__).with_name("measured.jsonl.gz")
SLICES = 8


def _cases() -> list[dict[str, Any]]:
    with gzip.open(MEASURED, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _verdict(folder: Path, files: dict[str, str], data: bytes) -> frozenset[str] | None:
    database = folder / "database"
    database.mkdir(parents=True)
    for name, content in files.items():
        (database / name).write_bytes(content.encode("latin-1"))
    try:
        opened = tocsin.open_database([database], cache_dir=folder / "cache")
    except SignatureError:
        return None
    scanner = tocsin.Scanner(opened, tocsin.Options(all_matches=True))
    report = scanner.scan_bytes(data, "file", confined=False)  # a worker for each takes too long
    return frozenset(detection.name for detection in report.detections)


@pytest.mark.parametrize("part", range(SLICES))
def test_measured_verdicts_are_reproduced(tmp_path: Path, part: int) -> None:
    wrong = []
    for number, case in enumerate(_cases()[part::SLICES]):
        files = case.get("db_files") or {f"a.{case['db_ext']}": case["sig"] + "\n"}
        data = bytes.fromhex(case["file_hex"])
        expected = None if case["expect"] == "malformed" else frozenset(case["expect"])
        found = _verdict(tmp_path / str(number), files, data)
        if found == expected:
            continue
        lines = "\n".join(content.rstrip("\n") for content in files.values())
        malformed = found is None or expected is None
        ours = found is not None if malformed else bool(found - expected)
        if explained_measured(Disagreement(lines, data, ours, malformed)) is None:
            shown = data.hex()[:400]
            wrong.append(f"{lines}\n    {shown}\n    clamscan {expected}, tocsin {found}")
    assert not wrong, f"{len(wrong)} cases:\n" + "\n".join(wrong[:20])

"""Benchmarks that are run seldom still make their data."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))


def test_two_databases_of_the_large_kind(tmp_path: Path) -> None:
    import update_under_load

    update_under_load.databases(tmp_path / "made", 0.00005)
    old, new = (tmp_path / "made" / name for name in ("old", "new"))
    assert old.stat().st_size > 0
    assert old.read_bytes() != new.read_bytes()

"""What a day's delta may cost, so that a change that makes it larger is seen.

The demand is of a million SHA-256: 3,000 more and 500 fewer in at most 110 kB, and 150 kB where
each has a size and a name. `benchmarks/deltas.py` measures that (RESULTS-updates.md); here the same
databases are a tenth as large. A delta has no byte for a record that stays; it says where the
others are, whose places have log2 of ten more bits in ten times the records. So the bound for the
large one follows from the small one's, and both are asserted.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
from delta_samples import expected

from tocsin.updates.delta import apply_delta, make_delta

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from deltas import Case, write_case

ADDED, REMOVED, TIMES = 3_000, 500, 10
PLACES = math.ceil((ADDED + REMOVED) * math.log2(TIMES) / 8)
"""Bytes for places among ten times the records, were no bit of them saved."""


@pytest.mark.parametrize(
    ("named", "per_added", "per_removed", "demanded"),
    [(False, 31.2, 3, 110_000), (True, 36.5, 3, 150_000)],
    ids=["bare", "named"],
)
def test_a_day_of_digests_costs_its_digests(
    tmp_path: Path, named: bool, per_added: float, per_removed: float, demanded: int
) -> None:
    """A SHA-256 has 32 bytes of chance in it, which nobody can leave out."""
    write_case(Case("", 100_000, named, 0, ADDED, REMOVED), tmp_path)
    old, new, delta = tmp_path / "old", tmp_path / "new", tmp_path / "delta"
    taken = make_delta(old, new, delta).bytes
    bound = ADDED * per_added + REMOVED * per_removed
    assert taken <= bound
    assert taken + PLACES <= demanded
    apply_delta(old, delta, tmp_path / "out", expected=expected(new.read_bytes()))

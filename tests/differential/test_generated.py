"""tocsin against clamscan over signatures and files made at random.

`TOCSIN_DIFFERENTIAL=100000` plants so many (signature, file) pairs instead of the usual ones,
`TOCSIN_DIFFERENTIAL_SEED` makes others.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from differential.compare import batches, disagreements
from differential.oracle import require_clamscan

USUAL_PAIRS = 6000
USUAL_SEED = 20261123
SLICES = 6
SHOWN = 20


@pytest.mark.parametrize("part", range(SLICES))
def test_generated_signatures_have_the_same_verdicts(tmp_path: Path, part: int) -> None:
    require_clamscan()
    pairs = int(os.environ.get("TOCSIN_DIFFERENTIAL", USUAL_PAIRS)) // SLICES
    seed = int(os.environ.get("TOCSIN_DIFFERENTIAL_SEED", USUAL_SEED)) * SLICES + part
    found = []
    planted = 0
    for number, cases in enumerate(batches(seed, pairs)):
        planted += sum(len(case.files) for case in cases)
        folder = tmp_path / str(number)
        differing = disagreements(cases, folder)
        found += [f"{text}\n    in {folder}" for text in differing]
        if not differing:
            shutil.rmtree(folder)
    assert planted >= pairs
    assert not found, f"{len(found)} of {planted}:\n" + "\n".join(found[:SHOWN])

"""docs/trust.md says which test shows what; this holds that each of them is there."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[2] / "docs" / "trust.md"


def test_every_row_of_the_table_of_attacks_names_tests_that_are_there() -> None:
    table = PAGE.read_text().partition("## Attacks, and what a device does")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 30
    for row in rows:
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row)
        assert named, row
        for file, test in named:
            assert f"def {test}(" in (HERE / file).read_text(), (file, test)

"""Rows sorted on disk come in the order that a list of them would have."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.database import row_sort
from tocsin.database.row_sort import RowSorter


@settings(deadline=None)
@given(
    rows=st.lists(st.binary(min_size=3, max_size=3), max_size=80),
    held=st.integers(1, 2_000),
    sampled=st.integers(1, 9),
    at_a_time=st.integers(1, 7),
)
def test_whatever_fits_into_memory(rows, held, sampled, at_a_time):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_sort, "_SAMPLED", sampled)
        sorter = RowSorter(3, None, held_bytes=held)
        for start in range(0, len(rows), at_a_time):
            sorter.extend(rows[start : start + at_a_time])
        assert [row for some in sorter for row in some] == sorted(rows)


def test_equal_rows_come_together():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_sort, "_SAMPLED", 2)
        sorter = RowSorter(1, None, held_bytes=200)
        for _ in range(30):
            sorter.extend([b"a", b"b", b"c"])
        seen = [set(some) for some in sorter]
        assert sum(map(len, seen)) == 3


def test_few_are_in_memory_at_a_time(tmp_path: Path):
    sorter = RowSorter(4, tmp_path, held_bytes=45 * 3_000)
    for start in range(0, 60_000, 100):
        sorter.extend(
            (n * 2654435761 % 2**32).to_bytes(4, "big") for n in range(start, start + 100)
        )
    assert max(len(some) for some in sorter) < 60_000 / 3
    assert list(tmp_path.iterdir()) == []

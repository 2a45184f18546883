"""Sorting rows of one length in memory that their number does not change.

Rows are sorted in runs that fit into memory and lie in a file without a name. Rows taken at even
distances from each run divide the order into stretches of few rows; of every stretch each run
has a piece, and these are read and sorted together. So no row is compared alone.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tocsin.signatures.sources import open_scratch

HELD_BYTES = 8 << 20
"""Of rows that are sorted at a time, with Python's own part of each."""
_ROW_COST = 41
_SAMPLED = 512
"""Of so many rows of a run one says where the run is."""


class _Run(NamedTuple):
    start: int
    rows: int


class RowSorter:
    """Rows of one length, to be sorted.

    Args:
        row_bytes: length of a row.
        scratch: folder for what does not fit into memory; None for the machine's own.
        held_bytes: memory for rows.
    """

    def __init__(
        self, row_bytes: int, scratch: Path | None, *, held_bytes: int = HELD_BYTES
    ) -> None:
        self._row_bytes = row_bytes
        self._scratch = scratch
        self._most = max(1, held_bytes // (row_bytes + _ROW_COST))
        self._held: list[bytes] = []
        self._runs: list[_Run] = []
        self._samples: list[bytes] = []
        self._file: BinaryIO | None = None

    def extend(self, rows: Iterable[bytes]) -> None:
        """Add rows.

        Raises:
            OSError: there is no room for them.
        """
        self._held += rows
        if len(self._held) >= self._most:
            self._spill()

    def __iter__(self) -> Iterator[list[bytes]]:
        """All rows in order, some at a time; equal ones stand together in one list."""
        if self._file is None:
            self._held.sort()
            yield self._held
            return
        self._spill()
        at = [0] * len(self._runs)
        for bound in [*self._bounds(), None]:
            found: list[bytes] = []
            for number, run in enumerate(self._runs):
                end = run.rows if bound is None else self._place(run, at[number], bound)
                found += self._read(run.start, at[number], end)
                at[number] = end
            found.sort()
            yield found

    def _spill(self) -> None:
        if not self._held:
            return
        if self._file is None:
            self._file = open_scratch(self._scratch)
        self._held.sort()
        self._samples += self._held[_SAMPLED - 1 :: _SAMPLED]
        start = self._file.seek(0, os.SEEK_END)
        self._file.writelines(self._held)
        self._file.flush()
        self._runs.append(_Run(start, len(self._held)))
        self._held = []

    def _bounds(self) -> list[bytes]:
        """Rows that end stretches, each but for `_SAMPLED` rows a run as long as fits."""
        self._samples.sort()
        step = max(1, self._most // _SAMPLED)
        return list(dict.fromkeys(self._samples[step - 1 :: step]))

    def _place(self, run: _Run, low: int, bound: bytes) -> int:
        """How many rows of a run come before a bound or are equal to it."""
        return bisect_right(
            range(run.rows), bound, low, key=lambda row: next(self._read(run.start, row, row + 1))
        )

    def _read(self, start: int, begin: int, end: int) -> Iterator[bytes]:
        assert self._file is not None
        size = self._row_bytes
        length = (end - begin) * size
        data = os.pread(self._file.fileno(), length, start + begin * size)
        if len(data) != length:
            raise OSError("a file that was just written is shorter now")
        return (data[at : at + size] for at in range(0, length, size))

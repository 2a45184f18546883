"""Sorted tables of digests that are searched where they lie in a mapped file.

A row is digest, size (8 bytes, 0 for any) and the offset of its name (4 bytes), little-endian.
Beside the rows lie the distinct sizes: an object whose size none of them names needs no
digest at all. Where a row fits any size, 0 alone stands there.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator

ALGORITHM_BYTES = {"md5": 16, "sha1": 20, "sha256": 32}
ANY_SIZE = 0
TAIL = struct.Struct("<QI")


class DigestTable:
    """A mapped table.

    Args:
        rows: the rows, as `digest_sections` wrote them.
        sizes: the distinct sizes.
        digest_bytes: length of a digest.
    """

    def __init__(self, rows: memoryview, sizes: memoryview, digest_bytes: int) -> None:
        self._rows = rows
        self._digest_bytes = digest_bytes
        self._row_bytes = digest_bytes + TAIL.size
        self._count = len(rows) // self._row_bytes
        self._sizes = sizes.cast("Q")
        self.any_size = len(self._sizes) > 0 and self._sizes[0] == ANY_SIZE

    def __len__(self) -> int:
        return self._count

    def wants(self, size: int) -> bool:
        """Whether any row could match an object of so many bytes."""
        if self.any_size:
            return True
        place = bisect_left(self._sizes, size)
        return place < len(self._sizes) and self._sizes[place] == size

    def find(self, digest: bytes, size: int) -> Iterator[int]:
        """Offsets of the names of all rows with this digest that fit the size."""
        low, high = 0, self._count
        rows, step, length = self._rows, self._row_bytes, self._digest_bytes
        while low < high:
            middle = (low + high) // 2
            start = middle * step
            if rows[start : start + length].tobytes() < digest:
                low = middle + 1
            else:
                high = middle
        while low < self._count:
            start = low * step
            if rows[start : start + length] != digest:
                return
            stated, name = TAIL.unpack_from(rows, start + length)
            if stated in (ANY_SIZE, size):
                yield name
            low += 1

"""rpm's database as Berkeley DB has it: `Packages`, a hash (dbinc/db_page.h; rpm before 4.16).

A pure reader of what is needed: pages of the hash are walked through in their order, keys are
passed over, and values, each a header, lie in a page or in a chain of overflow pages.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tocsin.audit.model import Skipped
from tocsin.audit.packages.rpm_header import component
from tocsin.audit.source import Found, Source, Unreadable, content, reader

MAGIC = 0x061561
_HASH_META, _HASH_UNSORTED, _HASH, _OVERFLOW = 8, 2, 13, 7
_KEYDATA, _OFFPAGE = 1, 3
_PAGE_HEADER = 26
_SHORTEST = 32
"""Bytes of the shortest header; the entry that counts packages has four."""


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read the installed packages."""
    data = content(source)
    order = byte_order(data)
    if not order or len(data) < 512:
        raise Unreadable("no hash of Berkeley DB")
    size = struct.unpack_from(order + "I", data, 20)[0]
    if size < 512 or size > 1 << 16 or size & (size - 1) or data[25] != _HASH_META:
        raise Unreadable("no hash of Berkeley DB")
    if data[24]:
        raise Unreadable("the database is encrypted; 'rpm -qa' lists it, and can be audited")
    pages = _Pages(data, order, size)
    for number in range(1, pages.count):
        if pages.kind(number) in (_HASH, _HASH_UNSORTED):
            for value in pages.values(number):
                if value is None:
                    yield Skipped(place, f"a package on page {number:,} is not whole")
                elif len(value) >= _SHORTEST:
                    yield component(value, place)
    if len(data) % size:
        yield Skipped(place, "the file ends in the middle of a page; have it whole")


def byte_order(data: bytes) -> str:
    """`<` or `>` for a hash of Berkeley DB of either order; empty for what is none."""
    for order in "<>":
        if len(data) >= 16 and struct.unpack_from(order + "I", data, 12)[0] == MAGIC:
            return order
    return ""


class _Pages:
    """The pages of a database."""

    def __init__(self, data: bytes, order: str, size: int) -> None:
        self._data = data
        self._order = order
        self._size = size
        self.count = len(data) // size

    def kind(self, number: int) -> int:
        """Of a page."""
        return self._data[number * self._size + 25]

    def values(self, number: int) -> Iterator[bytes | None]:
        """The values of a page of the hash; None for one that is not whole."""
        base = number * self._size
        count = struct.unpack_from(self._order + "H", self._data, base + 20)[0]
        count = min(count, (self._size - _PAGE_HEADER) // 2)
        offsets = struct.unpack_from(f"{self._order}{count}H", self._data, base + _PAGE_HEADER)
        for index in range(1, count, 2):
            at = offsets[index]
            before = offsets[index - 1]  # entries are put in from the end of the page
            if not _PAGE_HEADER <= at < before <= self._size:
                yield None
                continue
            entry = self._data[base + at : base + before]
            if entry[0] == _KEYDATA:
                yield entry[1:]
            elif entry[0] == _OFFPAGE and len(entry) >= 12:
                page, length = struct.unpack_from(self._order + "2I", entry, 4)
                yield self._chain(page, length)
            else:
                yield None

    def _chain(self, number: int, length: int) -> bytes | None:
        """The bytes of a chain of overflow pages; None if it breaks off."""
        parts: list[bytes] = []
        held = 0
        while held < length:
            if not 0 < number < self.count or self.kind(number) != _OVERFLOW:
                return None
            base = number * self._size
            number = struct.unpack_from(self._order + "I", self._data, base + 16)[0]
            used = struct.unpack_from(self._order + "H", self._data, base + 22)[0]
            if not used:
                return None  # else a ring of empty pages would go on for ever
            start = base + _PAGE_HEADER
            parts.append(self._data[start : min(start + used, base + self._size)])
            held += len(parts[-1])
        return b"".join(parts)[:length]

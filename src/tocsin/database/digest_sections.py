"""Digests of an index while it is made: their rows are sorted on disk, their names go there.

Nearly all signatures of a large set are digests. No object outlives the reading of one but its
row, and of the rows only those that are being sorted are in memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from struct import Struct
from typing import BinaryIO

from tocsin.database.digest_table import ALGORITHM_BYTES, ANY_SIZE, TAIL
from tocsin.database.layout import NAME_HEAD, PUA_FLAG
from tocsin.database.row_sort import RowSorter
from tocsin.errors import DatabaseError
from tocsin.signatures.sources import open_scratch

_PIECE = 1 << 18
_MOST_NAME_BYTES = 0xFFFFFFFF
_LONGEST_NAME = 0xFFFF
_USUAL_NAME = 100
_SIZE = Struct(">Q")  # of which the order of bytes is the order of numbers


@lru_cache(maxsize=64)
def _heads(head: bytes) -> list[bytes]:
    """What stands before a name, by the length of the name: most lines come one at a time."""
    return [head + length.to_bytes(2, "little") for length in range(_USUAL_NAME)]


class DigestSections:
    """Collects digests for tables that are searched where they lie.

    Args:
        scratch: folder for what does not fit into memory; None for the machine's own.
    """

    def __init__(self, scratch: Path | None) -> None:
        self._scratch = scratch
        self._tables: dict[tuple[str, int], RowSorter] = {}
        self._names: BinaryIO | None = None
        self._name_bytes = 0

    def extend(
        self, purpose: str, found: Sequence[tuple[str, str, str]], source: int, pua: bool
    ) -> None:
        """Add digests of one source.

        Args:
            purpose: `file`, `section`, `import` or `allow`.
            found: digest in hexadecimal, size in decimal (`*` for any) and name of each.
            source: its number.
            pua: whether they name what is merely unwanted.

        Raises:
            DatabaseError: more names than an index holds.
            OSError: there is no room for them.
        """
        head = source.to_bytes(2, "little") + bytes([PUA_FLAG if pua else 0])
        heads = _heads(head)
        rows: dict[int, list[bytes]] = {2 * length: [] for length in ALGORITHM_BYTES.values()}
        names: list[bytes] = []
        place, tail, unhex = self._name_bytes, TAIL.pack, bytes.fromhex
        if place + len(found) * (_LONGEST_NAME + NAME_HEAD) > _MOST_NAME_BYTES:
            raise DatabaseError("the names of so many digests have no room in an index")
        for digest, size, name in found:
            encoded = name.encode("utf-8", "surrogateescape")
            length = len(encoded)
            if length < _USUAL_NAME:
                names += heads[length], encoded
            else:
                length = min(length, _LONGEST_NAME)
                names += head + length.to_bytes(2, "little"), encoded[:_LONGEST_NAME]
            number = ANY_SIZE if size == "*" else int(size)
            rows[len(digest)].append(unhex(digest) + tail(number, place))
            place += NAME_HEAD + length
        if self._names is None:
            self._names = open_scratch(self._scratch)
        self._names.writelines(names)
        self._name_bytes = place
        for length, packed in rows.items():
            if packed:
                self._table(purpose, length // 2).extend(packed)

    def sections(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Tables, their sizes and the names; each is written before the next is asked for."""
        algorithms = {length: name for name, length in ALGORITHM_BYTES.items()}
        for (purpose, length), table in sorted(self._tables.items()):
            name = f"{purpose}.{algorithms[length]}"
            sizes = _Sizes(self._scratch)
            yield name, sizes.seen(table, length)
            yield f"{name}.sizes", sizes.packed()
        self._tables.clear()
        yield "names", self._all_names()

    def _table(self, purpose: str, length: int) -> RowSorter:
        key = (purpose, length)
        if key not in self._tables:
            self._tables[key] = RowSorter(length + TAIL.size, self._scratch)
        return self._tables[key]

    def _all_names(self) -> Iterator[bytes]:
        if self._names is not None:
            self._names.seek(0)
            while piece := self._names.read(_PIECE):
                yield piece


class _Sizes:
    """The distinct sizes that the rows of a table state."""

    def __init__(self, scratch: Path | None) -> None:
        self._sorter = RowSorter(_SIZE.size, scratch)
        self._any = False

    def seen(self, table: RowSorter, digest_bytes: int) -> Iterator[bytes]:
        """The rows of a table in order, of which the sizes are kept."""
        row = Struct(f"<{digest_bytes}xQ{TAIL.size - 8}x")
        for rows in table:
            data = b"".join(rows)
            if not self._any:
                sizes = {size for (size,) in row.iter_unpack(data)}
                self._any = ANY_SIZE in sizes
                self._sorter.extend(map(_SIZE.pack, sizes))
            yield data

    def packed(self) -> Iterator[bytes]:
        """They; where some row fits any size, no other says more."""
        if self._any:
            yield array("Q", [ANY_SIZE]).tobytes()
            return
        for packed in self._sorter:
            each = dict.fromkeys(packed)
            yield array("Q", (size for (size,) in map(_SIZE.unpack, each))).tobytes()

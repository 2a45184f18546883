"""How a log's files follow from its entries: pure, for whoever writes a log or recomputes one.

Entries go in one after the other; out come the files that are final, and at the end those that
are not full.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tocsin.transparency.merkle import CompactRange, Node, leaf_hash
from tocsin.transparency.tiles import (
    ENTRIES,
    HEIGHT,
    WIDTH,
    Tile,
    encode_entries,
    encode_hashes,
    hash_in,
    tile_with,
)


class TileFile(NamedTuple):
    """A file of a log and what is in it."""

    tile: Tile
    content: bytes


class Growth:
    """A log that grows.

    Args:
        size: entries so far.
        edge: hashes of the tiles that are not full, by their level.
        bundle: entries of the bundle that is not full.
    """

    def __init__(
        self,
        size: int = 0,
        edge: Mapping[int, Sequence[bytes]] | None = None,
        bundle: Sequence[bytes] = (),
    ) -> None:
        self._edge = {level: list(hashes) for level, hashes in (edge or {}).items()}
        self._bundle = list(bundle)
        self._begun_at = size
        self._tree = CompactRange.load(size, lambda nodes: [self._stored(n, size) for n in nodes])

    def _stored(self, node: Node, size: int) -> bytes:
        tile = tile_with(node, size)
        return hash_in(tile, self._edge[tile.level], node)

    @property
    def size(self) -> int:
        """Entries so far."""
        return self._tree.size

    def root(self) -> bytes:
        """The root over them."""
        return self._tree.root()

    def add(self, entry: bytes) -> list[TileFile]:
        """Add an entry.

        Returns:
            The files that became full by it.

        Raises:
            MalformedNote: the entry is too long; nothing was added.
        """
        encode_entries((entry,))
        size = self._tree.size
        self._bundle.append(entry)
        files = []
        if len(self._bundle) == WIDTH:
            files.append(TileFile(Tile(ENTRIES, size // WIDTH), encode_entries(self._bundle)))
            self._bundle.clear()
        for node, value in self._tree.append(leaf_hash(entry)):
            level, row = divmod(node.level, HEIGHT)
            if row:
                continue
            hashes = self._edge.setdefault(level, [])
            hashes.append(value)
            if len(hashes) == WIDTH:
                files.append(TileFile(Tile(level, node.place // WIDTH), encode_hashes(hashes)))
                hashes.clear()
        return files

    def partial(self) -> Iterator[TileFile]:
        """The files that are not full and that the log did not have when it began to grow."""
        size = self._tree.size
        if self._bundle and size > self._begun_at:
            tile = Tile(ENTRIES, size // WIDTH, len(self._bundle))
            yield TileFile(tile, encode_entries(self._bundle))
        for level, hashes in sorted(self._edge.items()):
            held = size >> (HEIGHT * level)
            if hashes and held > self._begun_at >> (HEIGHT * level):
                yield TileFile(Tile(level, held // WIDTH, len(hashes)), encode_hashes(hashes))

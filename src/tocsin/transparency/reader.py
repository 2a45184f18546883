"""Reading a log that may lie: every hash and every entry is checked against the checkpoint.

The tiles at the tree's right edge give its root; a full tile is believed when its hash stands in
the tile above it, up to that edge. So whatever comes from here is what the checkpoint's signers
vouch for, whoever stores the files.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from tocsin.transparency.errors import LogDamaged, MalformedNote
from tocsin.transparency.merkle import (
    Node,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_hash,
)
from tocsin.transparency.note import MAX_NOTE_BYTES
from tocsin.transparency.tiles import (
    CHECKPOINT,
    ENTRIES,
    WIDTH,
    Tile,
    complete_hash,
    decode_entries,
    decode_hashes,
    edge_tiles,
    encode_entries,
    encode_hashes,
    hash_in,
    tile_at,
    tile_with,
)
from tocsin.transparency.tree_head import Checkpoint

_KEPT_TILES = 64
_Read = TypeVar("_Read")


class Fetch(Protocol):
    """Gets a file of a log.

    Args:
        path: from the log's folder, with slashes.
        limit: bytes; a longer file must not be returned.

    Raises:
        FileNotFoundError: there is no such file.
        TocsinError: it could not be had.
    """

    def __call__(self, path: str, limit: int) -> bytes:
        """Get it."""


def folder_fetch(folder: Path) -> Fetch:
    """Gets the files of a log that lies in a folder."""

    def fetch(path: str, limit: int) -> bytes:
        place = folder / path
        try:
            with place.open("rb") as file:
                data = file.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(f"{place}: there is no such file") from None
        except OSError as error:
            raise LogDamaged(f"{place}: {error.strerror or error}") from error
        if len(data) > limit:
            raise LogDamaged(f"{place}: it is longer than {limit:,} bytes")
        return data

    return fetch


def fetch_checkpoint(fetch: Fetch) -> bytes:
    """The checkpoint that a log shows, which says nothing until it is opened.

    Raises:
        LogDamaged: there is none.
    """
    try:
        return fetch(CHECKPOINT, MAX_NOTE_BYTES)
    except FileNotFoundError as error:
        raise LogDamaged(f"there is no log here: {error}") from error


class LogReader:
    """Reads a log as a checkpoint has it.

    Args:
        fetch: gets its files.
        head: that was verified.
        own: gets files that are here already; asked first, and `fetch` where they are missing or
            wrong.

    Raises:
        LogDamaged: the files at the tree's edge are missing or do not give its root.
    """

    def __init__(self, fetch: Fetch, head: Checkpoint, *, own: Fetch | None = None) -> None:
        self.head = head
        self._sources = (fetch,) if own is None else (own, fetch)
        self._kept: OrderedDict[Tile, list[bytes]] = OrderedDict()
        self._edge: dict[Tile, list[bytes]] = self._first_right(self._read_edge)

    def _first_right(self, read: Callable[[Fetch], _Read]) -> _Read:
        """What is read from the first source that has it right; the last one's error, else."""
        for source in self._sources[:-1]:
            with suppress(LogDamaged):
                return read(source)
        return read(self._sources[-1])

    def _read_edge(self, fetch: Fetch) -> dict[Tile, list[bytes]]:
        head = self.head
        edge = {tile: decode(fetch_tile(fetch, tile), tile) for tile in edge_tiles(head.size)}

        def hashes(nodes: Sequence[Node]) -> list[bytes]:
            tiles = [tile_with(node, head.size) for node in nodes]
            return [hash_in(t, edge[t], node) for t, node in zip(tiles, nodes, strict=True)]

        if root_hash(head.size, hashes) != head.root:
            raise LogDamaged(
                f"the tiles of {head.origin} do not give the root that its checkpoint has"
            )
        return edge

    def edge(self) -> dict[int, list[bytes]]:
        """Hashes of the tiles that are not full, by their level."""
        return {tile.level: list(hashes) for tile, hashes in self._edge.items()}

    def tile(self, tile: Tile) -> list[bytes]:
        """The hashes of a hash tile of this tree, checked.

        Raises:
            LogDamaged: it is missing, or not what the tree has there.
        """
        unknown = []
        held = self._held(tile)
        while held is None:  # the tiles at the edge are known, and the topmost is one of them
            unknown.append(tile)
            up = tile.parent
            tile = tile_at(up.level, up.place, self.head.size)
            held = self._held(tile)
        for each in reversed(unknown):
            held = self._below(each, held[each.place % WIDTH])
            self._kept[each] = held
        while len(self._kept) > _KEPT_TILES:
            self._kept.popitem(last=False)
        return held

    def _below(self, tile: Tile, expected: bytes) -> list[bytes]:
        def read(fetch: Fetch) -> list[bytes]:
            hashes = decode(fetch_tile(fetch, tile), tile)
            if complete_hash(hashes) != expected:
                raise LogDamaged(f"{tile.path}: it is not what the log's tree has there")
            return hashes

        return self._first_right(read)

    def _held(self, tile: Tile) -> list[bytes] | None:
        if tile in self._kept:
            self._kept.move_to_end(tile)
            return self._kept[tile]
        return self._edge.get(tile)

    def hashes(self, nodes: Sequence[Node]) -> list[bytes]:
        """Hashes of nodes of this tree, checked.

        Raises:
            LogDamaged: a tile is missing or wrong.
        """
        return [
            hash_in(tile, self.tile(tile), node)
            for node, tile in ((node, tile_with(node, self.head.size)) for node in nodes)
        ]

    def inclusion_proof(self, index: int) -> list[bytes]:
        """Show that an entry is in this tree.

        Raises:
            BadProof: there is no such entry.
            LogDamaged: a tile is missing or wrong.
        """
        return inclusion_proof(index, self.head.size, self.hashes)

    def consistency_proof(self, old: int) -> list[bytes]:
        """Show that this tree began as one of `old` entries, which is not empty.

        Raises:
            BadProof: that tree is empty or larger than this one.
            LogDamaged: a tile is missing or wrong.
        """
        return consistency_proof(old, self.head.size, self.hashes)

    def root_at(self, size: int) -> bytes:
        """The root when the log had this many entries.

        Raises:
            LogDamaged: a tile is missing or wrong, or the log never had so many.
        """
        if size > self.head.size:
            raise LogDamaged(f"the log has {self.head.size} entries, not {size}")
        return root_hash(size, self.hashes)

    def entry(self, index: int) -> bytes:
        """One entry, checked.

        Raises:
            LogDamaged: there is none, or a file is missing or wrong.
        """
        return next(self.entries(index, index + 1))

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Entries from `start` up to but not including `end`, checked, one bundle at a time.

        Raises:
            LogDamaged: there are not so many, or a file is missing or wrong.
        """
        end = self.head.size if end is None else end
        if not 0 <= start <= end <= self.head.size:
            raise LogDamaged(f"the log has {self.head.size} entries, not {start} to {end}")
        while start < end:
            place = start // WIDTH
            bundle = self.bundle(place)
            last = min(end, (place + 1) * WIDTH)
            yield from bundle[start - place * WIDTH : last - place * WIDTH]
            start = last

    def bundle(self, place: int) -> list[bytes]:
        """The entries of one bundle, checked.

        Raises:
            LogDamaged: it is missing or wrong.
        """
        size = self.head.size
        if not 0 <= place * WIDTH < size:
            raise LogDamaged(f"the log has {size} entries, and no bundle {place}")
        tile = tile_at(ENTRIES, place, size)
        leaves = self.tile(tile_at(0, place, size))

        def read(fetch: Fetch) -> list[bytes]:
            entries = _decoded_entries(fetch_tile(fetch, tile), tile)
            if [leaf_hash(entry) for entry in entries] != leaves:
                raise LogDamaged(f"{tile.path}: its entries are not what the log's tree has there")
            return entries

        return self._first_right(read)

    def index_of(self, entry: bytes, *, start: int = 0) -> int | None:
        """Where an entry is in the log, or None; every tile of leaves is read from `start` on.

        Raises:
            LogDamaged: a tile is missing or wrong.
        """
        wanted = leaf_hash(entry)
        for place in range(start // WIDTH, (self.head.size + WIDTH - 1) // WIDTH):
            for offset, value in enumerate(self.tile(tile_at(0, place, self.head.size))):
                index = place * WIDTH + offset
                if value == wanted and index >= start:
                    return index
        return None


def fetch_tile(fetch: Fetch, tile: Tile) -> bytes:
    """A tile's content, cut from the full tile where only that is there; not checked.

    Raises:
        LogDamaged: it is missing.
    """
    try:
        return fetch(tile.path, tile.max_bytes)
    except FileNotFoundError as error:
        missing = error
    if tile.width < WIDTH:
        try:
            return _cut(fetch(tile.full.path, tile.full.max_bytes), tile)
        except FileNotFoundError:
            pass
    raise LogDamaged(f"{tile.path}: it is missing from the log") from missing


def _cut(data: bytes, tile: Tile) -> bytes:
    if tile.level == ENTRIES:
        return encode_entries(_decoded_entries(data, tile.full)[: tile.width])
    return encode_hashes(decode(data, tile.full)[: tile.width])


def decode(data: bytes, tile: Tile) -> list[bytes]:
    """The hashes in a tile's content.

    Raises:
        LogDamaged: it is no such tile.
    """
    try:
        return decode_hashes(data, tile)
    except MalformedNote as error:
        raise LogDamaged(str(error)) from error


def _decoded_entries(data: bytes, tile: Tile) -> list[bytes]:
    try:
        return decode_entries(data, tile)
    except MalformedNote as error:
        raise LogDamaged(str(error)) from error

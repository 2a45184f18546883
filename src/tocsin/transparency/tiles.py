"""Tiles: a log's hashes and entries as static files, by path and by content.

A hash tile holds up to 256 neighbouring hashes of one height; a bundle holds the entries under a
tile of the lowest level. What is not full yet lies under a path that says how much it holds, so
no file ever changes.

Specification: C2SP tlog-tiles.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tocsin.transparency.coding import HASH_BYTES, MAX_SIZE
from tocsin.transparency.errors import MalformedNote
from tocsin.transparency.merkle import Node, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
CHECKPOINT = "checkpoint"
MAX_ENTRY_BYTES = 0xFFFF
_LENGTH = struct.Struct(">H")
ENTRIES = -1
"""The level that stands for bundles."""

_MAX_LEVEL = 7
_PATH = re.compile(
    r"tile/(?P<level>entries|[0-7])/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


class Tile(NamedTuple):
    """One file of a log.

    Attributes:
        level: of its hashes: those of level L span 256^L entries each; `ENTRIES` for a bundle.
        place: which of its level, from the left.
        width: how many hashes or entries it holds, 1 to 256.
    """

    level: int
    place: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it lies, from the log's folder."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        digits = str(self.place)
        digits = digits.zfill((len(digits) + 2) // 3 * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        index = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
        partial = f".p/{self.width}" if self.width < WIDTH else ""
        return f"tile/{level}/{index}{partial}"

    @property
    def full(self) -> Tile:
        """The same tile when it is full."""
        return Tile(self.level, self.place)

    @property
    def max_bytes(self) -> int:
        """Bytes beyond which a file cannot be this tile."""
        if self.level == ENTRIES:
            return self.width * (_LENGTH.size + MAX_ENTRY_BYTES)
        return self.width * HASH_BYTES

    @property
    def parent(self) -> Tile:
        """The full-width tile one level up that this one, when full, is hashed into."""
        return Tile(max(self.level, 0) + 1, self.place >> HEIGHT)


def parse_path(path: str) -> Tile:
    """The tile that lies at a path.

    Raises:
        MalformedNote: none does, or it has another path by which it goes.
    """
    match = _PATH.fullmatch(path) if path.isascii() and len(path) < 64 else None
    if match is None:
        raise MalformedNote("this is no path of a tile")
    level = ENTRIES if match["level"] == "entries" else int(match["level"])
    place = int(match["index"].replace("/", "").replace("x", ""))
    tile = Tile(level, place, int(match["width"] or WIDTH))
    if tile.path != path:
        raise MalformedNote("this is no path of a tile")
    return tile


def tile_at(level: int, place: int, size: int) -> Tile:
    """A tile as it is in a tree of a size; without any hash in it, it is not there at all.

    Raises:
        MalformedNote: the tree has no such tile.
    """
    held = (size >> (HEIGHT * max(level, 0))) - place * WIDTH
    if held <= 0:
        raise MalformedNote(f"a log of {size} entries has no tile {place} at level {level}")
    return Tile(level, place, min(held, WIDTH))


def tiles_of(size: int, *, grown_from: int = 0) -> Iterator[Tile]:
    """All files of a log, entries first; with `grown_from`, those that a smaller log lacks."""
    for level in range(ENTRIES, _MAX_LEVEL + 1):
        unit = HEIGHT * max(level, 0)
        held, before = size >> unit, grown_from >> unit
        if held == before:
            continue
        for place in range(before // WIDTH, (held + WIDTH - 1) // WIDTH):
            yield Tile(level, place, min(held - place * WIDTH, WIDTH))


def edge_tiles(size: int) -> list[Tile]:
    """The hash tiles of a tree that are not full; together they give its root."""
    tiles = []
    for level in range(_MAX_LEVEL + 1):
        held = size >> (HEIGHT * level)
        if held % WIDTH:
            tiles.append(Tile(level, held // WIDTH, held % WIDTH))
    return tiles


def tile_with(node: Node, size: int) -> Tile:
    """The tile of a tree from whose hashes a node's follows."""
    level, row = divmod(node.level, HEIGHT)
    return tile_at(level, (node.place << row) // WIDTH, size)


def hash_in(tile: Tile, hashes: Sequence[bytes], node: Node) -> bytes:
    """A node's hash from the hashes of its tile."""
    row = node.level - tile.level * HEIGHT
    first = (node.place << row) - tile.place * WIDTH
    return complete_hash(hashes[first : first + (1 << row)])


def complete_hash(hashes: Sequence[bytes]) -> bytes:
    """The hash over a power of two of neighbours."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


# --- contents ------------------------------------------------------------------------------


def encode_hashes(hashes: Sequence[bytes]) -> bytes:
    """A hash tile's content."""
    return b"".join(hashes)


def decode_hashes(data: bytes, tile: Tile) -> list[bytes]:
    """The hashes in a tile's content.

    Raises:
        MalformedNote: it has not the length that it must.
    """
    if len(data) != tile.width * HASH_BYTES:
        raise MalformedNote(
            f"{tile.path}: it must have {tile.width * HASH_BYTES:,} bytes, and has {len(data):,}"
        )
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """A bundle's content.

    Raises:
        MalformedNote: an entry is too long for a log.
    """
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise MalformedNote(
                f"an entry has {len(entry):,} bytes; a log takes at most {MAX_ENTRY_BYTES:,}"
            )
    return b"".join(_LENGTH.pack(len(entry)) + entry for entry in entries)


def decode_entries(data: bytes, tile: Tile) -> list[bytes]:
    """The entries in a bundle's content.

    Raises:
        MalformedNote: it does not hold exactly as many as its path says.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        if len(entries) == tile.width or at + _LENGTH.size > len(data):
            raise MalformedNote(f"{tile.path}: it has more in it than {tile.width} entries")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            raise MalformedNote(f"{tile.path}: an entry is cut short")
        entries.append(data[at : at + length])
        at += length
    if len(entries) != tile.width:
        raise MalformedNote(f"{tile.path}: it holds {len(entries)} entries, not {tile.width}")
    return entries


assert MAX_SIZE.bit_length() < HEIGHT * (_MAX_LEVEL + 1)

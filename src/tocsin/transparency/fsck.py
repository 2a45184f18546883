"""Checking every file of a log against its checkpoint, and saying which ones are wrong.

Every leaf's hash is computed from its entry and every tile's from the one below it, up to the
root that was signed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tocsin.transparency.errors import LogDamaged, MalformedNote
from tocsin.transparency.reader import Fetch, LogReader, fetch_tile, folder_fetch
from tocsin.transparency.tiles import (
    ENTRIES,
    Tile,
    encode_entries,
    encode_hashes,
    parse_path,
    tile_at,
    tiles_of,
)
from tocsin.transparency.tree_head import Checkpoint

_EVERY = 64


@dataclass(frozen=True)
class Fsck:
    """What came of checking a log.

    Attributes:
        files: that belong to the tree, or did when it was smaller, and were checked.
        damaged: what is wrong, one sentence a file.
        beyond: files under `tile/` that do not belong to the tree: an append that was cut off
            left them, or somebody put them there. They harm nothing.
    """

    files: int
    damaged: tuple[str, ...]
    beyond: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether the log is whole."""
        return not self.damaged


def fsck(
    folder: Path, head: Checkpoint, *, observe: Callable[[int], None] = lambda _: None
) -> Fsck:
    """Check every file of a log.

    Args:
        folder: the log's.
        head: of the checkpoint, whose signature the caller has checked or does without.
        observe: is told now and then how many files were looked at.
    """
    fetch = folder_fetch(folder)
    damaged: list[str] = []
    try:
        reader = LogReader(fetch, head)
    except LogDamaged as error:
        return Fsck(0, (f"{error}; nothing under it can be checked",), ())
    belonging: set[str] = set()
    for tile in tiles_of(head.size):
        belonging.add(tile.path)
        if len(belonging) % _EVERY == 0:
            observe(len(belonging))
        try:
            _content(reader, tile)
        except LogDamaged as error:
            damaged.append(str(error))
    beyond = []
    for path in _paths(folder):
        if path in belonging:
            continue
        older = _older(path, head.size)
        if older is None:
            beyond.append(path)
            continue
        belonging.add(path)
        try:
            _check_older(reader, fetch, older)
        except LogDamaged as error:
            damaged.append(str(error))
    return Fsck(len(belonging), tuple(dict.fromkeys(damaged)), tuple(sorted(beyond)))


def _content(reader: LogReader, tile: Tile) -> list[bytes]:
    """What the tree has in a tile of it, checked."""
    return reader.bundle(tile.place) if tile.level == ENTRIES else reader.tile(tile)


def _older(path: str, size: int) -> Tile | None:
    """The tile at a path, where the tree had it when it was smaller."""
    try:
        tile = parse_path(path)
        return tile if tile.width < tile_at(tile.level, tile.place, size).width else None
    except MalformedNote:
        return None


def _check_older(reader: LogReader, fetch: Fetch, tile: Tile) -> None:
    now = tile_at(tile.level, tile.place, reader.head.size)
    expected = _content(reader, now)[: tile.width]
    encode = encode_entries if tile.level == ENTRIES else encode_hashes
    if fetch_tile(fetch, tile) != encode(expected):
        raise LogDamaged(f"{tile.path}: it is not what the log's tree had there")


def _paths(folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder / "tile"):
        folders.sort()
        for name in sorted(names):
            yield os.path.relpath(os.path.join(place, name), folder)

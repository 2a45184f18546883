"""Tiles: their paths, their contents, and reading a log that may lie."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transparency_samples import ORIGIN, Tree, entries

from tocsin.transparency.errors import LogDamaged, MalformedNote
from tocsin.transparency.growth import Growth
from tocsin.transparency.merkle import verify_consistency, verify_inclusion
from tocsin.transparency.reader import LogReader
from tocsin.transparency.tiles import (
    ENTRIES,
    Tile,
    decode_entries,
    decode_hashes,
    edge_tiles,
    encode_entries,
    parse_path,
    tiles_of,
)
from tocsin.transparency.tree_head import Checkpoint


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(0, 0), "tile/0/000"),
        (Tile(ENTRIES, 273, 112), "tile/entries/273.p/112"),
        (Tile(2, 0, 1), "tile/2/000.p/1"),
        (Tile(0, 1000), "tile/0/x001/000"),
    ],
)
def test_paths_of_the_specification(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@given(st.integers(-1, 7), st.integers(0, (1 << 55) - 1), st.integers(1, 256))
def test_every_tile_has_one_path(level: int, place: int, width: int) -> None:
    tile = Tile(level, place, width)
    assert parse_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "tile/0/0",
        "tile/0/x000/000",
        "tile/00/000",
        "tile/8/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/../../checkpoint",
        "tile/0/٠٠٠",
        "tile/0/000\n",
        "tile/0/" + "x000/" * 100 + "000",
    ],
)
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(MalformedNote):
        parse_path(path)


def test_the_tree_of_the_specification() -> None:
    """70,000 entries, as tlog-tiles counts their tiles."""
    tiles = list(tiles_of(70_000))
    hashes = [tile for tile in tiles if tile.level != ENTRIES]
    assert [tile for tile in hashes if tile.width < 256] == [
        Tile(0, 273, 112),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]
    assert sum(tile.level == 0 and tile.width == 256 for tile in hashes) == 273
    assert sum(tile.level == 1 and tile.width == 256 for tile in hashes) == 1
    assert edge_tiles(256) == [Tile(1, 0, 1)]


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_are_read_as_they_are_written(held: list[bytes]) -> None:
    tile = Tile(ENTRIES, 0, len(held))
    assert decode_entries(encode_entries(held), tile) == held


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"\0\1", b"\0\1ab", b"\0\1a\0", b"\0\1a\0\1", b"\0\1a\0\0\0\0"],
)
def test_what_is_no_bundle_of_two(data: bytes) -> None:
    with pytest.raises(MalformedNote):
        decode_entries(data, Tile(ENTRIES, 0, 2))


def test_an_entry_has_at_most_65535_bytes() -> None:
    assert decode_entries(encode_entries([b"a" * 65_535]), Tile(ENTRIES, 0, 1))
    with pytest.raises(MalformedNote, match="65,535"):
        Growth().add(b"a" * 65_536)


@pytest.mark.parametrize("size", [0, 31, 33, 8192])
def test_hash_tiles_have_one_length(size: int) -> None:
    with pytest.raises(MalformedNote):
        decode_hashes(b"a" * size, Tile(0, 0, 1))


# --- growing and reading --------------------------------------------------------------------

SIZES = (1, 2, 255, 256, 257, 512, 700)
LEAVES = entries(700)
TREE = Tree(LEAVES)


def grown(size: int) -> dict[str, bytes]:
    """All files that a log writes which grows to each of the sizes."""
    files: dict[str, bytes] = {}
    growth, done = Growth(), 0
    for stop in [*(each for each in SIZES if each < size), size]:
        new = [file for entry in LEAVES[done:stop] for file in growth.add(entry)]
        done = stop
        new += growth.partial()
        for file in new:
            assert files.setdefault(file.tile.path, file.content) == file.content
    assert growth.root() == TREE.roots[size]
    return files


FILES = grown(700)


def fetcher(files: dict[str, bytes]) -> Callable[[str, int], bytes]:
    def fetch(path: str, limit: int) -> bytes:
        if path not in files:
            raise FileNotFoundError(path)
        if len(files[path]) > limit:
            raise LogDamaged(f"{path}: it is longer than {limit} bytes")
        return files[path]

    return fetch


def reader(size: int = 700, files: dict[str, bytes] = FILES) -> LogReader:
    return LogReader(fetcher(files), Checkpoint(ORIGIN, size, TREE.roots[size]))


@pytest.mark.parametrize("size", SIZES)
def test_a_log_has_the_files_that_it_must(size: int) -> None:
    files = grown(size)
    assert {tile.path for tile in tiles_of(size)} <= set(files)
    assert list(reader(size, files).entries()) == LEAVES[:size]


@pytest.mark.parametrize("size", SIZES)
def test_old_checkpoints_are_read_from_a_log_that_grew(size: int) -> None:
    """Also where the partial tiles went that a full one replaces: the specification allows it."""
    pruned = {
        path: content
        for path, content in FILES.items()
        if parse_path(path).width == 256 or parse_path(path).full.path not in FILES
    }
    assert len(pruned) < len(FILES)
    for files in (FILES, pruned):
        assert list(reader(size, files).entries()) == LEAVES[:size]


@given(st.integers(1, 700), st.data())
@settings(max_examples=60, deadline=None)
def test_proofs_come_from_tiles(old: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, 699))
    whole = reader()
    verify_inclusion(
        TREE.hashes([leaf(index)])[0], index, 700, whole.inclusion_proof(index), TREE.roots[700]
    )
    proof = whole.consistency_proof(old)
    verify_consistency(old, TREE.roots[old], 700, TREE.roots[700], proof)
    assert whole.root_at(old) == TREE.roots[old]
    assert whole.entry(index) == LEAVES[index]
    assert whole.index_of(LEAVES[index]) == index


def leaf(index: int):
    from tocsin.transparency.merkle import Node

    return Node(0, index)


USED = sorted(tile.path for tile in tiles_of(700))


@pytest.mark.parametrize("path", USED)
def test_every_altered_file_is_found(path: str) -> None:
    for content in (
        FILES[path][:-1],
        FILES[path] + b"a",
        FILES[path][:-1] + bytes([FILES[path][-1] ^ 1]),
        b"",
        FILES[path][32:] + FILES[path][:32],
        b"a" * (20 << 20),
    ):
        if content == FILES[path]:
            continue
        with pytest.raises(LogDamaged):
            list(read_all(reader(files={**FILES, path: content})))


@pytest.mark.parametrize("path", USED)
def test_every_missing_file_is_found(path: str) -> None:
    rest = {name: content for name, content in FILES.items() if name != path}
    with pytest.raises(LogDamaged, match="missing"):
        list(read_all(reader(files=rest)))


def read_all(whole: LogReader):
    for index in (0, 255, 256, 511, 512, 699):
        yield whole.inclusion_proof(index)
    yield list(whole.entries())


def test_a_root_that_is_another_is_found_at_once() -> None:
    with pytest.raises(LogDamaged, match="root"):
        LogReader(fetcher(FILES), Checkpoint(ORIGIN, 700, TREE.roots[699]))


def test_a_size_that_nobody_could_have_is_refused_at_once() -> None:
    with pytest.raises(LogDamaged):
        LogReader(fetcher(FILES), Checkpoint(ORIGIN, (1 << 63) - 1, TREE.roots[700]))


@pytest.mark.parametrize(("start", "end"), [(0, 701), (-1, 3), (5, 4)])
def test_entries_that_are_not_there(start: int, end: int) -> None:
    with pytest.raises(LogDamaged):
        list(reader().entries(start, end))
    assert reader().index_of(b"never logged") is None

"""Tiles: paths and contents are what they say they are, or this package's error says why not.

The first byte decides whether the rest is a path, a bundle, one as it comes packed, or the files of
a log in one piece; a log that was altered never gives another entry than the true one.
"""

from __future__ import annotations

import gzip
from contextlib import suppress

import fuzz_support

from tocsin.errors import TocsinError
from tocsin.transparency.growth import Growth
from tocsin.transparency.http_fetch import unpacked
from tocsin.transparency.reader import LogReader
from tocsin.transparency.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    decode_entries,
    encode_entries,
    parse_path,
)
from tocsin.transparency.tree_head import Checkpoint

_MOST = 1000
_ENTRIES = [b"%d" % number for number in range(260)]


def _grown() -> tuple[dict[str, bytes], Checkpoint]:
    growth = Growth()
    files = [file for entry in _ENTRIES for file in growth.add(entry)]
    files += growth.partial()
    head = Checkpoint("example.org/log", growth.size, growth.root())
    return {file.tile.path: file.content for file in files}, head


_FILES, _HEAD = _grown()
_NAMES = sorted(_FILES)
SEEDS = [
    b"\0tile/0/x001/x234/067",
    b"\0tile/entries/000.p/17",
    b"\1" + encode_entries([b"", b"a", b"bc" * 300]),
    b"\2" + gzip.compress(b"abc", mtime=0) + gzip.compress(bytes(300), mtime=0),
    *(b"\3" + bytes([place]) + _FILES[name] for place, name in enumerate(_NAMES)),
]


def _check_log(data: bytes) -> None:
    altered = {**_FILES, _NAMES[data[0] % len(_NAMES)]: data[1:]}

    def fetch(path: str, limit: int) -> bytes:
        if path not in altered:
            raise FileNotFoundError(path)
        return altered[path][: limit + 1]

    def true(path: str, limit: int) -> bytes:
        if path not in _FILES:
            raise FileNotFoundError(path)
        return _FILES[path][: limit + 1]

    for index in (0, 255, 256, 259):
        # What is damaged here comes from where it is whole.
        assert LogReader(true, _HEAD, own=fetch).entry(index) == _ENTRIES[index]
        try:
            assert LogReader(fetch, _HEAD).entry(index) == _ENTRIES[index]
        except TocsinError as error:
            fuzz_support.require_words(error)


def check(data: bytes) -> None:
    """Read a path, a bundle, or a log of which one file was altered."""
    kind, rest = data[:1], data[1:]
    try:
        if kind == b"\0":
            path = rest.decode("utf-8", "surrogateescape")
            tile = parse_path(path)
            assert tile.path == path
            assert 1 <= tile.width <= WIDTH
        elif kind == b"\1":
            width = min(rest.count(b"\0") + 1, WIDTH)
            entries = decode_entries(rest, Tile(ENTRIES, 0, width))
            assert encode_entries(entries) == rest
        elif kind == b"\2":
            with suppress(ValueError):
                assert len(unpacked(rest, _MOST)) <= _MOST
        elif rest:
            _check_log(rest)
    except TocsinError as error:
        fuzz_support.require_words(error)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

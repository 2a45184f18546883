"""Damage done to the good samples of all formats, the same in every run."""

from __future__ import annotations

import bz2
import functools
import gzip
import importlib
import lzma
import random
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from unpack_samples import Entry, File, make_tar, make_zip

from tocsin.unpack.registry import FORMATS

TRUNCATIONS = 12
_CONTENT = b"".join(b"line %d of a text that is packed\n" % (n * n) for n in range(200))
FLIPS = 20

_HERE = Path(__file__).resolve().parent


def _tar() -> bytes:
    return make_tar([File(b"a.txt"), File(b"b/c.txt", _CONTENT)]) + bytes(1024)


def _ooxml() -> bytes:
    types = b'<?xml version="1.0"?><Types></Types>'
    parts = [(b"[Content_Types].xml", types), (b"_rels/.rels", types), (b"word/x.xml", _CONTENT)]
    return make_zip([Entry(name, data) for name, data in parts])


_SIMPLE: dict[str, Callable[[], bytes]] = {
    "zip": lambda: make_zip([Entry(), Entry(b"b.txt", _CONTENT), Entry(b"c", _CONTENT, 0)]),
    "ooxml": _ooxml,
    "gzip": lambda: gzip.compress(_CONTENT),
    "bzip2": lambda: bz2.compress(_CONTENT),
    "xz": lambda: lzma.compress(_CONTENT),
    "tar": _tar,
}
"""Samples of formats whose own tests make theirs as they go."""


def builders() -> dict[str, Callable[[], bytes]]:
    """Every sample of the folder's `*_samples.py` that a row of the table of formats names."""
    rows = {row.sample for row in FORMATS}
    found = dict(_SIMPLE)
    for path in sorted(_HERE.glob("*_samples.py")):
        samples = getattr(importlib.import_module(path.stem), "SAMPLES", {})
        found.update({name: make for name, make in samples.items() if name in rows})
    return found


@functools.cache
def good(name: str) -> bytes:
    """A sample as it should be."""
    return builders()[name]()


def kinds_of(name: str) -> list[str]:
    """What a sample can be opened as, by the table."""
    return [kind for row in FORMATS if row.sample == name for kind in row.kinds]


def truncated(name: str) -> Iterator[tuple[int, bytes]]:
    """A sample cut off at places all over it, near its end among them."""
    data = good(name)
    places = {len(data) * step // (TRUNCATIONS - 2) for step in range(1, TRUNCATIONS - 2)}
    places |= {max(0, len(data) - 1), max(0, len(data) - 30), min(len(data), 600)}
    for place in sorted(places - {len(data)}):
        yield place, data[:place]


def flipped(name: str) -> Iterator[tuple[int, bytes]]:
    """A sample with one bit turned over: half of them in its first kilobyte."""
    data = good(name)
    chance = random.Random(zlib.crc32(name.encode()))
    for number in range(FLIPS):
        reach = min(len(data), 1024) if number % 2 else len(data)
        place = chance.randrange(reach)
        out = bytearray(data)
        out[place] ^= 1 << chance.randrange(8)
        yield place, bytes(out)

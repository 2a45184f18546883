"""Keys, trees and logs that the tests of this room share; cheap, and the same every time."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tocsin.transparency.keys import SigningKey
from tocsin.transparency.merkle import CompactRange, Node, leaf_hash
from tocsin.transparency.note import KeyType

ORIGIN = "example.org/log"
LOG_KEY = SigningKey.from_seed(ORIGIN, KeyType.ED25519, b"L" * 32)
ED25519_WITNESS = SigningKey.from_seed("w.example/ed", KeyType.ED25519_COSIGNATURE, b"E" * 32)
ML_DSA_WITNESS = SigningKey.from_seed("w.example/pq", KeyType.ML_DSA_44_COSIGNATURE, b"M" * 32)
THIRD_WITNESS = SigningKey.from_seed("w.example/third", KeyType.ED25519_COSIGNATURE, b"T" * 32)
WITNESSES = (ED25519_WITNESS, ML_DSA_WITNESS, THIRD_WITNESS)
CHEAP = 4
"""A cost of scrypt that no real key should have."""

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "tlog"


class Tree:
    """A tree in memory with all that it ever was."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.stored: dict[Node, bytes] = {}
        growing = CompactRange()
        self.roots = [growing.root()]
        for entry in entries:
            self.stored |= dict(growing.append(leaf_hash(entry)))
            self.roots.append(growing.root())

    def hashes(self, nodes: Sequence[Node]) -> list[bytes]:
        return [self.stored[node] for node in nodes]


def entries(count: int, start: int = 0) -> list[bytes]:
    return [b"entry %d" % number for number in range(start, start + count)]


def unpacked(name: str, folder: Path) -> Path:
    """An archive of vectors, unpacked; the test is skipped where it is not there."""
    archive = SHARED / name
    if not archive.exists():
        pytest.skip(f"{archive} is not here")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    (inner,) = folder.iterdir()
    return inner

#!/usr/bin/env python3
r"""Measure which four-byte sequences are common in benign files.

The index compiler looks for the rarest piece of each signature; `database/commonness.py`
tells it what is rare, from the table this script writes. Run it again when the world has
changed; it needs NumPy and a few hundred ordinary files.

    python3 tools/measure_commonness.py --pe DIR --elf DIR --text DIR \
        -o src/tocsin/database/commonness.bin

A sequence counts by the share of a class's files that hold it, and by the class in which
that share is largest. Kept are sequences in at least one file of eight.
"""

from __future__ import annotations

import argparse
import struct
import sys
import zlib
from pathlib import Path

import numpy as np

FLOOR = 1 / 8
MAX_BYTES = 4 << 20


def grams(data: bytes) -> np.ndarray:
    """Distinct four-byte sequences of a file as big-endian numbers."""
    raw = np.frombuffer(data, dtype=np.uint8).astype(np.uint32)
    if raw.size < 4:
        return np.empty(0, dtype=np.uint32)
    return np.unique((raw[:-3] << 24) | (raw[1:-2] << 16) | (raw[2:-1] << 8) | raw[3:])


def shares(files: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of a class of files, and the share of the files that holds each."""
    keys = np.empty(0, dtype=np.uint32)
    counts = np.empty(0, dtype=np.uint32)
    batch: list[np.ndarray] = []
    for number, path in enumerate(files, 1):
        batch.append(grams(path.read_bytes()[:MAX_BYTES]))
        if len(batch) == 40 or number == len(files):
            found, times = np.unique(np.concatenate(batch), return_counts=True)
            merged = np.concatenate([keys, found])
            order = np.argsort(merged, kind="stable")
            weights = np.concatenate([counts, times.astype(np.uint32)])[order]
            merged = merged[order]
            starts = np.flatnonzero(np.concatenate([[True], merged[1:] != merged[:-1]]))
            keys, counts = merged[starts], np.add.reduceat(weights, starts)
            batch = []
            print(f"{number}/{len(files)} files, {keys.size} sequences", file=sys.stderr)
    kept = counts >= max(2, FLOOR * len(files))
    return keys[kept], counts[kept] / len(files)


def main() -> int:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for kind in ("pe", "elf", "text"):
        parser.add_argument(f"--{kind}", type=Path, required=True, help="folder of such files")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    table: dict[int, int] = {}
    for folder in (arguments.pe, arguments.elf, arguments.text):
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        for key, share in zip(*(a.tolist() for a in shares(files)), strict=True):
            level = max(1, min(255, round(255 * share)))
            table[key] = max(table.get(key, 0), level)
    ordered = sorted(table)
    steps = np.diff(np.array(ordered, dtype=np.int64), prepend=0).astype(">u4").tobytes()
    planes = b"".join(steps[plane::4] for plane in range(4))
    levels = bytes(table[key] // 16 * 16 for key in ordered)
    packed = struct.pack(">I", len(ordered)) + zlib.compress(planes + levels, 9)
    arguments.output.write_bytes(packed)
    print(f"{len(ordered)} sequences, {arguments.output.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

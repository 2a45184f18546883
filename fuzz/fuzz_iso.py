"""The trees of ISO 9660 images: the contract of `tests/unpack/unpack_contract.py` holds."""

from __future__ import annotations

import fuzz_support
from iso_samples import TEXT, two_trees
from unpack_contract import check_contract

SEEDS = [
    two_trees({"r.txt": TEXT, "a.exe": b"MZ" * 99}, {"r.txt": TEXT}),
    two_trees({"r.txt": TEXT}, {"r.txt": TEXT, "a.exe": b"MZ" * 99}),
]


def check(data: bytes) -> None:
    """Walk and unpack; only the contract's errors come out."""
    check_contract("ISO9660_PRIMARY", data)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

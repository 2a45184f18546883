"""The unpacker of bzip2: the contract of `tests/unpack/unpack_contract.py` holds for any bytes."""

from __future__ import annotations

import bz2

import fuzz_support
from unpack_contract import check_contract
from unpack_samples import MIXED, TEXT

SEEDS = [bz2.compress(TEXT) + bz2.compress(MIXED), bz2.compress(b"")]


def check(data: bytes) -> None:
    """Unpack; members keep the bounds, and only the contract's errors come out."""
    check_contract("BZ", data)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

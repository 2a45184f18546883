"""The unpacker of xz: the contract of `tests/unpack/unpack_contract.py` holds for any bytes."""

from __future__ import annotations

import lzma

import fuzz_support
from unpack_contract import check_contract
from unpack_samples import MIXED, TEXT

SEEDS = [
    lzma.compress(TEXT) + lzma.compress(MIXED),
    lzma.compress(TEXT, check=lzma.CHECK_NONE) + bytes(4),
    lzma.compress(b""),
]


def check(data: bytes) -> None:
    """Unpack; members keep the bounds, and only the contract's errors come out."""
    check_contract("XZ", data)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

"""The unpacker of gzip: the contract of `tests/unpack/unpack_contract.py` holds for any bytes."""

from __future__ import annotations

import gzip

import fuzz_support
from unpack_contract import check_contract
from unpack_samples import MIXED, TEXT

SEEDS = [
    gzip.compress(TEXT) + gzip.compress(MIXED),
    gzip.compress(b""),
    b"\x1f\x8b\x08\x1f" + bytes(30),
]


def check(data: bytes) -> None:
    """Unpack; members keep the bounds, and only the contract's errors come out."""
    check_contract("GZ", data)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

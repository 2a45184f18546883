"""The unpacker of tar: the contract of `tests/unpack/unpack_contract.py` holds for any bytes."""

from __future__ import annotations

import fuzz_support
from unpack_contract import check_contract
from unpack_samples import File, make_tar, pax

SEEDS = [
    make_tar([pax(path="x/y"), File(), File(kind=b"L", data=b"long\0"), File()]),
    make_tar([pax(GNU__sparse__size="9999", GNU__sparse__map="0,9,50,9"), File(data=bytes(18))]),
]


def check(data: bytes) -> None:
    """Unpack; members keep the bounds, and only the contract's errors come out."""
    check_contract("POSIX_TAR", data)
    check_contract("OLD_TAR", data)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

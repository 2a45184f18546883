"""The unpacker of zip: the contract of `tests/unpack/unpack_contract.py` holds for any bytes."""

from __future__ import annotations

import fuzz_support
from unpack_contract import check_contract
from unpack_samples import Entry, encrypted_entry, make_zip

SEEDS = [
    make_zip([Entry(), encrypted_entry(), Entry(name=b"d/", data=b"", method=0), Entry(flags=8)]),
    make_zip([Entry(method=9, packed=b"\1\2\3")]),
    make_zip([Entry(method=6, packed=bytes(9))]),
    make_zip([Entry()], directory=False),
    make_zip([Entry(listed=False), Entry(written=False)], prefix=b"MZ"),
]


def check(data: bytes) -> None:
    """Unpack; members keep the bounds, and only the contract's errors come out."""
    check_contract("ZIP", data)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

"""The unpacker of packed programs: the contract of `tests/unpack/unpack_contract.py` holds.

Programs that run in circles are cut short by the clock of the tree.
"""

from __future__ import annotations

import fuzz_support
from packed_samples import packed, packed_twice, stubborn
from unpack_contract import check_contract

from tocsin.formats.packed import find_packed, packer
from tocsin.unpack.interface import Limits

SEEDS = [packed(), packed(wide=True), packed_twice(), stubborn(b"\x64\xa1\x30\0\0\0\xcc")]

_BRIEF = Limits(
    max_file_size=1_000_000, max_scan_size=4_000_000, max_files=200, max_depth=5, timeout=0.3
)


def check(data: bytes) -> None:
    """Recognise and unpack; only the contract's errors come out."""
    list(find_packed(data))
    packer(data)
    check_contract("PACKED", data, _BRIEF)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

"""The reader of ELF programs of UPX: the contract of `unpack_contract.py` holds for any bytes."""

from __future__ import annotations

import fuzz_support
from unpack_contract import check_contract
from upx_samples import BLOCKS, upx_elf

from tocsin.errors import FormatError
from tocsin.formats.packed import find_packed_elf
from tocsin.unpack.nrv import expand

SEEDS = [upx_elf(), upx_elf(wide=False, big=True), *BLOCKS.values()]


def check(data: bytes) -> None:
    """Unpack, and take the bytes for a stream of each method."""
    list(find_packed_elf(data))
    check_contract("UPX_ELF", data)
    for method in BLOCKS:
        try:
            out = expand(data, 4096, method, lambda: None)
        except FormatError:
            continue
        assert len(out) <= 4096


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

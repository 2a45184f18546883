"""The finder of hidden objects: what it names lies in the file, and it ends in time."""

from __future__ import annotations

import fuzz_support
from installer_samples import SAMPLES, make_elf, make_pe, make_universal
from unpack_contract import check_contract

from tocsin.formats.embedded import find_hidden, find_marks, hidden_objects

SEEDS = [
    SAMPLES["embedded"](),
    SAMPLES["universal"](),
    make_pe(b"\x90" * 99 + make_pe(signature=b"signed")),
    make_universal([make_elf()]),
]


def check(data: bytes) -> None:
    """Recognise and cut; objects do not overlap and lie in the file."""
    behind = 0
    for hidden in hidden_objects(data, find_marks(data)):
        assert behind <= hidden.start < hidden.end <= len(data)
        behind = hidden.end
    list(find_hidden(data))
    check_contract("EMBEDDED", data)
    check_contract("MACHO_UNIBIN", data)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

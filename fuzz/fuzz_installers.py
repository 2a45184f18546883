"""The unpackers of installers: the contract of `tests/unpack/unpack_contract.py` holds."""

from __future__ import annotations

import fuzz_support
from installer_samples import SAMPLES, make_installshield_veiled, make_pe
from unpack_contract import check_contract

from tocsin.formats.embedded import find_hidden

KINDS = ("AUTOIT", "INSTALLSHIELD", "ISHIELD_MSI", "INSTALLSHIELD_CAB", "INNO")
MORE_KINDS = ("PYINSTALLER", "PYZ", "ALZ", "EGG")
SEEDS = [
    *(build() for name, build in SAMPLES.items() if name not in ("embedded", "universal")),
    make_installshield_veiled([("a", b"text " * 9)]),
    make_installshield_veiled([("a", b"text " * 9)], stream=True),
    make_pe(),
]


def check(data: bytes) -> None:
    """Recognise and open as everything; only the contract's errors come out."""
    list(find_hidden(data))
    for kind in KINDS + MORE_KINDS:
        check_contract(kind, data)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

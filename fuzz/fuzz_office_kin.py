"""RTF, TNEF, shortcuts and the rest of Office's kin: the contract holds for any bytes."""

from __future__ import annotations

import fuzz_support
from office_samples import SAMPLES
from unpack_contract import check_contract

from tocsin.unpack.registry import FORMATS

KINDS = sorted(
    {kind for row in FORMATS if row.sample in SAMPLES for kind in row.kinds} - {"MSOLE2", "HWPOLE2"}
)
SEEDS = [make() for name, make in SAMPLES.items() if name not in ("ole2", "msg")]


def check(data: bytes) -> None:
    """Unpack as every kind; members keep the bounds, and only the contract's errors come out."""
    for kind in KINDS:
        check_contract(kind, data)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

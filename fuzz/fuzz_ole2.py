"""Compound files: the contract of `tests/unpack/unpack_contract.py` holds for any bytes."""

from __future__ import annotations

import fuzz_support
from office_samples import SAMPLES
from unpack_contract import check_contract

SEEDS = [SAMPLES["ole2"](), SAMPLES["msg"]()]


def check(data: bytes) -> None:
    """Unpack; members keep the bounds, and only the contract's errors come out."""
    check_contract("MSOLE2", data)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

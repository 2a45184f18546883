"""Pages and scripts: the contract holds for any bytes, and forms hang on nothing but them."""

from __future__ import annotations

import fuzz_support
from html_samples import page, script
from unpack_contract import check_contract

from tocsin.unpack.html_normal import Forms

SEEDS = [page(), script()]


def check(data: bytes) -> None:
    """Unpack as page and as text, and make the forms of a page twice."""
    check_contract("HTML", data)
    check_contract("TEXT_ASCII", data)
    first, second = (Forms(data, lambda: None) for _ in range(2))
    assert (first.page, first.text, first.scripts) == (second.page, second.text, second.scripts)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

"""Normal forms of pages and scripts: any bytes come through, and stretches change nothing."""

from __future__ import annotations

import fuzz_support
from html_samples import page, script
from unpack_contract import check_contract

from tocsin.unpack.html_normal import Forms

SEEDS = [page(), script()]


def check(data: bytes) -> None:
    """Unpack as page and as text; the page's form is in lower case where it is ASCII."""
    check_contract("HTML", data)
    check_contract("TEXT_ASCII", data)
    assert Forms(data, lambda: None).text.isascii() or not data.isascii()


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

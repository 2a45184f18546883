"""Small rulebooks: a supplier, and so many rules about its products."""

from __future__ import annotations

from pathlib import Path

from tocsin.app.law_editions import make_edition

_SUPPLIER = 'id = "acme"\nname = "Acme Security"\n'
_RULE = """id = "{name}"
title = "A measure"
authority = "An authority"
instrument = "Order"
citation = "{citation}"
jurisdiction = "US"
suppliers = ["acme"]
status = "in-force"
basis = "primary"

[[rule]]
name = "no-sale"
summary = "Nothing is sold."
kind = "prohibition"
binds = ["supplier"]
operations = ["sell"]
products = ["antivirus"]
nexus = {{ places = ["US"] }}
embedded = "excluded"
effective = {effective}
basis = "primary"
"""


def write_book(
    folder: Path,
    number: int,
    *names: str,
    checked: str = "2026-11-29",
    effective: str = "2024-07-20T00:00:00-04:00",
    citation: str = "1 A. R. 1",
) -> Path:
    """A folder with a rulebook of as many instruments as there are names, a rule in each."""
    for kind in ("rules", "suppliers"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for old in (folder / "rules").iterdir():
        old.unlink()
    (folder / "edition.toml").write_text(f"number = {number}\nchecked = {checked}\n")
    (folder / "suppliers" / "acme.toml").write_text(_SUPPLIER)
    for name in names or ("a-1",):
        text = _RULE.format(name=name, effective=effective, citation=citation)
        (folder / "rules" / f"{name}.toml").write_text(text)
    return folder


def book_bytes(folder: Path, number: int, *names: str, **how: str) -> bytes:
    """The portable form of such a rulebook."""
    return make_edition(write_book(folder / f"book-{number}", number, *names, **how)).data

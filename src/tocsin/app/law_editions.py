"""Editions of the rulebook as updates carry them: made from a folder, and tried before use.

Updates know nothing of what rules mean, and rules nothing of updates; this joins the two.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from tocsin.errors import LawError
from tocsin.jurisdiction.decide import decide
from tocsin.jurisdiction.diff import items_of
from tocsin.jurisdiction.folder import EDITION, files_of, packaged, read_folder
from tocsin.jurisdiction.question import ask
from tocsin.jurisdiction.reading import MOST_BYTES, read_edition
from tocsin.jurisdiction.rulebook import Rulebook, read_portable
from tocsin.jurisdiction.vocabulary import ALWAYS_ALLOWED, Operation, Outcome, Product
from tocsin.updates.rulebooks import Facts

MOST_RULES = 2_000
MOST_MARKS = 10_000
"""Marks and affiliates of suppliers."""

MOST_ABOUT_ONE = 500
"""Rules about one supplier: each is held against the others."""

_TRIED_PLACES = ("US", "DE", "")
_TRIED_SUPPLIERS = 100


class Made(NamedTuple):
    """An edition that was made from a folder.

    Attributes:
        data: the portable rulebook.
        files: SHA-256 of the files that it was made of, by their path in the folder.
    """

    data: bytes
    files: dict[str, str]


def make_edition(folder: Path) -> Made:
    """Make the portable rulebook of a folder: the same bytes wherever that is done.

    Raises:
        BrokenRulebook: with every mistake of every file.
        LawError: it is no rulebook, or does not say which edition it is.
    """
    try:
        if not (folder / EDITION).is_file():
            raise LawError(
                f"{folder / EDITION}: missing; it says which edition this is: number = 2, and "
                "checked = the day on which the rules were last held against their sources"
            )
        files = {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name, path in files_of(folder).items()
        }
        return Made(read_folder(folder).to_bytes(), files)
    except OSError as error:
        raise LawError(f"{error.filename or folder}: {error.strerror or error}") from error


def try_edition(data: bytes) -> Facts:
    """Read an edition and try it out, so that no command about law ends early because of it.

    Raises:
        LawError: it is no rulebook, or cannot be used.
    """
    book = read_portable(data)
    if len(book.rules) > MOST_RULES:
        raise LawError(f"the rulebook has {len(book.rules):,} rules; at most {MOST_RULES:,} fit")
    marks = sum(len(each.marker) + len(each.affiliate) for each in book.suppliers.values())
    if marks > MOST_MARKS:
        raise LawError(f"{marks:,} marks and affiliates of suppliers; at most {MOST_MARKS:,} fit")
    for supplier in book.suppliers:
        about = len(book.rules_about(supplier))
        if about > MOST_ABOUT_ONE:
            raise LawError(f"{about:,} rules about {supplier}; at most {MOST_ABOUT_ONE:,} are used")
    _answers(book)
    return facts_of(book)


def facts_of(book: Rulebook) -> Facts:
    """A rulebook as updates see it."""
    digests = {
        name: hashlib.sha256(msgspec.json.encode(item, order="sorted")).hexdigest()
        for name, item in items_of(book).items()
    }
    known = {rule.id for rule in book.rules}
    return Facts(
        book.edition.number,
        book.edition.checked,
        {
            "instruments": len(book.instruments),
            "rules": len(book.rules),
            "suppliers": len(book.suppliers),
        },
        {name: each for name, each in digests.items() if name in known},
        {name: each for name, each in digests.items() if name not in known},
    )


@cache
def packaged_number() -> int:
    """Number of the edition that comes with this program."""
    with packaged().joinpath(EDITION).open("rb") as file:
        return read_edition(file.read(MOST_BYTES), EDITION).number


def packaged_facts() -> Facts:
    """What is in the edition that comes with this program."""
    return facts_of(read_folder(packaged()))


def _answers(book: Rulebook) -> None:
    """Ask it about every operation with the products of the first suppliers.

    Raises:
        LawError: it forbids what is always allowed.
    """
    now = datetime.now(UTC)
    for supplier in list(book.suppliers)[:_TRIED_SUPPLIERS]:
        for place in _TRIED_PLACES:
            for operation in Operation:
                places = (place,) if place else ()
                question = ask(operation, Product.ANTIVIRUS, supplier, now, places=places)
                decision = decide(book, question)
                if operation in ALWAYS_ALLOWED and decision.outcome is not Outcome.ALLOWED:
                    raise LawError(f"by it {operation.value!r} is {decision.outcome.value}")
                _ = decision.next_change

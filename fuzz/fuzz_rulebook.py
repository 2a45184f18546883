"""A rulebook that came by an update: any bytes are one that can be used, or an error says why not.

The first byte decides whether the bytes are read as they are, or JSON is put into canonical form
first, so that what is wrong in it is reached.
"""

from __future__ import annotations

import json

import fuzz_support
import msgspec

from tocsin.app.law_editions import try_edition
from tocsin.errors import TocsinError
from tocsin.jurisdiction.folder import packaged, read_folder
from tocsin.jurisdiction.model import Edition
from tocsin.jurisdiction.rulebook import Rulebook, read_portable

_PACKAGED = read_folder(packaged())
_ONE = _PACKAGED.instruments["de-bsi-2022"]
_SMALL = Rulebook(
    [_ONE],
    [msgspec.structs.replace(each, marker=()) for each in _PACKAGED.suppliers.values()],
    Edition(number=2, checked=_PACKAGED.edition.checked),
).to_bytes()
SEEDS = [b"\0" + _SMALL, b"\1" + _SMALL, b"\1{}", b"\1[]"]


def _canonical(data: bytes) -> bytes:
    try:
        return msgspec.json.encode(json.loads(data), order="sorted")
    except (ValueError, TypeError, RecursionError):
        return data


def check(data: bytes) -> None:
    """Try an edition out; what is taken is written the same again."""
    content = _canonical(data[1:]) if data[:1] == b"\1" else data[1:]
    try:
        facts = try_edition(content)
    except TocsinError as error:
        fuzz_support.require_words(error)
        return
    book = read_portable(content)
    assert book.to_bytes() == content
    assert facts.version == book.edition.number


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

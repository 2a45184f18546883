"""Recognises Office packages written as one XML file, and parts that say more than their text.

Source: ISO/IEC 29500-2 and -4; OpenOffice.org's `module.dtd`.
"""

from __future__ import annotations

from collections.abc import Iterator

LINKS, MACRO_SHEET, BASIC = "OOXML_LINKS", "OOXML_MACRO_SHEET", "ODF_BASIC"

_REACH = 4096
_MARKS = (
    (b"<Relationships", LINKS),
    (b":macrosheet", MACRO_SHEET),
    (b"<macrosheet", MACRO_SHEET),
    (b"<script:module", BASIC),
)


def flat_package(data: bytes) -> Iterator[str]:
    """Name the kind when a package begins where a document's first element stands."""
    if b"<pkg:package" in data[:_REACH]:
        yield "FLAT_OPC"


def part_kinds(data: bytes) -> Iterator[str]:
    """Name the kind of a part; of relationships only those with a link outwards."""
    head = data[:_REACH]
    if not head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        return
    for mark, kind in _MARKS:
        if mark in head and (kind != LINKS or b"External" in data):
            yield kind
            return

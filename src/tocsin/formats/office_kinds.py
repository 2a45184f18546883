"""Recognises Office packages that are written as one XML file (flat OPC).

Source: ISO/IEC 29500-2, as Office saves it ("XML document").
"""

from __future__ import annotations

from collections.abc import Iterator

_REACH = 4096


def flat_package(data: bytes) -> Iterator[str]:
    """Name the kind when a package begins where a document's first element stands."""
    if b"<pkg:package" in data[:_REACH]:
        yield "FLAT_OPC"

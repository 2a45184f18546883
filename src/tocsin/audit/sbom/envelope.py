"""Bills of materials in what they travel in: an attestation, an answer of GitHub's.

In-toto statements hold one as their predicate, DSSE envelopes a statement as text in base64 (the
in-toto attestation framework; DSSE, "Envelope"), and GitHub's export of a dependency graph a member
`sbom`. Whether a signature is right is not looked at: here it is about what is inside.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any

from tocsin.audit.json_stream import members
from tocsin.audit.list_format import ListFormat
from tocsin.audit.model import Skipped
from tocsin.audit.recognise import recognise
from tocsin.audit.sbom.interface import CYCLONEDX_JSON, SPDX_3, SPDX_JSON
from tocsin.audit.source import Found, Source, content, reader, text

INSIDE = frozenset({"predicate", "sbom"})
"""Members in which a bill may stand."""

MOST_DEPTH = 4
"""Of envelopes in envelopes."""


_ITSELF = {
    "bomFormat": CYCLONEDX_JSON,
    "components": CYCLONEDX_JSON,
    "spdxVersion": SPDX_JSON,
    "packages": SPDX_JSON,
    "@graph": SPDX_3,
}
"""Members by which the document is a bill itself, whatever else is in it."""


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read the bills that are in an envelope; an attestation of something else holds none."""
    written = text(content(source))
    lines = [line for line in written.splitlines() if line.strip()]
    if len(lines) > 1 and all(line.startswith("{") and line.endswith("}") for line in lines):
        for line in lines:  # one a line, as tools hand out all that there are for an image
            yield from _opened(line.encode("utf-8", "replace"), place, 0)
    else:
        yield from _opened(written.encode("utf-8", "replace"), place, 0)


def _opened(data: bytes, place: str, depth: int) -> Iterator[Found]:
    itself: dict[str, ListFormat] = {}
    for member in members(text(data)):
        if member.key in _ITSELF:
            itself[_ITSELF[member.key].module] = _ITSELF[member.key]
        elif member.key == "payload" and isinstance(member.value, str):
            try:
                inside = base64.b64decode(member.value)
            except (binascii.Error, ValueError):
                yield Skipped(place, "the payload of an attestation is no base64")
                continue
            yield from _within(inside, place, depth)
        elif member.key in INSIDE:
            yield from within(member.value, place, depth)
    for form in itself.values():
        yield from form.read(data, place)


def within(value: Any, place: str, depth: int = 0) -> Iterator[Found]:
    """Read what stands as a member of a document.

    Args:
        value: the member's.
        place: the document.
        depth: of envelopes around it.
    """
    yield from _within(_document(value), place, depth)


def _document(value: Any) -> bytes:
    """A document that stands in another; some tools put it as text under `Data`."""
    if isinstance(value, dict) and isinstance(value.get("Data"), dict | str):
        value = value["Data"]
    written = value if isinstance(value, str) else json.dumps(value)
    return written.encode("utf-8", "replace")


def _within(data: bytes, place: str, depth: int) -> Iterator[Found]:
    form = recognise(data)
    if form is None:
        return
    if form.module != __name__:
        yield from form.read(data, place)
    elif depth >= MOST_DEPTH:
        yield Skipped(place, f"attestations are nested more than {MOST_DEPTH} deep")
    else:
        yield from _opened(data, place, depth + 1)

"""SPDX 2.2 and 2.3 as JSON, and as YAML, which has the same shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tocsin.audit.json_stream import members
from tocsin.audit.sbom.envelope import INSIDE, within
from tocsin.audit.sbom.spdx import Document
from tocsin.audit.source import Found, Source, Unreadable, content, reader, text
from tocsin.audit.yaml_tree import documents


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read a JSON document; files and snippets are passed over."""
    document = Document(place)
    broken = None
    try:
        for member in members(text(content(source)), into=("Document",)):
            if member.key in INSIDE:
                yield from within(member.value, place)
            key, value = (member.name or member.key), member.value
            for one in value if member.name and isinstance(value, list) else (value,):
                _take(document, key, one)
    except (Unreadable, RecursionError) as error:
        broken = error
    yield from document.finish()
    if broken is not None:
        raise broken


@reader
def read_yaml(source: Source, place: str) -> Iterator[Found]:
    """Read a YAML document."""
    document = Document(place)
    broken = None
    try:
        for tree in documents(text(content(source))):
            if not isinstance(tree, Mapping):
                raise Unreadable("no SPDX document: it is no mapping")
            for key, value in tree.items():
                for one in value if isinstance(value, list) else (value,):
                    _take(document, key, one)
    except Unreadable as error:
        broken = error
    yield from document.finish()
    if broken is not None:
        raise broken


def _take(document: Document, key: str, value: object) -> None:
    if key == "packages":
        document.package(value)
    elif key == "documentDescribes":
        document.described(value)
    elif key == "relationships" and isinstance(value, Mapping):
        document.relationship(
            value.get("spdxElementId"),
            value.get("relationshipType"),
            value.get("relatedSpdxElement"),
        )

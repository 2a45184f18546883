"""SPDX 2.2 and 2.3 as XML (not RDF): the names of JSON as elements, lists as elements repeated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tocsin.audit.sbom.spdx import Document
from tocsin.audit.source import Found, Source, Unreadable, content, reader
from tocsin.audit.xml_stream import Node, elements

_WANTED = frozenset({"packages", "relationships", "documentDescribes", "files", "snippets"})
_REPEATED = frozenset({"externalRefs"})


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read a document; files and snippets are passed over."""
    document = Document(place)
    broken = None
    try:
        for node in elements(content(source), _WANTED):
            if node.tag == "packages":
                document.package(_shaped(node))
            elif node.tag == "relationships":
                document.relationship(
                    node.value("spdxElementId"),
                    node.value("relationshipType"),
                    node.value("relatedSpdxElement"),
                )
            elif node.tag == "documentDescribes":
                document.described(node.text.strip())
    except Unreadable as error:
        broken = error
    yield from document.finish()
    if broken is not None:
        raise broken


def _shaped(node: Node) -> dict[str, Any]:
    shaped: dict[str, Any] = {}
    for child in node.children:
        if child.tag in _REPEATED:
            inner = {each.tag: each.text.strip() for each in child.children}
            shaped.setdefault(child.tag, []).append(inner)
        elif not child.children:
            shaped[child.tag] = child.text.strip()
    return shaped

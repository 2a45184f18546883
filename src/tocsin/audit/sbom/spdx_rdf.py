"""SPDX 2.2 and 2.3 as RDF/XML (W3C RDF 1.1 XML Syntax; the vocabulary of spdx.org/rdf/terms).

In RDF/XML elements are nodes and properties by turns, and a node may stand within a property or
apart, told by its address; what several elements say of one address is put together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tocsin.audit.sbom.spdx import Document
from tocsin.audit.source import Found, Source, Unreadable, content, reader
from tocsin.audit.xml_stream import parsed, split_name

MOST_DEPTH = 400
MOST_NODES = 5_000_000

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_NOTHING = ("http://spdx.org/rdf/terms#noassertion", "http://spdx.org/rdf/terms#none")
_TEXTS = {
    "name": "name",
    "versionInfo": "versionInfo",
    "supplier": "supplier",
    "originator": "originator",
    "downloadLocation": "downloadLocation",
    "homepage": "homepage",
    "copyrightText": "copyrightText",
    "builtDate": "builtDate",
    "releaseDate": "releaseDate",
}


class _Thing:
    """A node of the graph."""

    __slots__ = ("address", "kind", "properties")

    def __init__(self, address: str, kind: str) -> None:
        self.address = address
        self.kind = kind
        self.properties: dict[str, list[str]] = {}
        """By name: texts, and addresses of other nodes."""


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read a document; files, snippets and licences are passed over."""
    graph = _Graph()
    broken = None
    try:
        for _ in parsed(content(source), graph.start, graph.end, graph.characters):
            pass
    except Unreadable as error:
        broken = error
    document = Document(place)
    graph.tell(document)
    yield from document.finish()
    if broken is not None:
        raise broken


class _Graph:
    """Builds nodes from tags."""

    def __init__(self) -> None:
        self._things: dict[str, _Thing] = {}
        self._blank = 0
        self._stack: list[tuple[str, Any]] = []
        """Innermost last: ("node", its thing), ("property", name), ("root", None)."""
        self._text: list[str] = []
        self._value = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Of an element."""
        if len(self._stack) >= MOST_DEPTH:
            raise Unreadable(f"elements are nested more than {MOST_DEPTH} deep")
        space, tag = split_name(name)
        if space == _RDF and tag == "RDF":
            self._stack.append(("root", None))
            return
        if not self._stack or self._stack[-1][0] in ("root", "property"):
            thing = self._node(space, tag, attributes)
            if self._stack and self._stack[-1][0] == "property":
                self._value = thing.address
            self._stack.append(("node", thing))
        else:
            self._stack.append(("property", tag))
            self._value = attributes.get(f"{_RDF} resource") or attributes.get(f"{_RDF} nodeID", "")
        self._text.clear()

    def end(self, _: str) -> None:
        """Of an element."""
        what, held = self._stack.pop()
        if what == "property" and self._stack:
            owner: _Thing = self._stack[-1][1]
            value = self._value or "".join(self._text).strip()
            if value and not value.startswith(_NOTHING):
                if held == "type":
                    owner.kind = value.rpartition("#")[2]
                owner.properties.setdefault(held, []).append(value)
            self._value = ""
        elif what == "node":
            self._value = held.address
        self._text.clear()

    def characters(self, text: str) -> None:
        """Between tags; those of long texts within licences are let go at their ends."""
        if self._stack and self._stack[-1][0] == "property":
            self._text.append(text)

    def tell(self, document: Document) -> None:
        """Put packages and relationships into a document."""
        for thing in self._things.values():
            if thing.kind == "Package":
                document.package(self._package(thing))
            for kind in ("relationship", "describesPackage"):
                for address in thing.properties.get(kind, ()):
                    self._relation(document, thing, kind, address)

    def _relation(self, document: Document, thing: _Thing, kind: str, address: str) -> None:
        if kind == "describesPackage":
            document.described(address)
            return
        relation = self._things.get(address)
        if relation is None:
            return
        told = relation.properties.get("relationshipType", [""])[0]
        for other in relation.properties.get("relatedSpdxElement", ()):
            word = _camel_to_upper(told.rpartition("relationshipType_")[2])
            document.relationship(thing.address, word, other)

    def _package(self, thing: _Thing) -> dict[str, Any]:
        stated: dict[str, Any] = {
            key: thing.properties[name][0]
            for name, key in _TEXTS.items()
            if name in thing.properties
        }
        stated["SPDXID"] = thing.address
        purpose = thing.properties.get("primaryPackagePurpose", [""])[0]
        stated["primaryPackagePurpose"] = purpose.rpartition("purpose_")[2].replace("_", "-")
        references = []
        for address in thing.properties.get("externalRef", ()):
            reference = self._things.get(address)
            if reference is not None:
                references.append(
                    {
                        key: reference.properties[key][0]
                        for key in ("referenceLocator", "referenceType")
                        if key in reference.properties
                    }
                )
        stated["externalRefs"] = references
        return stated

    def _node(self, space: str, tag: str, attributes: dict[str, str]) -> _Thing:
        address = (
            attributes.get(f"{_RDF} about")
            or attributes.get(f"{_RDF} nodeID")
            or attributes.get(f"{_RDF} ID")
        )
        if not address:
            self._blank += 1
            address = f"_:{self._blank}"
        kind = "" if space == _RDF and tag == "Description" else tag
        thing = self._things.get(address)
        if thing is None:
            if len(self._things) >= MOST_NODES:
                raise Unreadable(f"more than {MOST_NODES:,} nodes; split it into several files")
            thing = self._things[address] = _Thing(address, kind)
        elif kind:
            thing.kind = kind
        for name, value in attributes.items():
            spaced, _, plain = name.rpartition(" ")
            if spaced and spaced != _RDF:  # a property written as an attribute
                thing.properties.setdefault(plain, []).append(value)
        return thing


def _camel_to_upper(word: str) -> str:
    """`staticLink` and `relationshipType_staticLink` are `STATIC_LINK` elsewhere."""
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in word).upper()

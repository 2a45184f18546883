"""An XML document taken element by element: no entities, no document type from elsewhere, bounds.

Expat calls back for every tag; what is kept is a subtree of each element that a reader asks for,
until it has been handed on.
"""

from __future__ import annotations

import codecs
import functools
from collections.abc import Collection, Iterator
from typing import Any
from xml.parsers import expat

from tocsin.audit.source import Unreadable, text

MOST_DEPTH = 200
MOST_NODES = 2_000_000
"""Elements of one subtree."""

_CHUNK = 1 << 16


class Node:
    """An element with what is in it.

    Attributes:
        tag: its name without a namespace.
        space: the namespace.
        attributes: by name without a namespace.
        children: elements in it.
        text: its own, without the children's.
    """

    __slots__ = ("attributes", "children", "space", "tag", "text")

    def __init__(self, space: str, tag: str, attributes: dict[str, str]) -> None:
        self.space = space
        self.tag = tag
        self.attributes = attributes
        self.children: list[Node] = []
        self.text = ""

    def child(self, tag: str) -> Node | None:
        """The first child of a name."""
        for child in self.children:
            if child.tag == tag:
                return child
        return None

    def all(self, tag: str) -> list[Node]:
        """All children of a name."""
        return [child for child in self.children if child.tag == tag]

    def value(self, tag: str) -> str:
        """The text of the first child of a name; empty if there is none."""
        child = self.child(tag)
        return child.text.strip() if child is not None else ""


def elements(data: bytes, wanted: Collection[str]) -> Iterator[Node]:
    """The outermost elements of some names, in the order in which they end.

    Args:
        data: of the document.
        wanted: names without namespaces; an element within a wanted one is part of that.

    Raises:
        Unreadable: it is no XML from some place on, or has what is refused.
    """
    collector = _Collector(wanted)
    for _ in parsed(data, collector.start, collector.end, collector.characters):
        yield from collector.taken()


def _hardened(start: Any, end: Any, characters: Any, encoding: str | None) -> expat.XMLParserType:
    """A parser that expands nothing; names come as `namespace name`."""
    parser = expat.ParserCreate(encoding, " ")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.EntityDeclHandler = _refuse_entities
    parser.ExternalEntityRefHandler = _refuse_entities
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    return parser


def parsed(data: bytes, start: Any, end: Any, characters: Any) -> Iterator[int]:
    """Parse piece by piece.

    Args:
        data: of the document; a byte order mark counts for more than what a declaration says.
        start: called with name and attributes; names come as `namespace name`.
        end: called with the name.
        characters: called with text.

    Yields:
        Bytes that it has had.

    Raises:
        Unreadable: it is no XML from some place on, or has what is refused.
    """
    encoding = None
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data, encoding = text(data).encode("utf-8", "replace"), "utf-8"
    parser = _hardened(start, end, characters, encoding)
    view = memoryview(data)
    try:
        at, size, reached = 0, _CHUNK, -1
        while at < len(data):
            try:
                parser.Parse(bytes(view[at : at + size]), at + size >= len(data))
            except expat.ExpatError as error:
                yield at  # what came before the break is handed on first
                raise Unreadable(
                    f"XML is broken at line {error.lineno:,}: {expat.ErrorString(error.code)}"
                ) from None
            yield at
            at += size
            # Expat begins a token that does not end in a piece anew with the next: were pieces
            # not to grow meanwhile, one of 500 MB would take hours.
            is_stuck = parser.CurrentByteIndex == reached
            size = size * 2 if is_stuck else _CHUNK
            reached = parser.CurrentByteIndex
        if not data:
            raise Unreadable("it is empty")
    except (LookupError, ValueError) as error:
        raise Unreadable(f"XML in an encoding that is not known: {error}") from None


@functools.lru_cache(1 << 10)
def split_name(name: str) -> tuple[str, str]:
    """Namespace and name of what handlers are given."""
    space, _, tag = name.rpartition(" ")
    return space, tag


def _refuse_entities(*_: Any) -> Any:
    raise Unreadable("it declares entities, which no list needs; they are not expanded")


class _Collector:
    """Builds the subtrees."""

    def __init__(self, wanted: Collection[str]) -> None:
        self._wanted = wanted
        self._depth = 0
        self._open: list[Node] = []
        self._nodes = 0
        self._finished: list[Node] = []

    def taken(self) -> list[Node]:
        """What is finished since the last time."""
        finished, self._finished = self._finished, []
        return finished

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Of an element."""
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise Unreadable(f"elements are nested more than {MOST_DEPTH} deep")
        space, tag = split_name(name)
        if not self._open and tag not in self._wanted:
            return
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise Unreadable(f"an element with more than {MOST_NODES:,} others in it")
        if attributes:
            attributes = {split_name(key)[1]: value for key, value in attributes.items()}
        node = Node(space, tag, attributes)
        if self._open:
            self._open[-1].children.append(node)
        self._open.append(node)

    def end(self, _: str) -> None:
        """Of an element."""
        self._depth -= 1
        if not self._open:
            return
        node = self._open.pop()
        if not self._open:
            self._finished.append(node)
            self._nodes = 0

    def characters(self, text: str) -> None:
        """Between tags."""
        if self._open:
            node = self._open[-1]
            node.text = node.text + text if node.text else text

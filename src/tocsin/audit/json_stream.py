"""A JSON document taken member by member, so that what stands before a break is not lost.

The parser of the standard library reads one value at a time; this walks over the outermost object
or array between them. Members that stand twice come twice: none hides the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

from tocsin.audit.source import Unreadable

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(strict=False, parse_int=float)
# A number of a million digits takes minutes as an integer, and none is needed here.


class Member(NamedTuple):
    """A value of the document.

    Attributes:
        key: of the outermost object; empty in an outermost array.
        value: the member's; for one that is an array, each of its items in turn.
        name: within an object that was asked to be walked into; else empty.
    """

    key: str
    value: Any
    name: str = ""


def members(text: str, into: Collection[str] = ()) -> Iterator[Member]:
    """Walk over a document.

    Args:
        text: of it.
        into: keys of the outermost object whose objects are walked into as well.

    Raises:
        Unreadable: it is no JSON, from some place on.
        RecursionError: a value in it is nested too deeply.
    """
    walker = _Walker(text)
    start = walker.peek()
    if start == "[":
        for value in walker.items():
            yield Member("", value)
    elif start == "{":
        for key in walker.names():
            start = walker.peek()
            if start == "[":
                for value in walker.items():
                    yield Member(key, value)
            elif start == "{" and key in into:
                for name in walker.names():
                    yield Member(key, walker.value(), name)
            else:
                yield Member(key, walker.value())
    else:
        raise Unreadable("no JSON: it begins with neither an object nor an array")
    if walker.peek().strip("\0"):
        raise Unreadable("something follows the end of the document; one file holds one")


class _Walker:
    """A place in a text that moves on."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        found = _SPACE.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return self._text[self._at : self._at + 1]

    def value(self) -> Any:
        """The value that stands here."""
        self.peek()
        try:
            value, self._at = _DECODER.raw_decode(self._text, self._at)
        except ValueError as error:
            if self._at >= len(self._text):
                raise self._broken("it ends in the middle; have it whole") from None
            raise self._broken(str(error)) from None
        return value

    def items(self) -> Iterator[Any]:
        """The items of the array that begins here."""
        yield from self._parts("]", self.value)

    def names(self) -> Iterator[str]:
        """The names of the members of the object that begins here; the caller takes each value."""
        yield from self._parts("}", self._key)

    def _parts(self, end: str, part: Callable[[], Any]) -> Iterator[Any]:
        self._at += 1
        if self.peek() == end:
            self._at += 1
            return
        while True:
            yield part()
            separator = self.peek()
            self._at += 1
            if separator == end:
                return
            if separator != ",":
                self._at -= 1
                raise self._broken(
                    f"a comma or {end} is missing" if separator else "it ends in the middle"
                )

    def _key(self) -> str:
        if self.peek() != '"':
            raise self._broken("the name of a member is missing")
        key = self.value()
        if self.peek() != ":":
            raise self._broken("a colon is missing")
        self._at += 1
        return str(key)

    def _broken(self, reason: str) -> Unreadable:
        line = self._text.count("\n", 0, self._at) + 1
        return Unreadable(f"JSON is broken at line {line:,}, character {self._at:,}: {reason}")

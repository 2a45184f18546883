"""Words that suppliers are known by, wherever they stand in a program.

One pass looks for all of them, in ASCII and in UTF-16, whatever their case; what is given is the
whole string that a word stands in. So notes, comments, resources and constants are all searched,
and where a word stood is said by whoever knows the program's parts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from tocsin.audit.model import Trace
from tocsin.audit.programs.facts import trace
from tocsin.jurisdiction.vocabulary import MarkerKind

if TYPE_CHECKING:
    import hyperscan

MOST_PLACES = 16
"""Places of one word that are looked at closely in one object."""

MOST_HITS = 1_000_000
"""Hits after which an object is not searched further."""

_SHORTEST = 4
"""Letters of a word; shorter ones stand everywhere."""
_REACH = 120
"""Characters of a string that are kept to either side of a word."""

_TEXT_BEFORE = re.compile(rb"[\x20-\x7e\x80-\xff]*\Z")
_TEXT_BEHIND = re.compile(rb"[\x20-\x7e\x80-\xff]*")
_HOST_BEFORE = re.compile(rb"[A-Za-z0-9.\-]*\Z")
_HOST_BEHIND = re.compile(rb"[A-Za-z0-9.\-]*")


class Interests(NamedTuple):
    """What is looked for: words without the characters that stand for any others.

    Attributes:
        texts: words anywhere in a string.
        hosts: domains, which may have names before them.
        packages: in names of Android packages.
    """

    texts: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


class _Word(NamedTuple):
    kind: MarkerKind
    number: int
    size: int
    is_wide: bool


class Words:
    """Looks for words.

    Args:
        interests: what is looked for.
    """

    def __init__(self, interests: Interests) -> None:
        self._words: list[_Word] = []
        patterns: dict[bytes, int] = {}
        wanted = [(MarkerKind.TEXT, text) for text in interests.texts]
        wanted += [(MarkerKind.HOST, host) for host in interests.hosts]
        for number, (kind, text) in enumerate(wanted):
            if len(text) < _SHORTEST:
                continue
            for form in {text, text.lower(), text.upper()}:  # letters beyond ASCII have cases too
                for encoding in ("utf-8", "utf-16-le"):
                    data = form.encode(encoding, "replace")
                    pattern = b"".join(b"\\x%02x" % byte for byte in data.lower())
                    if pattern not in patterns:
                        patterns[pattern] = len(self._words)
                        self._words.append(_Word(kind, number, len(data), encoding == "utf-16-le"))
        self._search = _compiled(list(patterns)) if patterns else None

    def traces(self, data: bytes, where: Callable[[int], str]) -> Iterator[Trace]:
        """Strings with one of the words in them, each once.

        Args:
            data: the object.
            where: says in words what stands at a place.
        """
        given: set[tuple[MarkerKind, str]] = set()
        for word, start in self._places(data):
            value = _host(data, word, start) if word.kind is MarkerKind.HOST else None
            if word.kind is MarkerKind.TEXT:
                value = _string(data, word, start)
            if value is not None and (word.kind, value) not in given:
                given.add((word.kind, value))
                yield from trace(word.kind, value, where(start))

    def _places(self, data: bytes) -> list[tuple[_Word, int]]:
        if self._search is None or not data:
            return []
        places: dict[int, list[int]] = {}
        seen = 0

        def found(number: int, _start: int, end: int, _flags: int, _context: object) -> bool:
            nonlocal seen
            seen += 1
            ends = places.setdefault(number, [])
            if len(ends) < MOST_PLACES:
                ends.append(end)
            return seen >= MOST_HITS

        import hyperscan

        with suppress(hyperscan.ScanTerminated):  # what is not found is drowned in the others
            self._search.scan(data, match_event_handler=found)
        return [
            (self._words[number], end - self._words[number].size)
            for number in sorted(places)
            for end in places[number]
        ]


def _compiled(patterns: list[bytes]) -> hyperscan.Database:
    import hyperscan

    search = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    search.compile(
        expressions=patterns,
        ids=list(range(len(patterns))),
        elements=len(patterns),
        flags=[hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_DOTALL] * len(patterns),
    )
    return search


def _around(
    data: bytes, word: _Word, start: int, before: re.Pattern[bytes], behind: re.Pattern[bytes]
) -> tuple[str, str, str]:
    """What belongs to a word on its left, the word, and what belongs to it on its right."""
    end = start + word.size
    if word.is_wide:
        room = min(start // 2, _REACH) * 2
        left, right = _narrow(data[start - room : start]), _narrow(data[end : end + 2 * _REACH])
    else:
        left, right = data[max(0, start - _REACH) : start], data[end : end + _REACH]
    one, other = before.search(left), behind.match(right)
    around, middle = ("latin-1", "utf-16-le") if word.is_wide else ("utf-8", "utf-8")
    return (
        (one[0] if one else b"").decode(around, "replace"),
        data[start:end].decode(middle, "replace"),
        (other[0] if other else b"").decode(around, "replace"),
    )


def _narrow(data: bytes) -> bytes:
    """UTF-16 as single bytes; a letter that takes two ends the string."""
    low, high = data[0::2], data[1::2]
    return bytes(a if not b else 0 for a, b in zip(low, high, strict=False))


def _string(data: bytes, word: _Word, start: int) -> str:
    return "".join(_around(data, word, start, _TEXT_BEFORE, _TEXT_BEHIND))


def _host(data: bytes, word: _Word, start: int) -> str | None:
    """The whole host name, if the domain is its end and begins a label."""
    left, middle, right = _around(data, word, start, _HOST_BEFORE, _HOST_BEHIND)
    if left and not left.endswith("."):
        return None
    if right.strip(".-"):
        return None
    return (left + middle).lstrip(".-").lower() or None


def literals(values: Iterable[str]) -> tuple[str, ...]:
    """Marks without the `*` at their ends, each once."""
    return tuple(dict.fromkeys(value.strip("*").strip() for value in values if value.strip("* ")))

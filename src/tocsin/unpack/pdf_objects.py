"""Where the objects of a PDF file lie: found by their headers, not by its tables.

A cross-reference table says where a viewer looks first; viewers search as soon as one does
not fit, and what no table names is a place to hide in. So all headers (`12 0 obj`) are found,
inside the data of streams too, and with them superseded and hidden objects. That is one pass
of `bytes.find`, and each further step looks at a part of the file that no other looks at.

Source: ISO 32000-1, 7.3.8 and 7.3.10.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from tocsin.unpack.interface import Budget
from tocsin.unpack.pdf_syntax import Ref, Value, parse

MOST_OBJECTS = 2_000_000
"""Objects of one file that are looked for."""

_HEADER = re.compile(rb"(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]*\Z")
_USUAL_HEADER = 40
"""Bytes before `obj` that are looked at first; blanks and comments may make it longer."""

_BLANKS = re.compile(rb"[\0\t\n\f\r ]{2,}")
_BEFORE_COMMENT = re.compile(rb"[0-9][\0\t\f ]*+%")
_LAST_DIGITS = re.compile(rb"[0-9]{1,10}\Z")
_LINE_BLANKS = b"\0\t\f "
_STREAM = re.compile(rb"stream(?:\r\n|\n|\r|)")
_WHITESPACE = b"\0\t\n\f\r "
_END_GAP = 16
"""Bytes that may stand between a stream's data and the word that ends it."""

_SMALL_OVERLAP = 1024 * 1024
"""Bytes by which streams may overlap other objects, besides twice the file's size."""

_BETWEEN_CHECKS = 4096


class Extent(NamedTuple):
    """The data of a stream.

    Attributes:
        start: position of the first byte.
        end: position behind the last one.
        cut: whether the file ends before the stream does.
    """

    start: int
    end: int
    cut: bool = False


class Found(NamedTuple):
    """One object's place.

    Attributes:
        ref: its number and generation.
        start: position behind its header.
        end: position of the next header, or the end of the file.
        stream: position of the word that begins a stream's data, or -1 when there is none.
    """

    ref: Ref
    start: int
    end: int
    stream: int


class Objects:
    """All objects of a file.

    Args:
        data: the file.
        budget: for the time.
    """

    def __init__(self, data: bytes, budget: Budget) -> None:
        self._data = data
        self._budget = budget
        self._numbers = array("Q")
        self._generations = array("L")
        self._heads = array("Q")
        self._starts = array("Q")
        self._index: dict[int, int] | None = None
        self._ends: dict[bytes, int] = {}
        self._credit = 2 * len(data) + _SMALL_OVERLAP
        self.overfull = False
        self._find()

    def __len__(self) -> int:
        return len(self._starts)

    @property
    def first(self) -> int:
        """Position of the first header, or the end of the file."""
        return self._heads[0] if self._heads else len(self._data)

    @property
    def last(self) -> int:
        """Position behind the last header, or 0."""
        return self._starts[-1] if self._starts else 0

    def _find(self) -> None:
        data = self._data
        find, header = data.find, _HEADER.search
        at = find(b"obj")
        behind = 0  # the last `obj`
        steps = 0
        while at >= 0:
            steps += 1
            if steps % _BETWEEN_CHECKS == 0:
                self._budget.check_time()
            before = data[max(0, at - _USUAL_HEADER) : at]
            if before[-1:] in b"0123456789 \r\n\t\f\0":
                found = header(before)
                if found is not None:
                    head = at - len(before) + found.start()
                    full = self._add(int(found[1]), int(found[2]), head, at + 3)
                else:
                    ref = _unusual_header(data, behind, at, self._budget)
                    full = ref is not None and self._add(*ref, at, at + 3)
                if full:
                    return
            behind = at + 3
            at = find(b"obj", behind)

    def _add(self, number: int, generation: int, head: int, start: int) -> bool:
        """Note an object; returns whether there are too many."""
        if len(self._starts) >= MOST_OBJECTS:
            self.overfull = True
            return True
        self._numbers.append(number)
        self._generations.append(generation)
        self._heads.append(head)
        self._starts.append(start)
        return False

    def __iter__(self) -> Iterator[Found]:
        data = self._data
        count = len(self._starts)
        for number in range(count):
            if number % _BETWEEN_CHECKS == 0:
                self._budget.check_time()
            start = self._starts[number]
            end = self._heads[number + 1] if number + 1 < count else len(data)
            ref = Ref(self._numbers[number], self._generations[number])
            yield Found(ref, start, end, self._stream_word(start, end))

    def _stream_word(self, start: int, end: int) -> int:
        """Where the data of an object's stream are announced, or -1.

        The word follows the dictionary. A word elsewhere is taken where there is no better
        one and data follow that have an end, because viewers are lenient.
        """
        data = self._data
        at = data.find(b"stream", start, end)
        second = -1
        while at >= 0:
            before = data[max(start, at - _END_GAP) : at]
            if before.rstrip(_WHITESPACE).endswith(b">>"):
                return at
            if before.endswith(b"end"):
                break
            if second < 0:
                second = at
            at = data.find(b"stream", at + 6, end)
        return second if at >= 0 else -1

    def extent(self, found: Found, length: Value | None) -> Extent:
        """Where the data of a stream begin and end.

        Args:
            found: an object with a stream.
            length: what its dictionary gives as its length, resolved.

        Returns:
            What the length says if the stream's end is there, else up to where its end is.
        """
        data = self._data
        word = _STREAM.match(data, found.stream)
        start = word.end() if word else found.stream + 6
        if isinstance(length, int) and 0 <= length <= len(data) - start:
            behind = data[start + length : start + length + _END_GAP]
            if behind.lstrip(_WHITESPACE).startswith(b"endstream"[: len(behind)] or b"-"):
                return self._within_credit(found, Extent(start, start + length))
        end = self._next(b"endstream", start)
        if end == len(data):
            end = self._next(b"endobj", start)
            if end == len(data):
                return self._within_credit(found, Extent(start, end, cut=True))
        if data.endswith(b"\r\n", start, end):
            end -= 2
        elif end > start and data[end - 1] in b"\r\n":
            end -= 1
        return self._within_credit(found, Extent(start, end))

    def _within_credit(self, found: Found, extent: Extent) -> Extent:
        """Cut streams off at the next object once too many of them overlap others."""
        overlap = extent.end - found.end
        if overlap <= 0:
            return extent
        self._credit -= overlap
        if self._credit >= 0:
            return extent
        return Extent(extent.start, max(extent.start, found.end), cut=True)

    def _next(self, word: bytes, start: int) -> int:
        """The next place of a word, or the end of the file.

        It is remembered, since a hostile file asks often: starts come in their order.
        """
        known = self._ends.get(word, -1)
        if known < start:
            at = self._data.find(word, start)
            known = self._ends[word] = len(self._data) if at < 0 else at
        return known

    def value(self, number: int) -> Value | None:
        """The value of an object that is no stream; of several, that of the last.

        Args:
            number: its number; generations are ignored, as viewers do.
        """
        if self._index is None:
            self._index = dict(zip(self._numbers, range(len(self._numbers)), strict=True))
        place = self._index.get(number)
        return None if place is None else self._value(place, _LONGEST_VALUE)

    def all_values(self, number: int) -> Iterator[tuple[Ref, Value]]:
        """The values of all objects of a number, however long, superseded ones too."""
        place = -1
        while True:
            try:
                place = self._numbers.index(number, place + 1)
            except ValueError:
                return
            self._budget.check_time()
            value = self._value(place, len(self._data))
            if value is not None:
                yield Ref(number, self._generations[place]), value

    def _value(self, place: int, longest: int) -> Value | None:
        start = self._starts[place]
        end = self._heads[place + 1] if place + 1 < len(self._heads) else len(self._data)
        values = parse(self._data, start, min(end, start + longest), _VALUE_TOKENS).values
        return values[0] if values else None


_VALUE_TOKENS = 1000
_LONGEST_VALUE = 4096
"""Bytes of an object that is looked up: a length, filters, parameters."""


def _unusual_header(data: bytes, low: int, at: int, budget: Budget) -> Ref | None:
    """Number and generation before `obj`, with any blanks and comments between them.

    Args:
        data: the file.
        low: position behind the `obj` before, so that no byte is looked at twice.
        at: position of the word `obj`.
        budget: for the time.
    """
    tail = data[max(low, at - _USUAL_HEADER) : at]
    bare = tail.rstrip(_WHITESPACE)
    gap = tail[len(bare) :]
    if bare and not bare[-1:].isdigit() and b"\n" not in gap and b"\r" not in gap:
        return None  # no number, and no comment that ends
    text = data[low:at].rstrip(_WHITESPACE)
    ended = len(text) < at - low and data.find(b"\n", low + len(text), at) >= 0
    ended = ended or data.find(b"\r", low + len(text), at) >= 0
    if not text[-1:].isdigit() and not (ended and b"%" in text):
        return None
    text = _BLANKS.sub(_one_blank, text.replace(b"\r", b"\n"))
    numbers: list[int] = []
    end = len(text)
    while len(numbers) < 2:
        budget.check_time()
        line = text.rfind(b"\n", 0, end) + 1
        rest = text[line:end].rstrip(_LINE_BLANKS)
        digits = _LAST_DIGITS.search(rest)
        if digits is None and ended and b"%" in rest:
            before = _BEFORE_COMMENT.search(rest)
            rest = b"" if before is None else rest[: before.end() - 1].rstrip(_LINE_BLANKS)
            if before is None and not text[line:end].lstrip(_LINE_BLANKS).startswith(b"%"):
                return None
            digits = _LAST_DIGITS.search(rest)
        if digits is not None:
            numbers.append(int(digits[0]))
            following = line + digits.start()
            if len(numbers) < 2 and following and text[following - 1] not in _WHITESPACE:
                return None
            end, ended = following, False
        elif rest:
            return None
        if digits is None or not text[line:end].strip(_LINE_BLANKS):
            if not line:
                break
            end, ended = line - 1, True
    if len(numbers) < 2 or numbers[0] > 99_999:
        return None
    return Ref(numbers[1], numbers[0])


def _one_blank(found: re.Match[bytes]) -> bytes:
    return b"\n" if b"\n" in found[0] else b" "

"""Where the objects of a PDF file lie: found by their headers, not by its tables.

A cross-reference table says where a viewer looks first; viewers search as soon as one does
not fit, and what no table names is a place to hide in. So all headers (`12 0 obj`) are found,
inside the data of streams too, and with them superseded and hidden objects. That is one pass
of `bytes.find`, and each further step looks at a part of the file that no other looks at.

What looks like a header, a stream or its end may stand in a string or a comment. Then there are
two readings, of viewers who search and of viewers who follow the notation, and both are given.
The second may look at what others look at too, within a bound that is told of.

Source: ISO 32000-1, 7.3.8 and 7.3.10.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from tocsin.unpack.interface import Budget
from tocsin.unpack.pdf_syntax import Ref, Value, Word, blanks_end, parse, value_end

MOST_OBJECTS = 2_000_000
"""Objects of one file that are looked for."""

_HEADER = re.compile(rb"(\d{1,18})[\0\t\n\f\r ]+(\d{1,18})[\0\t\n\f\r ]*\Z")
_USUAL_HEADER = 48
"""Bytes before `obj` that are looked at first; blanks and comments may make it longer."""

_STREAM = re.compile(rb"stream(?:[\0\t\f ]*(?:\r\n|\n|\r)|)")
_WHITESPACE = b"\0\t\n\f\r "
_END_GAP = 16
"""Bytes that may stand between a stream's data and the word that ends it."""

_SMALL_OVERLAP = 1024 * 1024
"""Bytes by which streams may overlap other objects, besides twice the file's size."""

_SMALL_AHEAD = 1024 * 1024
"""Bytes behind the next header that objects may be followed to, besides four times the file's."""

_MOST_CANDIDATES = 32
"""Objects of one number whose values are looked up, the first and the last of them."""

_VALUE_TOKENS = 1000
"""Tokens of an object that is looked up: a length, filters, parameters."""

_BETWEEN_CHECKS = 4096

_MOST_REMEMBERED = 1000
"""Numbers whose values are remembered."""

NULL = Word(b"null")
UNREADABLE = Word(b"?")
"""Stands among the values of a number for those that were not read."""


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

    Attributes:
        overfull: whether there are more than are looked for.
        tangled: whether more of them reach into one another than are followed.
    """

    def __init__(self, data: bytes, budget: Budget) -> None:
        self._data = data
        self._budget = budget
        self._numbers = array("Q")
        self._generations = array("L")
        self._heads = array("Q")
        self._starts = array("Q")
        self._order: array[int] | None = None
        self._values: dict[int, list[Value]] = {}
        self._ends: dict[bytes, int] = {}
        self._credit = 2 * len(data) + _SMALL_OVERLAP
        self._ahead = 4 * len(data) + _SMALL_AHEAD
        self.overfull = False
        self.tangled = False
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
                    ref = _unusual_header(data, at, self._budget)
                    full = ref is not None and self._add(*ref, at, at + 3)
                if full:
                    return
            at = find(b"obj", at + 3)

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
        for place in range(len(self._starts)):
            if place % _BETWEEN_CHECKS == 0:
                self._budget.check_time()
            start, end = self._starts[place], self._end(place)
            yield Found(self._ref(place), start, end, self._stream_word(start, end))

    def _ref(self, place: int) -> Ref:
        return Ref(self._numbers[place], self._generations[place])

    def _end(self, place: int) -> int:
        return self._heads[place + 1] if place + 1 < len(self._heads) else len(self._data)

    def _stream_word(self, start: int, end: int) -> int:
        """Where the data of an object's stream are announced, or -1.

        The word follows the dictionary. A word elsewhere is taken where there is no better
        one and data follow that have an end, because viewers are lenient.
        """
        at = self._data.find(b"stream", start, end)
        second, ended = -1, False
        while at >= 0:
            if self._follows_dictionary(start, at):
                return at
            if self._data.endswith(b"end", start, at):
                ended = ended or second >= 0
            elif second < 0:
                second = at
            at = self._data.find(b"stream", at + 6, end)
        return second if ended else -1

    def _follows_dictionary(self, start: int, at: int) -> bool:
        before = self._data[max(start, at - _END_GAP) : at]
        return before.rstrip(_WHITESPACE).endswith(b">>")

    def as_written(self, found: Found) -> Iterator[Found]:
        """An object as the notation has it, past all that only looks like its end.

        Yields:
            Nothing when it was found like that, or when its value has no end; two when what
            does not fit makes two of it.
        """
        before = -1
        for strict in (False, True):
            end, fits = self._value_end(found.start, found.end, strict=strict)
            other = None if end in (-1, before) else self._reaching_to(found, end)
            if other is not None:
                yield other
            if fits:
                return
            before = end

    def _reaching_to(self, found: Found, end: int) -> Found | None:
        """An object whose value ends at some place, unless it was found like that."""
        data = self._data
        word = blanks_end(data, end, len(data)) if data.endswith(b">>", 0, end) else end
        stream = word if data.startswith(b"stream", word) else -1
        if end <= found.end and stream in (-1, found.stream):
            return None
        return Found(found.ref, found.start, max(end, stream), stream)

    def _value_end(self, start: int, end: int, *, strict: bool) -> tuple[int, bool]:
        """Where a value ends, perhaps behind the next header; or -1. And whether all fits."""
        pause = self._budget.check_time
        found = value_end(self._data, start, end, pause, strict=strict)
        if found[0] >= 0:
            return found
        reach = min(len(self._data), end + self._ahead)
        place, fits = value_end(self._data, start, reach, pause, strict=strict)
        self._ahead -= (reach if place < 0 else place) - end
        self.tangled = self.tangled or (place < 0 and reach < len(self._data))
        return place, fits

    def behind(self, found: Found, start: int) -> Found | None:
        """A further stream behind an object's own, after a header that was not understood."""
        word = self._data.find(b"stream", start, found.end)
        while word >= 0 and not self._follows_dictionary(start, word):
            word = self._data.find(b"stream", word + 6, found.end)
        if word < 0:
            return None
        header = self._data.rfind(b"obj", start, word)
        return Found(found.ref, start if header < 0 else header + 3, found.end, word)

    def begin_anew(self) -> None:
        """Extents are asked for from the beginning again."""
        self._ends.clear()

    def extents(self, found: Found, lengths: Sequence[int]) -> list[Extent]:
        """Where the data of a stream may begin and end.

        Args:
            found: an object with a stream.
            lengths: what its dictionary gives as its length, resolved.

        Returns:
            What a length says if the stream's end is there. Else up to where its end is, and
            what is said to be longer, because some readers ask for no end.
        """
        data = self._data
        word = _STREAM.match(data, found.stream)
        start = word.end() if word else found.stream + 6
        stated = [start + length for length in lengths if 0 <= length <= len(data) - start]
        places = [Extent(start, end) for end in dict.fromkeys(stated) if self._is_end(end)]
        if not places:
            places = [self._up_to_its_end(start)]
            longest = max(stated, default=0)
            if longest > places[0].end + _END_GAP:
                places.append(Extent(start, longest))
        return [self._within_credit(found, place) for place in places]

    def _is_end(self, at: int) -> bool:
        behind = self._data[at : at + _END_GAP]
        return behind.lstrip(_WHITESPACE).startswith(b"endstream"[: len(behind)] or b"-")

    def _up_to_its_end(self, start: int) -> Extent:
        data = self._data
        end = self._next(b"endstream", start)
        if end == len(data):
            end = self._next(b"endobj", start)
            if end == len(data):
                return Extent(start, end, cut=True)
        if data.endswith(b"\r\n", start, end):
            end -= 2
        elif end > start and data[end - 1] in b"\r\n":
            end -= 1
        return Extent(start, end)

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

    def values(self, number: int) -> list[Value]:
        """The values that an object's number may stand for, each once, the likeliest last.

        Args:
            number: its number; generations are ignored, as viewers do.

        Returns:
            `UNREADABLE` among them when there are more than are read, or one is too long.
        """
        known = self._values.get(number)
        if known is None:
            if len(self._values) >= _MOST_REMEMBERED:
                self._values.clear()
            known = self._values[number] = self._read_values(number)
        return known

    def _read_values(self, number: int) -> list[Value]:
        places = self._places(number)
        found: list[Value] = []
        if len(places) > _MOST_CANDIDATES:
            found.append(UNREADABLE)
            places = [*places[: _MOST_CANDIDATES // 2], *places[-_MOST_CANDIDATES // 2 :]]
        for place in places:
            for value in self._values_at(place, _VALUE_TOKENS):
                if value == b"endobj":
                    value = NULL
                if value in found:
                    found.remove(value)
                found.append(value)
        return found

    def all_values(self, number: int) -> Iterator[tuple[Ref, Value]]:
        """The values of all objects of a number, however long, superseded ones too."""
        for place in self._places(number):
            self._budget.check_time()
            for value in self._values_at(place, len(self._data)):
                yield self._ref(place), value

    def _places(self, number: int) -> Sequence[int]:
        """Which objects have a number, in the order of the file."""
        numbers = self._numbers
        if self._order is None:
            self._order = array("L", sorted(range(len(numbers)), key=numbers.__getitem__))
        low = bisect_left(self._order, number, key=numbers.__getitem__)
        return self._order[low : bisect_right(self._order, number, low, key=numbers.__getitem__)]

    def _values_at(self, place: int, most: int) -> Iterator[Value]:
        """The value of an object up to the next header, and the one that goes on behind it."""
        data = self._data
        start, end = self._starts[place], self._end(place)
        parsed = parse(data, blanks_end(data, start, end), end, most, first=True)
        yield from parsed.values[:1]
        if parsed.sound and parsed.values:
            return
        for strict in (False, True):
            further, _ = self._value_end(start, end, strict=strict)
            further = max(further, end + _SHORT_VALUE)
            at = blanks_end(data, start, further)
            parsed = parse(data, at, further, most, first=True, strict=strict)
            yield from parsed.values[:1]
        if not parsed.sound:
            yield UNREADABLE


_SHORT_VALUE = 4096
"""Bytes of a name, a number or a reference, and of comments before it."""

_MOST_DIGITS = 18
_LAST_DIGITS = re.compile(rb"[0-9]++\Z")
_COMMENT = re.compile(rb"[\0\t\f ]*+%")
_BEFORE_COMMENT = re.compile(rb"[0-9][\0\t\f ]*+%")
_MOST_COMMENT_STARTS = 16
"""Places of a line that are tried as the beginning of its comment."""


def _unusual_header(data: bytes, at: int, budget: Budget) -> Ref | None:
    """Number and generation before `obj`, with any blanks and comments between them.

    It goes back token by token. Only comments are passed over, and what stands in one stops a
    search that begins in it; therefore no byte is looked at twice.

    Args:
        data: the file.
        at: position of the word `obj`.
        budget: for the time.
    """
    numbers = _numbers_before(data, at, 2, budget)
    return Ref(numbers[1], numbers[0]) if numbers else None


def _numbers_before(data: bytes, end: int, wanted: int, budget: Budget) -> tuple[int, ...]:
    """The numbers that a text ends with, the last one first; nothing when others stand there."""
    while True:
        budget.check_time()
        low, ended = _before_blanks(data, end)
        found = _number_before(data, low, wanted, budget)
        if found or not ended:
            return found
        line = _line_start(data, low)
        if _COMMENT.match(data, line, low) is None:
            break
        end = line
    for start in islice(_BEFORE_COMMENT.finditer(data, line, low), _MOST_COMMENT_STARTS):
        found = _number_before(data, start.start() + 1, wanted, budget)
        if found:
            return found
    return ()


def _number_before(data: bytes, end: int, wanted: int, budget: Budget) -> tuple[int, ...]:
    """The number that a text ends with, and as many before it as are wanted."""
    digits = _LAST_DIGITS.search(data, max(0, end - _MOST_DIGITS), end)
    if digits is None:
        return ()
    at, number = digits.start(), int(digits[0])
    if wanted == 1:
        return (number,)
    if not at or data[at - 1] not in _WHITESPACE:
        return ()
    before = _numbers_before(data, at, wanted - 1, budget)
    return (number, *before) if before else ()


def _before_blanks(data: bytes, end: int) -> tuple[int, bool]:
    """Where the blanks begin that a text ends with, and whether a line ends among them."""
    ended = False
    while True:
        piece = data[max(0, end - _BETWEEN_CHECKS) : end]
        text = piece.rstrip(_WHITESPACE)
        blanks = piece[len(text) :]
        ended = ended or b"\n" in blanks or b"\r" in blanks
        end -= len(blanks)
        if text or not piece:
            return end, ended


def _line_start(data: bytes, end: int) -> int:
    """Where the line begins that a text ends with."""
    while end > 0:
        low = max(0, end - _BETWEEN_CHECKS)
        at = max(data.rfind(b"\n", low, end), data.rfind(b"\r", low, end))
        if at >= 0:
            return at + 1
        end = low
    return 0

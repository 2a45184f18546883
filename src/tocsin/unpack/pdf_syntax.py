"""The notation of PDF: names, strings, numbers, arrays, dictionaries.

Read leniently, as viewers do: a bracket too many or too few, a word that means nothing or a
string without its end costs no more than itself. Where something does not fit, viewers differ:
some let any bracket close what is open, and read hexadecimal digits up to the next `>`; others
pass over what does not fit (`strict`). Nesting needs no recursion, and text is read
in windows, so that neither depth nor length of a hostile object costs more than its bytes.

Source: ISO 32000-1, 7.2 and 7.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import NamedTuple, TypeAlias

from tocsin.patterns import compile_pattern

WINDOW = 50_000
"""Tokens that are read at once: what bounds the memory that a hostile object costs."""


_DEEPEST = 200
"""Levels of arrays and dictionaries; what is nested deeper is read as if it were not."""


class Name(bytes):
    """A name, without its slash and with its escapes resolved."""

    __slots__ = ()


class Word(bytes):
    """A bare word: `true`, `null`, or one that has no meaning."""

    __slots__ = ()


class Ref(NamedTuple):
    """A reference to another object."""

    number: int
    generation: int


Value: TypeAlias = "bytes | int | float | Ref | list[Value] | dict[bytes, Value]"
"""`Name` and `Word` are bytes of their own kind; any other bytes are a string."""


class Doubled(dict[bytes, "Value"]):
    """A dictionary in which a key stands more than once; the last value counts.

    Readers that stop at the first are possible, though qpdf and most viewers take the last.

    Attributes:
        earlier: the same with the first value of each key.
    """

    __slots__ = ("earlier",)

    def __init__(self, values: dict[bytes, Value], earlier: dict[bytes, Value]) -> None:
        super().__init__(values)
        self.earlier = earlier


class Parsed(NamedTuple):
    """What a window of text holds.

    Attributes:
        values: what stands at the top, in order.
        dictionaries: every dictionary, an inner one before the one around it; one that is
            `Doubled` also by its earlier values.
        end: position behind the last token.
        sound: whether everything in it was closed, and nothing that was not open.
    """

    values: list[Value]
    dictionaries: list[dict[bytes, Value]]
    end: int
    sound: bool = True


_TOKENS = rb"""
    [\0\t\n\f\r ]++ | %[^\r\n]*+
  | (?P<mark><<|>>|[\[\]])
  | /(?P<name>[^\0\t\n\f\r ()<>\[\]{}/%]*+)
  | (?P<word>[^\0\t\n\f\r ()<>\[\]{}/%]++)
  | \((?P<plain>[^()\\]*+)\)
  | (?P<string>\()
  | <(?P<hex>HEX
  | [>{})]
    """
_HEX = {False: rb"[^<>]*+)>?", True: rb"[0-9A-Fa-f\0\t\n\f\r ]*+).?"}
"""A hexadecimal string behind its `<`: up to the next `>`, or to what is no digit."""

_TOKEN = {
    strict: compile_pattern(_TOKENS.replace(b"HEX", end), re.VERBOSE | re.DOTALL)
    for strict, end in _HEX.items()
}
_ODD_HEX = {strict: compile_pattern(b"(" + end, re.DOTALL) for strict, end in _HEX.items()}
_COMMENT = ord("%")
_STRAY = b">{})"
"""What stands alone nowhere: passed over, or a value like any other word."""

_OPENED_BY = {b">>": b"<<", b"]": b"["}
_CLOSED_BY = {b"<<": b">>", b"[": b"]"}
_HEX_TEXT = b"0123456789ABCDEFabcdef\0\t\n\f\r "
_BLANKS = compile_pattern(rb"(?:[\0\t\n\f\r ]++|%[^\r\n]*+)*+")
_NEXT_BRACKET = compile_pattern(
    rb"""
    (?: [^()<>%\[\]]++ | %[^\r\n]*+ | <[0-9A-Fa-f\0\t\n\f\r ]*+>
      | \([^()\\]*+\) | \[[^()<>%\[\]]*+\] )*+
    (<<|>>|[\[\]()<>]|\Z)
    """,
    re.VERBOSE,
)
_BETWEEN_PAUSES = 4096
_STRING_MARKS = compile_pattern(rb"[()]|\\.?", re.DOTALL)
_ESCAPE = compile_pattern(rb"\\([0-7]{1,3}|\r\n?|.|$)|\r\n?", re.DOTALL)
_NAME_ESCAPE = compile_pattern(rb"#([0-9A-Fa-f]{2})")
_NUMBER = compile_pattern(rb"[+-]?\d{1,19}")
_REAL = compile_pattern(rb"[+-]?(?:\d{1,19}\.\d{0,40}|\.\d{1,40})")
_NO_HEX = bytes(set(range(256)) - set(b"0123456789ABCDEFabcdef"))
_PLAIN_ESCAPES = dict(zip(b"nrtbf", (b"\n", b"\r", b"\t", b"\b", b"\f"), strict=True))
_LINE_ENDS = (b"\n", b"\r", b"\r\n", b"")


def parse(
    data: bytes,
    start: int,
    end: int,
    most: int = WINDOW,
    *,
    first: bool = False,
    strict: bool = False,
) -> Parsed:
    """Read one window of text.

    Args:
        data: what holds the text.
        start: where it begins.
        end: where it ends at the latest.
        most: tokens after which reading stops earlier.
        first: whether it stops behind the first value.
        strict: whether what does not fit is passed over.
    """
    values: list[Value] = []
    dictionaries: list[dict[bytes, Value]] = []
    stack: list[tuple[bytes, list[Value]]] = []
    match = _TOKEN[strict].match
    at = start
    sound = True
    while at < end and most:
        if first and values and not stack and _is_whole(values):
            break
        most -= 1
        token = match(data, at, end)
        if token is None:
            at += 1
            continue
        at = token.end()
        kind = token.lastgroup
        if kind is None:
            sign = data[token.start()]
            if sign in _STRAY:
                sound = False
                if strict:
                    values.append(Word(token[0]))
            elif at == end and sign == _COMMENT:
                sound = False
            continue
        text = token[kind]
        if kind == "name":
            values.append(Name(_name(text)))
        elif kind == "word":
            _add_word(values, text)
        elif kind == "plain":
            values.append(_ESCAPE.sub(_unescape, text) if b"\r" in text else text)
        elif kind == "string":
            close, after = string_end(data, at, end)
            values.append(_ESCAPE.sub(_unescape, data[at:close]))
            sound = sound and close < after
            at = after
        elif kind == "hex":
            values.append(unhex(text))
            sound = sound and token[0].endswith(b">") and not text.translate(None, _HEX_TEXT)
        elif text in (b"<<", b"["):
            if len(stack) >= _DEEPEST:
                continue
            stack.append((text, values))
            values = []
        else:
            fits = bool(stack) and stack[-1][0] == _OPENED_BY[text]
            sound = sound and fits
            if strict and not fits:
                continue
            values = _close(text, values, stack, dictionaries)
    sound = sound and not stack
    while stack:
        opened, _ = stack[-1]
        closing = b">>" if opened == b"<<" else b"]"
        values = _close(closing, values, stack, dictionaries)
    return Parsed(values, dictionaries, at, sound)


def _is_whole(values: list[Value]) -> bool:
    """Whether the first value cannot become a reference by what follows."""
    return len(values) > 2 or not isinstance(values[-1], int)


def value_end(
    data: bytes, start: int, end: int, pause: Callable[[], None], *, strict: bool
) -> tuple[int, bool]:
    """Where the array, dictionary or string ends that a text begins with.

    Much faster than to read it: what holds no brackets is passed over at once.

    Args:
        data: what holds the text.
        start: where it begins, with blanks and comments before it.
        end: where it ends at the latest.
        pause: is called once in a while.
        strict: whether what does not fit is passed over.

    Returns:
        -1 when it has no end, where it begins when it is none of these; and whether all fits,
        so that viewers do not differ.
    """
    at = blanks_end(data, start, end)
    if data.startswith(b"(", at, end):
        close, at = string_end(data, at + 1, end)
        return (at if close < at else -1), True
    opened = next((mark for mark in _CLOSED_BY if data.startswith(mark, at, end)), b"")
    if not opened:
        return (at if at < end else -1), True
    stack = [opened]
    at += len(opened)
    fits = True
    for step in count(1):
        if step % _BETWEEN_PAUSES == 0:
            pause()
        found = _NEXT_BRACKET.match(data, at, end)
        if found is None or not found[1]:
            return -1, fits
        mark, at = found[1], found.end()
        if mark in _CLOSED_BY:
            stack.append(mark)
        elif mark == b"(":
            _, at = string_end(data, at, end)
        elif mark == b"<":
            odd = _ODD_HEX[strict].match(data, at, end)
            at, fits = odd.end() if odd else at, False
        elif mark in _OPENED_BY:
            suits = stack[-1] == _OPENED_BY[mark]
            fits = fits and suits
            if suits or not strict:
                stack.pop()
            if not stack:
                break
    return at, fits


def blanks_end(data: bytes, start: int, end: int) -> int:
    """Where blanks and comments end."""
    found = _BLANKS.match(data, start, end)
    return found.end() if found else start


def windows(data: bytes, start: int, end: int) -> Iterator[Parsed]:
    """Read a text of any length, one window after the other; what is not sound in both ways."""
    while start < end:
        parsed = parse(data, start, end)
        yield parsed
        if not parsed.sound:
            yield parse(data, start, parsed.end, strict=True)
        start = parsed.end


def _close(
    text: bytes,
    values: list[Value],
    stack: list[tuple[bytes, list[Value]]],
    dictionaries: list[dict[bytes, Value]],
) -> list[Value]:
    """End an array or dictionary.

    Returns:
        The list that is filled from here on.
    """
    if text == b">>":
        pairs = _pairs(values)
        if isinstance(pairs, Doubled):
            dictionaries.append(pairs.earlier)
        dictionaries.append(pairs)
        made: Value = pairs
    else:
        made = values
    if not stack:
        return [made]
    _, outer = stack.pop()
    outer.append(made)
    return outer


def _pairs(values: Iterable[Value]) -> dict[bytes, Value]:
    found: dict[bytes, Value] = {}
    earlier: dict[bytes, Value] = {}
    key: bytes | None = None
    for value in values:
        if key is None:
            if isinstance(value, Name):
                key = value
        else:
            if key in found:
                earlier.setdefault(key, found[key])
            found[key] = value
            key = None
    return Doubled(found, {**found, **earlier}) if earlier else found


def _add_word(values: list[Value], text: bytes) -> None:
    if text == b"R" and len(values) > 1:
        number, generation = values[-2:]
        if isinstance(number, int) and isinstance(generation, int):
            values[-2:] = [Ref(number, generation)]
            return
    if _NUMBER.fullmatch(text):
        values.append(int(text))
    elif _REAL.fullmatch(text):
        values.append(float(text))
    else:
        values.append(Word(text))


def _name(text: bytes) -> bytes:
    if b"#" not in text:
        return text
    return _NAME_ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), text)


def string_end(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Where a string's text ends, and where what follows it begins."""
    depth = 1
    for mark in _STRING_MARKS.finditer(data, at, end):
        if mark[0] == b"(":
            depth += 1
        elif mark[0] == b")":
            depth -= 1
            if not depth:
                return mark.start(), mark.end()
    return end, end


def _unescape(found: re.Match[bytes]) -> bytes:
    text = found[1]
    if text is None:
        return b"\n"
    if text[:1].isdigit() and text < b"8":
        return bytes([int(text, 8) & 0xFF])
    if text in _LINE_ENDS:
        return b""
    return _PLAIN_ESCAPES.get(text[0], text)


def unhex(text: bytes) -> bytes:
    """Bytes that are written as hexadecimal digits; whatever is no digit is passed over."""
    digits = text.translate(None, _NO_HEX)
    return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))


def as_text(value: bytes) -> bytes:
    """A text string as UTF-8, or as it is where it is in an 8-bit encoding.

    Source: ISO 32000-1, 7.9.2.2.
    """
    if value.startswith(b"\xfe\xff"):
        return value[2:].decode("utf-16-be", "replace").encode("utf-8", "replace")
    if value.startswith(b"\xff\xfe"):
        return value[2:].decode("utf-16-le", "replace").encode("utf-8", "replace")
    return value.removeprefix(b"\xef\xbb\xbf")

"""Body signatures: the hexadecimal patterns inside `.ndb`, `.ldb`, `.db` and `.sdb` lines.

A pattern is a row of *parts* joined by *gaps*. A part has no gap inside: its elements are
literal bytes, masked bytes (`??`, `a?`, `?a`), alternatives and boundaries. This module only
reads; how a pattern is searched for is the engine's concern.

Source: ClamAV manual, "Body-based Signature Content Format"; the corners were measured with
clamscan 1.4.6 (`docs/compatibility.md`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tocsin.errors import SignatureError
from tocsin.signatures.clamav.numbers import natural

MAX_GAP_UNROLLED = 128
"""`{n}` below this many bytes is the same as n times `??` and does not split the pattern."""

MAX_ANCHORED_RANGE = 32
"""Upper bound of `[n-m]`."""

MAX_NESTING = 16
"""Parentheses inside one another."""

MIN_STATIC_BYTES = 2
"""Each part between gaps needs a run of so many literal bytes."""


class Masked(NamedTuple):
    """One byte of which only the bits in `mask` are compared with `value`."""

    value: int
    mask: int


class Alternatives(NamedTuple):
    """One of several element rows, or with `negated` as many bytes that equal none of them."""

    options: tuple[tuple[Element, ...], ...]
    negated: bool

    @property
    def length(self) -> int | None:
        """Bytes taken when every option takes the same number, else None."""
        lengths = {elements_length(option) for option in self.options}
        return lengths.pop() if len(lengths) == 1 else None


class Boundary(NamedTuple):
    """A place between bytes: `B` word boundary, `L` line boundary, `W` non-alphanumeric."""

    kind: str
    negated: bool


class Nearby(NamedTuple):
    """A byte that must stand `low` to `high` bytes beside the part; it takes none of its own.

    It stands for `aa[n-m]…` (before the part) and `…[n-m]aa` (behind it).
    """

    low: int
    high: int
    element: bytes | Masked
    before: bool


Element = bytes | Masked | Alternatives | Boundary | Nearby


class Gap(NamedTuple):
    """Between `low` and `high` arbitrary bytes; `high` None means any number."""

    low: int
    high: int | None


class Form(NamedTuple):
    """One spelling of a body signature.

    Attributes:
        parts: rows of elements; at least one.
        gaps: one fewer than parts; `gaps[i]` stands between parts i and i+1.
        wide: whether a NUL was put behind every byte.
    """

    parts: tuple[tuple[Element, ...], ...]
    gaps: tuple[Gap, ...]
    wide: bool = False


class Body(NamedTuple):
    """A parsed body signature.

    Attributes:
        forms: one, or with the modifiers `wa` two, of which either may match.
        nocase: letters match in either case.
        fullword: no alphanumeric character directly before or after the match.
    """

    forms: tuple[Form, ...]
    nocase: bool = False
    fullword: bool = False


def elements_length(elements: tuple[Element, ...]) -> int | None:
    """Number of bytes a row of elements takes, or None when it varies."""
    total = 0
    for element in elements:
        if isinstance(element, bytes):
            total += len(element)
        elif isinstance(element, Masked):
            total += 1
        elif isinstance(element, Alternatives):
            length = element.length
            if length is None:
                return None
            total += length
    return total


_PLAIN = re.compile(r"(?:[0-9a-fA-F]{2})+\Z")
_FIRST_BRACE = re.compile(r"\{[ +]?(\d+)\}")
_SPLIT = re.compile(r"\*|\{([^{}]*)\}")
_LEFT_RANGE = re.compile(r"([0-9a-fA-F?]{2})\[(\d+)(?:-(\d*)[^\]]*)?\](?=.)")
_RIGHT_RANGE = re.compile(r"\[(\d+)(?:-(\d*)[^\]]*)?\]([0-9a-fA-F?]{2})\Z")
_TOKEN = re.compile(
    r"(?P<hex>(?:[0-9a-fA-F]{2})+)|(?P<masked>[0-9a-fA-F?]{2})|(?P<open>!?\()",
)
_BOUNDARIES = frozenset("BLW")
_WIDENED = re.compile(r"\{[^{}]*\}|\([BLW]\)|[0-9a-fA-F?]{2}")
"""What takes a NUL behind it in a wide pattern, and the digits that must be left alone."""
_NEGATED_OPTION = re.compile(r"!\((?![BLW]\))")


def parse_body(pattern: str, modifiers: str = "") -> Body:
    """Read one hexadecimal pattern.

    Args:
        pattern: the pattern without offset and modifiers.
        modifiers: any of the letters `i`, `w`, `f`, `a`.

    Raises:
        SignatureError: the pattern breaks a rule of the language.
    """
    unknown = set(modifiers) - set("iwfa")
    if unknown:
        raise SignatureError(f"unknown modifier {''.join(sorted(unknown))!r} (known: i w f a)")
    if modifiers and _NEGATED_OPTION.search(pattern):
        raise SignatureError("negated alternatives take no modifiers")
    if "f" in modifiers or "w" in modifiers:
        pattern = pattern.replace("[", "{").replace("]", "}")
    forms = []
    if "w" in modifiers:
        forms.append(_parse_form(_WIDENED.sub(_widen, pattern), wide=True))
    if "w" not in modifiers or "a" in modifiers:
        bounded = f"(W){pattern}(W)" if "f" in modifiers else pattern
        forms.append(_parse_form(bounded, wide=False))
    return Body(tuple(forms), "i" in modifiers, "f" in modifiers)


def _widen(token: re.Match[str]) -> str:
    return token[0] if token[0][0] in "{(" else token[0] + "00"


def _parse_form(pattern: str, wide: bool) -> Form:
    if _PLAIN.match(pattern):
        literal = bytes.fromhex(pattern)
        if len(literal) < MIN_STATIC_BYTES:
            raise SignatureError(f"a pattern needs {MIN_STATIC_BYTES} literal bytes in a row")
        return Form(((literal,),), (), wide)
    return Form(*_parse_parts(pattern), wide)


def _parse_parts(pattern: str) -> tuple[tuple[tuple[Element, ...], ...], tuple[Gap, ...]]:
    parts: list[tuple[Element, ...]] = []
    gaps: list[Gap] = []
    pattern = _unroll_leading(pattern)
    start = 0
    for brace in (*_SPLIT.finditer(pattern), None):
        text = pattern[start : brace.start()] if brace else pattern[start:]
        parts.append(_parse_span(text))
        if brace:
            gaps.append(_parse_gap(brace[1]))
            start = brace.end()
    return tuple(parts), tuple(gaps)


def _unroll_leading(pattern: str) -> str:
    """Write `{n}` as n times `??`, as long as no gap of variable length stands before it."""
    while True:
        first = pattern.find("{")
        brace = _FIRST_BRACE.match(pattern, first) if first >= 0 else None
        if brace is None or not 0 < natural(brace[1]) < MAX_GAP_UNROLLED:
            return pattern
        pattern = pattern[:first] + "??" * natural(brace[1]) + pattern[brace.end() :]


def _parse_span(text: str) -> tuple[Element, ...]:
    """Read what stands between two gaps, with the `[n-m]` ranges at its edges."""
    if text.count("(") != text.count(")"):
        raise SignatureError("parentheses that do not close, or a gap inside them")
    before: tuple[Element, ...] = ()
    behind: tuple[Element, ...] = ()
    if left := _LEFT_RANGE.match(text):
        before = (_nearby(left[1], left[2], left[3], before=True),)
        text = text[left.end() :]
    if right := _RIGHT_RANGE.search(text):
        behind = (_nearby(right[3], right[1], right[2], before=False),)
        text = text[: right.start()]
    elements = _parse_elements(text)
    if not any(isinstance(e, bytes) and len(e) >= MIN_STATIC_BYTES for e in elements):
        raise SignatureError(
            f"each part of a pattern needs {MIN_STATIC_BYTES} literal bytes in a row"
        )
    return before + elements + behind


def _nearby(byte: str, low: str, high: str | None, *, before: bool) -> Nearby:
    bottom = natural(low)
    top = natural(high) if high else bottom
    if not bottom <= top <= MAX_ANCHORED_RANGE:
        raise SignatureError(f"[n-m] needs n <= m <= {MAX_ANCHORED_RANGE}: [{low}-{high}]")
    element = _masked(byte)
    single = bytes((element.value,)) if element.mask == 0xFF else element
    return Nearby(bottom, top, single, before)


def _parse_elements(text: str) -> tuple[Element, ...]:
    elements: list[Element] = []
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise SignatureError(
                f"unexpected {text[position : position + 8]!r} in a pattern "
                "(an odd number of hex digits?)"
            )
        position = token.end()
        if token.lastgroup == "hex":
            _append_literal(elements, bytes.fromhex(token["hex"]))
        elif token.lastgroup == "masked":
            elements.append(_masked(token["masked"]))
        else:
            closing = _closing(text, position)
            elements.append(_parse_group(text[position:closing], token["open"] == "!("))
            position = closing + 1
    return tuple(elements)


def _append_literal(current: list[Element], literal: bytes) -> None:
    if current and isinstance(current[-1], bytes):
        current[-1] += literal
    else:
        current.append(literal)


def _masked(text: str) -> Masked:
    high, low = text[0], text[1]
    value = mask = 0
    if high != "?":
        value, mask = int(high, 16) << 4, 0xF0
    if low != "?":
        value, mask = value | int(low, 16), mask | 0x0F
    return Masked(value, mask)


def _closing(pattern: str, start: int) -> int:
    depth = 1
    for index in range(start, len(pattern)):
        if pattern[index] == "(":
            depth += 1
            if depth > MAX_NESTING:
                raise SignatureError(f"parentheses nested more than {MAX_NESTING} deep")
        elif pattern[index] == ")":
            depth -= 1
            if depth == 0:
                return index
    raise SignatureError("an opening parenthesis without its closing one")


def _parse_group(inside: str, negated: bool) -> Element:
    if inside in _BOUNDARIES:
        return Boundary(inside, negated)
    texts = _split_options(inside)
    if not texts[0]:
        raise SignatureError("an empty alternative")
    # clamscan takes an empty alternative that is not the first, and passes over it.
    options = [_parse_elements(text) for text in texts if text]
    group = Alternatives(tuple(options), negated)
    if negated:
        fixed = all(len(o) == 1 and isinstance(o[0], bytes) for o in options)
        if not fixed or group.length is None:
            raise SignatureError("negated alternatives must be literals of one length")
    return group


def _split_options(inside: str) -> list[str]:
    options, depth, start = [], 0, 0
    for index, char in enumerate(inside):
        if char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif char == "|" and depth == 0:
            options.append(inside[start:index])
            start = index + 1
    options.append(inside[start:])
    return options


def _parse_gap(text: str | None) -> Gap:
    """Read what stands in braces; None stands for `*`. An upper bound of 0 is no bound."""
    low, dash, high = (text or "").partition("-")
    bottom = natural(low or "0", "bound")
    if not dash:
        return Gap(bottom, bottom or None)
    return Gap(bottom, natural(high or "0", "bound") or None)

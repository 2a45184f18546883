"""From parsed signatures to the tuples of `database.layout`.

Only the index compiler imports this.
"""

from __future__ import annotations

import hashlib
import marshal
import re
from collections.abc import Iterator, Sequence
from typing import Any

from tocsin.database.layout import BYTES, CONTENT, MACRO, NO_BOUND, PCRE
from tocsin.signatures.clamav.body import (
    Alternatives,
    Body,
    Boundary,
    Element,
    Form,
    Masked,
    Nearby,
)
from tocsin.signatures.clamav.byte_compare import ByteCompare
from tocsin.signatures.clamav.expression import (
    MAX_SUBSIGNATURES,
    Branch,
    Expression,
    Leaf,
)
from tocsin.signatures.clamav.logical import Conditions, Content, Macro, SubSignature
from tocsin.signatures.clamav.offset import Anchor, Offset
from tocsin.signatures.clamav.pcre import Pcre, pattern_bytes

Compiled = tuple[Any, ...]

_WORD = rb"[0-9A-Za-z]"
_BOUNDARY_BEFORE = rb" \-./<@_"
_BOUNDARY_AFTER = rb"\n\r \"'\-/=>_"
_BOUNDARY_BYTE = rb"\n\r \"'\-./<=>@_"


class PatternNumbers:
    """Gives equal patterns equal numbers, so that the engine looks each up once a file."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    def number(self, forms: Compiled, nocase: bool) -> int:
        """The number of a pattern, new or known."""
        # By digest, since patterns are many and long; format 2 writes equal values equally.
        packed = marshal.dumps((forms, nocase), 2)
        key = hashlib.blake2b(packed, digest_size=16).digest()
        return self._numbers.setdefault(key, len(self._numbers))


def compile_subsignature(sub: SubSignature, numbers: PatternNumbers) -> Compiled:
    """Lay out one sub-signature as a tuple."""
    if isinstance(sub, Content):
        return compile_content(sub.offset, sub.body, numbers)
    if isinstance(sub, Macro):
        return (MACRO, sub.group, sub.low, sub.high)
    if isinstance(sub, Pcre):
        return (
            PCRE,
            compile_offset(sub.offset),
            compile_expression(sub.trigger, [0] * MAX_SUBSIGNATURES),
            pattern_bytes(sub.regex, sub.flags),
            sub.flags,
        )
    if isinstance(sub, ByteCompare):
        return (BYTES, *sub)
    raise AssertionError(f"{sub!r} is not evaluated and must not reach the compiler")


def compile_content(offset: Offset, body: Body, numbers: PatternNumbers) -> Compiled:
    """Lay out a body pattern with its offset."""
    forms = tuple(_compile_form(form, body) for form in body.forms)
    number = numbers.number(forms, body.nocase)
    return (CONTENT, compile_offset(offset), forms, body.nocase, number)


def compile_offset(offset: Offset) -> Compiled | None:
    """Lay out an offset; None stands for anywhere."""
    if offset.anchor is Anchor.ANY:
        return None
    return (str(offset.anchor), offset.distance, offset.number, offset.max_shift)


def compile_expression(expression: Expression, costs: Sequence[int]) -> Compiled:
    """Lay out a logical expression, the operands that are cheapest to refute first.

    Neither truth nor counts hang on the order of operands, so chains of one operator are
    sorted; evaluation stops at the first that decides.

    Args:
        expression: the expression.
        costs: for each sub-signature what looking it up costs, on any scale.
    """
    return _ordered(expression, costs)[1]


def _ordered(expression: Expression, costs: Sequence[int]) -> tuple[int, Compiled]:
    count = expression.bound
    if isinstance(expression, Leaf):
        cost = costs[expression.sub]
        return cost, (
            expression.sub,
            count.operator if count else "",
            count.matches if count else 0,
        )
    operands = sorted(
        (_ordered(operand, costs) for operand in _operands(expression)), key=lambda pair: pair[0]
    )
    cost = sum(pair[0] for pair in operands)
    bound = (count.operator, count.matches, count.distinct) if count else NO_COUNT
    joined = operands.pop()[1]
    while operands:
        inner = NO_COUNT if len(operands) > 1 else bound
        joined = (expression.operator, operands.pop()[1], joined, *inner)
    return cost, joined


NO_COUNT = ("", 0, 0)


def _operands(expression: Branch) -> Iterator[Expression]:
    """The operands of a chain of one operator; a bound inside it ends the chain."""
    for side in (expression.left, expression.right):
        chained = isinstance(side, Branch) and side.operator == expression.operator
        if isinstance(side, Branch) and chained and side.bound is None:
            yield from _operands(side)
        else:
            yield side


def counts_matter(expression: Expression) -> bool:
    """Whether an expression asks how often something matches, beyond once or never."""
    count = expression.bound
    if isinstance(expression, Branch):
        return bool(count) or counts_matter(expression.left) or counts_matter(expression.right)
    return count is not None and (count.operator, count.matches) not in (("=", 0), (">", 0))


def compile_conditions(conditions: Conditions) -> Compiled:
    """Lay out what a target description block asks of the object."""
    return (
        conditions.file_size,
        conditions.entry_point,
        conditions.sections,
        conditions.container,
        conditions.intermediates,
    )


def _compile_form(form: Form, body: Body) -> Compiled:
    last = len(form.parts) - 1
    bounded = body.fullword and form.wide  # a plain form has its boundaries among its elements
    parts = tuple(
        _compile_part(
            part,
            body.nocase,
            _word_edge(before=True) if bounded and place == 0 else b"",
            _word_edge(before=False) if bounded and place == last else b"",
        )
        for place, part in enumerate(form.parts)
    )
    gaps = tuple((gap.low, NO_BOUND if gap.high is None else gap.high) for gap in form.gaps)
    return (parts, gaps)


def _word_edge(*, before: bool) -> bytes:
    """Edge of a wide full word: a letter is two bytes there."""
    return b"(?<!" + _WORD + rb"\x00)" if before else b"(?!" + _WORD + rb"\x00)"


def _compile_part(part: tuple[Element, ...], nocase: bool, before: bytes, after: bytes) -> Compiled:
    if len(part) == 1 and isinstance(part[0], bytes) and not before and not after:
        literal = part[0].lower() if nocase else part[0]
        return (literal, None, literal, 0, len(literal), len(literal))
    anchor, anchor_at = _longest_literal(part)
    if nocase:
        anchor = anchor.lower()
    source = before + _regex(part, nocase) + after
    shortest, longest = part_lengths(part)
    return (None, source, anchor, anchor_at, shortest, longest)


def _longest_literal(part: tuple[Element, ...]) -> tuple[bytes, int]:
    best, best_at, at = b"", 0, 0
    ends = edges(part)
    for place, element in enumerate(part):
        if isinstance(element, bytes) and len(element) > len(best):
            best, best_at = element, at
        shortest, longest = element_lengths(element, at_edge=place in ends)
        if shortest != longest:
            break
        at += shortest
    return best, best_at


def edges(part: tuple[Element, ...]) -> tuple[int, int]:
    """Places of the first and the last element that belong to the part itself."""
    first = 1 if isinstance(part[0], Nearby) else 0
    last = len(part) - 1
    return first, last - 1 if isinstance(part[last], Nearby) and last > first else last


def part_lengths(part: tuple[Element, ...]) -> tuple[int, int]:
    """Fewest and most bytes a part takes."""
    ends = edges(part)
    lengths = [element_lengths(e, at_edge=place in ends) for place, e in enumerate(part)]
    return sum(low for low, _ in lengths), sum(high for _, high in lengths)


def element_lengths(element: Element, *, at_edge: bool = False) -> tuple[int, int]:
    """Fewest and most bytes that an element takes; a boundary takes none at a part's edge."""
    if isinstance(element, bytes):
        return len(element), len(element)
    if isinstance(element, Masked):
        return 1, 1
    if isinstance(element, Nearby):
        return 0, 0
    if isinstance(element, Boundary):
        if at_edge:
            return 0, 0
        return 1, 2 if element.kind == "L" else 1
    options = [_option_lengths(option) for option in element.options]
    return min(low for low, _ in options), max(high for _, high in options)


def _option_lengths(option: tuple[Element, ...]) -> tuple[int, int]:
    lengths = [element_lengths(element) for element in option]
    return sum(low for low, _ in lengths), sum(high for _, high in lengths)


def _regex(part: tuple[Element, ...], nocase: bool) -> bytes:
    first, last = edges(part)
    return b"".join(
        _boundary(element, _BEFORE if place == first else _AFTER if place == last else _BETWEEN)
        if isinstance(element, Boundary)
        else _element(element, nocase)
        for place, element in enumerate(part)
    )


def _element(element: Element, nocase: bool) -> bytes:
    if isinstance(element, bytes):
        escaped = re.escape(element)
        return b"(?i:" + escaped + b")" if nocase else escaped
    if isinstance(element, Masked):
        return masked_class(element)
    if isinstance(element, Nearby):
        return _nearby(element, nocase)
    if isinstance(element, Boundary):
        return _boundary(element, _BETWEEN)
    options = b"|".join(b"".join(_element(e, nocase) for e in o) for o in element.options)
    if element.negated:
        return b"(?!" + options + b").{%d}" % (element.length or 0)
    return b"(?:" + options + b")"


def _nearby(element: Nearby, nocase: bool) -> bytes:
    byte = _element(element.element, nocase)
    if not element.before:
        return b"(?=.{%d,%d}" % (element.low, element.high) + byte + b")"
    distances = range(element.low, element.high + 1)
    return b"(?:" + b"|".join(b"(?<=" + byte + b".{%d})" % n for n in distances) + b")"


def masked_class(element: Masked) -> bytes:
    """A masked byte as a character class that Python's `re` and Hyperscan both read."""
    if element.mask == 0:
        return b"."
    if element.mask == 0xF0:
        return rb"[\x%02x-\x%02x]" % (element.value, element.value | 0x0F)
    if element.mask == 0x0F:
        return b"[" + b"".join(rb"\x%02x" % (high | element.value) for high in _HIGH) + b"]"
    return rb"\x%02x" % element.value


_HIGH = range(0, 256, 16)


def _boundary(element: Boundary, table: dict[str, tuple[bytes, bytes]]) -> bytes:
    return table[element.kind][element.negated]


_BEFORE = {
    "B": (b"(?<![^" + _BOUNDARY_BEFORE + b"])", b"(?<=[^" + _BOUNDARY_BYTE + b"])"),
    "W": (b"(?<!" + _WORD + b")", b"(?<=" + _WORD + b")"),
    "L": (rb"(?<![^\n])", rb"(?<=[^\n])"),
}
_AFTER = {
    "B": (b"(?![^" + _BOUNDARY_AFTER + b"])", b"(?=[^" + _BOUNDARY_AFTER + b"])"),
    "W": (b"(?!" + _WORD + b")", b"(?=" + _WORD + b")"),
    "L": (rb"(?=\n|\r\n|\Z)", rb"(?!\n|\r\n|\Z)"),
}
_BETWEEN = {
    "B": (b"[" + _BOUNDARY_BYTE + b"]", b"[^" + _BOUNDARY_BYTE + b"]"),
    "W": (b"[^0-9A-Za-z]", _WORD),
    "L": (rb"(?:\r?\n)", rb"[^\n]"),
}


def alternatives_fixed(element: Alternatives) -> bool:
    """Whether every alternative takes the same number of bytes."""
    shortest, longest = element_lengths(element)
    return shortest == longest

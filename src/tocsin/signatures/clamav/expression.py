"""Logical expressions over sub-signatures: `(0&1)|((2|3)>5,2)`.

The grammar has no precedence, and clamscan's way of splitting decides what a careless
expression means: outside parentheses the first operator splits (`0|1&2` is `0|(1&2)`), inside
them the last one does (`(0|1&2)` is `(0|1)&2`). Numbers are read as far as digits go and what
follows is passed over, so `0=2,` is `0=2` and `0:4c20` is `0`. Published signatures have both.

Source: ClamAV manual, "Logical signatures"; the splitting was measured with clamscan 1.4.6.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tocsin.errors import SignatureError
from tocsin.signatures.clamav.numbers import natural

MAX_SUBSIGNATURES = 64
MAX_DEPTH = 64


class Count(NamedTuple):
    """A bound on the number of matches.

    Attributes:
        operator: `=`, `>` or `<`.
        matches: the number compared with.
        distinct: at least so many different sub-signatures must match; 0 asks for none.
    """

    operator: str
    matches: int
    distinct: int = 0


class Leaf(NamedTuple):
    """One sub-signature by its number, with or without a bound on its matches."""

    sub: int
    bound: Count | None = None


class Branch(NamedTuple):
    """Two expressions joined by `&` or `|`, with or without a bound on their matches."""

    operator: str
    left: Expression
    right: Expression
    bound: Count | None = None


Expression = Leaf | Branch

_NUMBER = re.compile(r"\s*([0-9]+)")
_COUNT = re.compile(r"\s*(-?[0-9]+)(?:,\s*([0-9]+))?")


def parse_expression(text: str, subsignatures: int) -> Expression:
    """Read a logical expression.

    Args:
        text: the expression.
        subsignatures: how many sub-signatures there are; every index must be below it.

    Raises:
        SignatureError: not an expression, or an index out of range.
    """
    expression = _parse(text, 0)
    highest = max(indices(expression))
    if highest >= subsignatures:
        raise SignatureError(
            f"expression names sub-signature {highest}, but there are {subsignatures}"
        )
    return expression


def indices(expression: Expression) -> set[int]:
    """Numbers of the sub-signatures an expression names."""
    if isinstance(expression, Leaf):
        return {expression.sub}
    return indices(expression.left) | indices(expression.right)


def _parse(text: str, level: int) -> Expression:
    if level > MAX_DEPTH:
        raise SignatureError(f"an expression nested more than {MAX_DEPTH} deep")
    split = _split(text)
    if split is not None:
        left, operator, right, count = split
        if not left or not right:
            raise SignatureError(f"an operator without its operand in expression {text!r}")
        return Branch(operator, _parse(left, level + 1), _parse(right, level + 1), count)
    if text.startswith("("):
        return _parse(text[1:-1], level + 1)
    number = _NUMBER.match(text)
    if number is None:
        raise SignatureError(f"expression {text!r} lacks the number of a sub-signature")
    comparison = max(text.rfind(operator) for operator in "=<>")
    if comparison < 0:
        return Leaf(natural(number[1]))
    return Leaf(natural(number[1]), _count(text, comparison)._replace(distinct=0))


def _split(text: str) -> tuple[str, str, str, Count | None] | None:
    """Where an expression falls in two: left, operator, right and the group's bound."""
    depth = 0
    inner = -1  # the last operator one level inside a leading group
    index = 0
    while index < len(text):
        char = text[index]
        if char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth < 0:
                raise SignatureError(f"a closing parenthesis too many in expression {text!r}")
        elif char in "&|":
            if depth == 0:
                return text[:index], char, text[index + 1 :], None
            if depth == 1:
                inner = index
        if inner >= 0 and depth == 0:
            end = index
            count = None
            if text[index + 1 : index + 2] in ("=", "<", ">"):
                count = _count(text, index + 1)
                index += 1
                while text[index + 1 : index + 2].isdigit() or text[index + 1 : index + 2] == ",":
                    index += 1
            if index + 1 >= len(text):
                return text[1:inner], text[inner], text[inner + 1 : end], count
        index += 1
    if depth:
        raise SignatureError(f"parentheses that do not close in expression {text!r}")
    return None


def _count(text: str, place: int) -> Count:
    numbers = _COUNT.match(text, place + 1)
    if numbers is None:
        raise SignatureError(f"no number behind {text[place]!r} in expression {text!r}")
    return Count(text[place], _bound(numbers[1]) & 0xFFFFFFFF, natural(numbers[2] or "0"))


def _bound(text: str) -> int:
    return -natural(text[1:]) if text.startswith("-") else natural(text)

"""Numbers in signature lines: ASCII digits, of a length that a number here can have.

`str.isdigit` takes superscripts for digits and `int` refuses thousands of them; both would let
a line raise something else than a `SignatureError`.
"""

from __future__ import annotations

import re

from tocsin.errors import SignatureError

MAX_DIGITS = 20
_LEADING = re.compile(r"[0-9]{0,20}")


def is_number(text: str) -> bool:
    """Whether a text is a decimal number that `natural` reads."""
    return text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS


def natural(text: str, what: str = "number") -> int:
    """Read a decimal number.

    Args:
        text: its digits.
        what: what it is, for the message.

    Raises:
        SignatureError: it is none, or has more than twenty digits.
    """
    if not is_number(text):
        raise SignatureError(f"{what} {text[:24]!r} is not a decimal number")
    return int(text)


def leading_number(text: str) -> int:
    """The digits a text begins with as a number, 0 when there are none, like C's `atoi`."""
    digits = _LEADING.match(text)
    return int(digits[0]) if digits and digits[0] else 0

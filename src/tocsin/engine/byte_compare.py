"""Byte comparison sub-signatures: a number near a match, read and compared.

Source: ClamAV manual, "Byte compare subsignatures"; the corners (white space before digits,
position 0, what `a` does with short fields) were measured with clamscan 1.4.6.
"""

from __future__ import annotations

import re
from typing import Any

_WHITE = b" \t\n\v\f\r"
_DECIMAL = re.compile(rb"[+-]?[0-9]+")
_HEXADECIMAL = re.compile(rb"[+-]?(?:0[xX])?[0-9A-Fa-f]+")
_AUTOMATIC_MINIMUM = 3
_MAX_SIGNED = (1 << 63) - 1


def compares(sub: tuple[Any, ...], data: bytes, match: int) -> bool:
    """Whether a byte comparison holds.

    Args:
        sub: as BYTES in `database.layout`.
        data: the object.
        match: where the referenced sub-signature matched.
    """
    _, _, offset, base, little, exact, length, comparisons = sub
    start = match + offset
    if not base or start < 1 or start + length > len(data):
        return False
    field = data[start : start + length]
    value = (
        _binary(field, little) if base == "i" else _textual(field, base, little=little, exact=exact)
    )
    return value is not None and all(
        value == wanted
        if operator == "="
        else value < wanted
        if operator == "<"
        else value > wanted
        for operator, wanted in comparisons
    )


def _binary(field: bytes, little: bool) -> int:
    order = "little" if little else "big"
    return int.from_bytes(field, order, signed=len(field) == 8)  # type: ignore[arg-type]


def _textual(field: bytes, base: str, *, little: bool, exact: bool) -> int | None:
    if base == "a":
        if len(field) < _AUTOMATIC_MINIMUM:
            return None
        base = "h" if field[:2].lower() == b"0x" else "d"
    text = field.lstrip(_WHITE)
    if exact and len(text) != len(field):
        return None
    form = _HEXADECIMAL if base == "h" else _DECIMAL
    match = form.match(text)
    if exact and (match is None or match.end() != len(text)):
        return None
    if match is None:
        return 0
    text_digits = match[0].decode("ascii").lower()
    negative = text_digits.startswith("-")
    digits = text_digits.lstrip("+-")
    if base == "h":
        digits = digits.removeprefix("0x") or "0"
    if base == "h" and little:
        digits = _reversed_pairs(digits)
    value = int(digits, 16 if base == "h" else 10) * (-1 if negative else 1)
    return max(-_MAX_SIGNED - 1, min(value, _MAX_SIGNED))


def _reversed_pairs(digits: str) -> str:
    padded = digits if len(digits) % 2 == 0 else "0" + digits
    return "".join(reversed([padded[i : i + 2] for i in range(0, len(padded), 2)]))

"""Byte comparison sub-signatures: `0(>>26#ib2#>512,<1024)`.

Source: ClamAV manual, "Byte compare subsignatures".
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tocsin.errors import SignatureError
from tocsin.signatures.clamav.numbers import MAX_DIGITS, natural


class ByteCompare(NamedTuple):
    """A number read near a match and compared.

    Attributes:
        trigger: number of the sub-signature whose match the offset counts from.
        offset: bytes from the start of that match, negative before it.
        base: `h` hexadecimal text, `d` decimal text, `a` either by its looks, `i` binary;
            empty when the base or the byte order is not given, which never matches.
        little: whether the number is little-endian.
        exact: whether all `length` bytes must take part.
        length: bytes to read.
        comparisons: one or two pairs of `=`, `<` or `>` and a number.
    """

    trigger: int
    offset: int
    base: str
    little: bool
    exact: bool
    length: int
    comparisons: tuple[tuple[str, int], ...]


_NUMBER = r"-?(?:0[xX][0-9a-fA-F]+|[0-9]*)"
_FORM = re.compile(
    rf"(?P<trigger>[0-9]*)\((?P<sign>>>|<<)?(?P<offset>{_NUMBER})"
    rf"#(?P<options>[hdailbe]*)(?P<length>{_NUMBER})#(?P<comparisons>[^)]+)\)"
)
_COMPARISON = re.compile(rf"([=<>])({_NUMBER})\Z")
_BINARY_LENGTHS = (1, 2, 4, 8)
_MAX_HEX_LENGTH = 18
MAX_TRIGGER = 64


def parse_byte_compare(text: str) -> ByteCompare:
    """Read one byte comparison.

    Raises:
        SignatureError: it does not follow the form above.
    """
    form = _FORM.match(text)
    if form is None:
        raise SignatureError(f"a byte comparison is ID(>>OFFSET#[hdai][lb][e]N#CMP), not {text!r}")
    trigger = natural(form["trigger"] or "0", "sub-signature")
    if trigger > MAX_TRIGGER:
        raise SignatureError(f"there is no sub-signature {form['trigger']}")
    options = form["options"]
    length = _number(form["length"])
    bases = [letter for letter in "hdai" if letter in options]
    if len(bases) > 1 or ("l" in options and "b" in options):
        raise SignatureError(f"contradictory options {options!r} in a byte comparison")
    base = bases[0] if bases else ""
    if length <= 0 or (base == "h" and length > _MAX_HEX_LENGTH):
        raise SignatureError(f"a byte comparison of {length} bytes")
    if base == "i" and length not in _BINARY_LENGTHS:
        raise SignatureError(f"a binary number has 1, 2, 4 or 8 bytes, not {length}")
    if base == "d" and "l" in options:
        raise SignatureError("a decimal number cannot be little-endian")
    ordered = "l" in options or "b" in options or base == "d"
    comparisons = []
    for part in form["comparisons"].split(","):
        comparison = _COMPARISON.match(part)
        if comparison is None:
            raise SignatureError(f"a comparison is =N, <N or >N, not {part!r}")
        comparisons.append((comparison[1], _number(comparison[2])))
    if len(comparisons) > 2:
        raise SignatureError("more than two comparisons")
    offset = _number(form["offset"])
    if form["sign"] is None:
        if form["offset"] and not form["offset"].startswith("0"):
            raise SignatureError(f"the offset of a byte comparison begins with >> or <<: {text!r}")
        offset = 0
    return ByteCompare(
        trigger=trigger,
        offset=-offset if form["sign"] == "<<" else offset,
        base=base if ordered else "",
        little="l" in options,
        exact="e" in options or base == "i",
        length=length,
        comparisons=tuple(comparisons),
    )


def _number(text: str) -> int:
    """A C integer: decimal, `0x` hexadecimal or `0` octal; nothing counts as zero."""
    negative = text.startswith("-")
    digits = text.lstrip("-").lower()
    if len(digits) > MAX_DIGITS:
        raise SignatureError(f"a number of {len(digits)} digits")
    try:
        if digits.startswith("0x"):
            value = int(digits, 16)
        else:
            value = int(digits or "0", 8 if digits.startswith("0") else 10)
    except ValueError:
        raise SignatureError(f"not a number: {text!r}") from None
    return -value if negative else value

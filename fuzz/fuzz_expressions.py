"""Logical expressions, byte comparisons and offsets: parsed, and comparisons evaluated.

The first byte chooses the parser; up to the first NUL is the text, then comes an object.
"""

from __future__ import annotations

import fuzz_support

from tocsin.engine.byte_compare import compares
from tocsin.errors import SignatureError
from tocsin.signatures.clamav.byte_compare import parse_byte_compare
from tocsin.signatures.clamav.expression import indices, parse_expression
from tocsin.signatures.clamav.offset import parse_offset

SEEDS = [
    b"\0(0&1)|((2|3)>5,2)\0",
    b"\x000=2,\0",
    b"\0(0|1&2)=0\0",
    b"\x010(>>4#hle4#>0x10,<99)\0aaaa123 0x1F",
    b"\x010(<<-1#ib2#=1)\0aaaaaaaaaa",
    b"\x011(>>0#d5#=12345)\0a12345zzz",
    b"\x010(>>3#ae4#<7)\0    0x07",
    b"\2EOF-20,4\0",
    b"\2SL+3\0",
    b"\2EP-3,40\0",
    b"\2$3$\0",
]


def check(data: bytes) -> None:
    """Only `SignatureError` may come out of a parser, and nothing out of a comparison."""
    packed, _, target = data[1:].partition(b"\0")
    text = packed.decode("utf-8", "replace")
    which = data[0] % 3 if data else 0
    try:
        if which == 0:
            expression = parse_expression(text, 64)
            assert all(0 <= number < 64 for number in indices(expression))
        elif which == 1:
            parsed = parse_byte_compare(text)
            fields = (
                parsed.offset,
                parsed.base,
                parsed.little,
                parsed.exact,
                parsed.length,
                parsed.comparisons,
            )
            for match in (0, 1, len(target)):
                assert compares((3, 0, *fields), target, match) in (True, False)
        else:
            for kind in (0, 1):
                parse_offset(text, kind)
    except SignatureError as error:
        fuzz_support.require_words(error)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

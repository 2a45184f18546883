"""A script's tokens, as ClamAV's normal form of JavaScript tells them apart.

It is no parser of the language: comments end at a blank, regular expressions and templates
are taken for operators and names, and whatever stands at the end without an end is dropped.

Source: measured with clamscan 1.4.6 and sigtool --html-normalise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """What a token is."""

    NAME = 0
    MEMBER = 1
    TEXT = 2
    INTEGER = 3
    FLOAT = 4
    OTHER = 5
    FUNCTION = 6
    END = 7


class Token(NamedTuple):
    """One token.

    Attributes:
        kind: what it is.
        text: as it is written out; of a string the value.
        scope: of `function` the number of the scope that it opens.
    """

    kind: Kind
    text: bytes
    scope: int = 0


_OPERATORS = (
    rb">>>=|===|!==|>>>|<<=|>>=|==|!=|<=|>=|&&|\|\||\+\+|--|<<|>>|[-+*/%&^|]=|[-!%&*+/:<=>?^|~]"
)
_SCANNER = re.compile(
    rb"(?P<name>[$A-Z_a-z](?:[$\w]|\\u)*+(?:\\(?!u))?+|\\(?:u(?:[$\w]|\\u)*+(?:\\(?!u))?+)?+)"
    rb"|(?P<mark>[\[\](){},.;])"
    rb'|(?P<double>"[^"]*+(?:(?<=\\)"[^"]*+)*+"?)'
    rb"|(?P<single>'[^']*+(?:(?<=\\)'[^']*+)*+'?)"
    rb"|(?P<comment>//[^\n ]*+|/\*.*?(?:\*/|\Z))"
    rb"|(?P<number>[0-9]++(?:\.(?:[0-9]|[eE][-+0-9])*+(?:[eE](?=.))?+)?+)"
    rb"|(?P<operator>" + _OPERATORS + rb")",
    re.DOTALL | re.ASCII,
)
KEYWORDS = frozenset(
    b"break case catch continue default delete do else finally for function if in instanceof new "
    b"return switch this throw try typeof var void while with null true false abstract boolean "
    b"byte char class const debugger double enum export extends final float goto implements "
    b"import int interface long native package private protected public short static super "
    b"synchronized throws transient volatile".split()
)

_ESCAPES = {0x30: 1, 0x62: 8, 0x74: 9, 0x6E: 10, 0x76: 11, 0x66: 12, 0x72: 13}
_ESCAPE = re.compile(rb"\\(?:x(..)|u(....)|x.?\Z|u|(.))", re.DOTALL)
_FLOAT = re.compile(rb"[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?")
_HEX = {char: int(chr(char), 16) for char in b"0123456789abcdefABCDEF"}


def tokens(script: bytes) -> Iterator[tuple[str, bytes]]:
    """The tokens of a script, each as its group and text.

    Yields:
        `name`, `mark`, `string`, `number` or `operator`, and the text (of strings the value);
        at last `left` with what is not known to be complete, if there is such a thing.
    """
    end = len(script)
    for found in _SCANNER.finditer(script):
        group = found.lastgroup
        text = found[0]
        if group == "name":
            if found.end() == end and not text.endswith(b"\\"):
                yield "left", text
                return
            yield "name", text.removesuffix(b"\\").replace(b"\\u", b"\\")
        elif group in ("double", "single"):
            if len(text) < 2 or text[-1] != text[0] or (len(text) > 2 and text[-2] == 0x5C):
                yield "left", text
                return
            yield "string", unescaped(text[1:-1])
        elif group == "comment":
            if text.startswith(b"/*") and (len(text) < 4 or not text.endswith(b"*/")):
                yield "left", b"/*"
        elif group == "number" and found.end() == end:
            yield "left", text
        else:
            assert group is not None
            yield group, text


def unescaped(text: bytes) -> bytes:
    """The value of a string; a NUL in it becomes the byte 1."""
    if b"\\" not in text:
        return text
    return _ESCAPE.sub(_value, text).replace(b"\0", b"\1")


def _value(found: re.Match[bytes]) -> bytes:
    pair, four, single = found.groups()
    if pair is not None:
        return bytes(((_digit(pair[0], 0) << 4 | _digit(pair[1], -1)) & 0xFF,))
    if four is not None:
        code = _digit(four[0], 0) << 12 | _digit(four[1], 0) << 8 | _digit(four[2], 0) << 4
        return utf8((code | _digit(four[3], -1)) & 0xFFFF)
    if single is None:
        return b"\\"
    return bytes((_ESCAPES.get(single[0], single[0]),))


def _digit(char: int, otherwise: int) -> int:
    return _HEX.get(char, otherwise)


def utf8(code: int) -> bytes:
    """A 16-bit unit in UTF-8, surrogates too; NUL becomes the byte 1."""
    return chr(code or 1).encode("utf-8", "surrogatepass")


def number(text: bytes) -> Token:
    """A number as the normal form writes it: decimal, an integer in 32 bits."""
    if b"." in text:
        prefix = _FLOAT.match(text)
        value = float(prefix[0]) if prefix is not None else 0.0
        return Token(Kind.FLOAT, b"%g" % value)
    value64 = min(int(text) if len(text) < 20 else (1 << 63) - 1, (1 << 63) - 1)
    low = value64 & 0xFFFFFFFF
    return Token(Kind.INTEGER, b"%d" % (low - (1 << 32) if low >> 31 else low))

"""A script's tokens, as ClamAV's normal form of JavaScript tells them apart.

It is no parser of the language: comments end at a blank, regular expressions and templates
are taken for operators and names, and whatever stands at the end without an end is dropped.

Source: measured with clamscan 1.4.6 and sigtool --html-normalise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum

from tocsin.patterns import compile_pattern


class Kind(IntEnum):
    """What a token is."""

    NAME = 0
    MEMBER = 1
    TEXT = 2
    INTEGER = 3
    FLOAT = 4
    KEYWORD = 5
    OPERATOR = 6
    MARK = 7
    FUNCTION = 8
    END = 9


class Token:
    """One token; a plain class, since scripts have millions.

    Attributes:
        kind: what it is.
        text: as it is written out; of a string the value.
        scope: of `function` the number of the scope that it opens; 1 of a mark that opens or
            closes a block or a list, and of a name that may hide a script.
    """

    __slots__ = ("kind", "scope", "text")

    def __init__(self, kind: Kind, text: bytes, scope: int = 0) -> None:
        self.kind = kind
        self.text = text
        self.scope = scope


_OPERATORS = (
    *(b">>>=", b"===", b"!==", b">>>", b"<<=", b">>=", b"==", b"!=", b"<=", b">=", b"&&", b"||"),
    *(b"++", b"--", b"<<", b">>", b"-=", b"+=", b"*=", b"/=", b"%=", b"&=", b"^=", b"|="),
    *(b"-", b"!", b"%", b"&", b"*", b"+", b"/", b":", b"<", b"=", b">", b"?", b"^", b"|", b"~"),
)
_NESTING = (b"[", b"]", b"{", b"}")
_MARKS = (b"(", b")", b",", b";")
_SCANNER = compile_pattern(
    rb"[$A-Z_a-z](?:[$\w]|\\u)*+(?:\\(?!u))?+|\\(?:u(?:[$\w]|\\u)*+(?:\\(?!u))?+)?+"
    rb"|[\[\](){},.;]"
    rb'|"[^"]*+(?:(?<=\\)"[^"]*+)*+"?'
    rb"|'[^']*+(?:(?<=\\)'[^']*+)*+'?"
    rb"|//[^\n ]*+|/\*.*?(?:\*/|\Z)"
    rb"|[0-9]++(?:\.(?:[0-9]|[eE][-+0-9])*+(?:[eE](?=.))?+)?+"
    rb"|<(?:<=?|=)?+|>(?:>(?:>=?+|=)?+|=)?+|[=!](?:==?+)?+"
    rb"|&[&=]?+|\|[|=]?+|\+[+=]?+|-[-=]?+|[*/%^]=?+|[:?~]",
    re.DOTALL | re.ASCII,
)
KEYWORDS = frozenset(
    b"break case catch continue default delete do else finally for function if in instanceof new "
    b"return switch this throw try typeof var void while with null true false abstract boolean "
    b"byte char class const debugger double enum export extends final float goto implements "
    b"import int interface long native package private protected public short static super "
    b"synchronized throws transient volatile".split()
)
_DIGITS = b"0123456789"
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_NAME_STARTS = _LETTERS + b"$_\\"
LETTERS_AND_DIGITS = frozenset(bytes((byte,)) for byte in _LETTERS + _DIGITS)

PACKER_NAMES = (b"p", b"a", b"c", b"k", b"e")
HIDING = frozenset((b"eval", b"dF", b"unescape", *PACKER_NAMES))
"""Names without which nothing is hidden in a script that could be put in."""

OTHERS = {
    **{text: Token(Kind.KEYWORD, text) for text in KEYWORDS},
    **{text: Token(Kind.OPERATOR, text) for text in (b".", *_OPERATORS)},
    **{text: Token(Kind.MARK, text) for text in _MARKS},
    **{text: Token(Kind.MARK, text, 1) for text in _NESTING},
}
"""Tokens that mean nothing by themselves; there is one of each, so they are told by identity."""

PIECE = 32 * 1024
"""Bytes of a script that are taken apart together."""

_UNSURE = 2
"""Tokens that what follows may change: of `1.5e` the `e` is a name when nothing follows."""

_ESCAPES = {0x30: 1, 0x62: 8, 0x74: 9, 0x6E: 10, 0x76: 11, 0x66: 12, 0x72: 13}
_ESCAPE = compile_pattern(rb"\\(?:x(..)|u(....)|x.?\Z|u|(.))", re.DOTALL)
_FLOAT = compile_pattern(rb"[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?")
_HEX = {char: int(chr(char), 16) for char in b"0123456789abcdefABCDEF"}


def texts(script: bytes) -> Iterator[tuple[list[bytes], bool]]:
    """The texts of a script's tokens as they stand, a piece at a time; comments are among them.

    The last two of a piece are looked at again with the next one, since they may have been cut.
    They are found again from behind: what is left out between tokens ends none.

    Yields:
        The texts, and whether the last one ends the script.
    """
    at, size, room = 0, len(script), PIECE
    while at < size:
        end = min(at + room, size)
        found = _SCANNER.findall(script, at, end)
        if end == size:
            if found:
                yield found, script.endswith(found[-1])
            return
        if len(found) <= _UNSURE:
            room *= 2
            continue
        for _ in range(_UNSURE):
            end = script.rfind(found.pop(), at, end)
        at, room = end, PIECE
        if found:
            yield found, False


def is_complete(text: bytes, at_end: bool) -> bool:
    """Whether a token can be taken as it is, whatever may follow.

    Args:
        text: the token.
        at_end: whether it is the last thing in its script.
    """
    first = text[0]
    if first in b"\"'":
        return len(text) >= 2 and text[-1] == first and (len(text) == 2 or text[-2] != 0x5C)
    if text.startswith(b"/*"):
        return len(text) >= 4 and text.endswith(b"*/")
    if first in _DIGITS:
        return not at_end
    return not (at_end and first in _NAME_STARTS) or text.endswith(b"\\")


def made(text: bytes) -> Token | None:
    """The token of a complete text, None for a comment; names are not told from members."""
    first = text[0]
    if first in _NAME_STARTS:
        name = text.removesuffix(b"\\").replace(b"\\u", b"\\")
        return OTHERS.get(name) or Token(Kind.NAME, name, int(name in HIDING))
    if first in b"\"'":
        return Token(Kind.TEXT, unescaped(text[1:-1]))
    if text.startswith((b"//", b"/*")):
        return None
    if first in _DIGITS:
        return number(text)
    return OTHERS[text]


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

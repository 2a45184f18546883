"""PCRE sub-signatures: `[OFFSET:]TRIGGER/REGEX/FLAGS`.

Source: ClamAV manual, "PCRE subsignatures".
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tocsin.errors import SignatureError
from tocsin.signatures.clamav.expression import Expression, parse_expression
from tocsin.signatures.clamav.offset import ANYWHERE, Anchor, Offset, parse_offset

_TRAILING_MODIFIERS = re.compile(r"(?<=/)([greismxAEU]*)::[iwfa]*\Z")
"""Body modifiers behind a regular expression: clamscan reads them and passes over them."""

FLAGS = frozenset("greismxAEU")


class Pcre(NamedTuple):
    """A regular expression that runs when its trigger has matched.

    Attributes:
        offset: where it may match.
        trigger: an expression over earlier sub-signatures.
        regex: the expression, PCRE2 syntax, one character a byte (Latin-1).
        flags: any of `g` count all, `r` search onwards from the offset, `e` stay between
            offset and shift, `i`, `s`, `m`, `x` as in PCRE, `A` anchored, `E` dollar at the
            very end only, `U` ungreedy.
    """

    offset: Offset
    trigger: Expression
    regex: str
    flags: str


def parse_pcre(text: str, target: int, index: int) -> Pcre:
    """Read one PCRE sub-signature that stands at place `index`.

    Raises:
        SignatureError: it is malformed, or its trigger names itself or a later one.
    """
    head, _, rest = _TRAILING_MODIFIERS.sub(r"\1", text).partition("/")
    regex, slash, flags = rest.rpartition("/")
    if not slash or not regex:
        raise SignatureError("a PCRE sub-signature is TRIGGER/REGEX/FLAGS")
    unknown = set(flags) - FLAGS
    if unknown:
        raise SignatureError(f"unknown PCRE flag {''.join(sorted(unknown))!r}")
    if "(?UTF" in regex:
        raise SignatureError("(?UTF…) is not allowed in a PCRE sub-signature")
    check_regex(regex, flags)
    place, colon, trigger = head.rpartition(":")
    offset = parse_offset(place, target) if colon else ANYWHERE
    if offset.anchor is Anchor.MACRO:
        raise SignatureError("a macro group is no offset for a regular expression")
    return Pcre(offset, parse_expression(trigger, index), regex, flags)


def check_regex(regex: str, flags: str) -> None:
    """Compile a regular expression to see whether PCRE2 takes it.

    Raises:
        SignatureError: it does not.
    """
    import pcre2

    try:
        pcre2.compile(pattern_bytes(regex, flags), jit=False)
    except pcre2.PatternError as error:
        raise SignatureError(f"PCRE2 refuses the expression: {error}") from None


def pattern_bytes(regex: str, flags: str) -> bytes:
    """The expression with its flags written as inline options, one byte a character."""
    letters = "".join(letter for letter in "ismx" if letter in flags)
    inline = f"(?{letters}{'U' if 'U' in flags else ''})" if letters or "U" in flags else ""
    if "E" in flags:
        regex = _DOLLAR.sub(lambda token: "\\z" if token[0] == "$" else token[0], regex)
    return (inline + regex).encode("latin-1", "replace")


_DOLLAR = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$", re.S)
"""A dollar, or what may hide one: an escaped character, a character class."""

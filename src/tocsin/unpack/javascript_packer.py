"""Calls of Dean Edwards's packer, and its kin, undone: found among a script's tokens.

Source: measured with clamscan 1.4.6 and sigtool --html-normalise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tocsin.unpack.javascript_tokens import OTHERS, Kind, Token

_ARGUMENTS = 6
_WORD = re.compile(rb"[0-9A-Za-z]+")
_OPENING, _CLOSING, _COMMA = OTHERS[b"("], OTHERS[b")"], OTHERS[b","]
_EMPTY_LIST = (OTHERS[b"["], OTHERS[b"]"], _CLOSING)


def packed_call(ahead: Sequence[Token], name: bytes) -> tuple[int, int, bytes] | None:
    """Find the call of a packer's function and undo it.

    Args:
        ahead: tokens from behind the function's name.
        name: the function's name; empty when it is called where it stands.

    Returns:
        Where the arguments begin, behind what they end, and what they hide.
    """
    count = len(ahead)
    nesting, at = 1, 0
    while at < count:
        kind = ahead[at].kind
        nesting += (kind is Kind.FUNCTION) - (kind is Kind.END)
        if not nesting:
            break
        at += 1
    if nesting:
        return None
    if name:
        while at + 2 < count and not (
            ahead[at].kind is Kind.NAME and ahead[at].text == name and ahead[at + 1] is _OPENING
        ):
            at += 1
        if at + 2 >= count:
            return None
        at += 2
    else:
        while at < count and ahead[at] is not _OPENING:
            at += 1
        at += 1
    arguments: list[int] = []
    while len(arguments) < _ARGUMENTS and at < count:
        arguments.append(at)
        at += 1
        stop = _COMMA if len(arguments) < _ARGUMENTS else _CLOSING
        while at < count and ahead[at] is not stop:
            at += 1
        at += 1
    if len(arguments) < _ARGUMENTS:
        return None
    packed, base, _, words = (ahead[place] for place in arguments[:4])
    begin, end = arguments[0], arguments[-1] + 1
    if packed.kind is not Kind.TEXT or words.kind is not Kind.TEXT:
        hidden = b""
    else:
        radix = int(base.text) if base.kind is Kind.INTEGER else -1
        hidden = _unpacked(packed.text, radix, words.text.split(b"|"))
    if tuple(ahead[end : end + 3]) == _EMPTY_LIST:
        end += 3
    elif end < count:
        end += 1
    return begin, end, hidden


def _unpacked(packed: bytes, base: int, words: list[bytes]) -> bytes:
    def word(found: re.Match[bytes]) -> bytes:
        value = 0
        for char in found[0]:
            digit = char - (0x57 if char >= 0x61 else 0x1D if char >= 0x41 else 0x30)
            value = (value * base + digit) & 0xFFFFFFFF
        return (words[value] if value < len(words) else b"") or found[0]

    return _WORD.sub(word, packed.replace(b"\\'", b"'").replace(b'\\"', b'"'))

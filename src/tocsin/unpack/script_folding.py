"""Strings of scripts put together again: what concatenation, codes and formats take apart.

Every step is one substitution over the text that cannot look back, so the whole is linear; and
none makes the text longer than a bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tocsin.patterns import compile_pattern
from tocsin.unpack.script_marks import marks_in

ROUNDS = 4
"""How often the steps are repeated while they change something."""

_GROWTH = 2
"""Times its length that a text may reach."""

_TICK = compile_pattern(rb"`(?:(?<=[\w\[.-]`)(?=\w)|\r?\n[ \t]*)")
_OPTION = compile_pattern(rb"(?<=[\s\x80-\xff][-/])\w\^(?:\w\^?){1,20}+(?=[\s:])", re.ASCII)
_CARETS = compile_pattern(rb"(?<![\w^])\w{1,8}+(?:\^\w{1,8}+){3,}+", re.ASCII)
_BACKSLASHED = compile_pattern(rb"\\\r?\n")
_ECHOED = compile_pattern(
    rb"^[ \t]*+@?echo ([^\r\n>]*+)>{1,2}[^\r\n>]*+(?=\r?\n|\Z)", re.MULTILINE | re.IGNORECASE
)
_CONTINUED = compile_pattern(rb"_(?<=[ \t]_)\r?\n[ \t]*")
_CODE = rb"(?:0x[0-9a-f]{1,4}|&h[0-9a-f]{1,4}|[0-9]{1,5})"
_CHARACTER = compile_pattern(
    rb"\(?\[char\]\s{0,4}\(?\s{0,4}(" + _CODE + rb")\s{0,4}\)?(?:\))?"
    rb"|\bchrw?\$?\s{0,4}\(\s{0,4}(" + _CODE + rb")\s{0,4}\)",
    re.IGNORECASE,
)
_FROM_CODES = compile_pattern(
    rb"string\.fromcharcode\s{0,4}\(\s{0,8}(" + _CODE + rb"(?:\s{0,8},\s{0,8}" + _CODE + rb")*+)"
    rb"\s{0,8}\)",
    re.IGNORECASE,
)
_SPLIT = compile_pattern(rb"[\s,]+")
_GAP = rb"(?:\s{1,64}+|/\*[^*]{0,64}+\*/){0,8}+"
_PLUS = _GAP + rb"[+&]" + _GAP
_JOINED = compile_pattern(b"|".join(quote + _PLUS + quote for quote in (b'"', b"'", b"`")))
_MIXED = compile_pattern(rb"\"" + _PLUS + rb"'([^'\"\n]{0,64})'" + _PLUS + rb"\"")
_BRACKETED = compile_pattern(
    rb"\(\s{0,4}(\"[^\"()\n]{1,400}+\"|'[^'()\n]{1,400}+')\s{0,4}\)(?!\s*-)"
)
_STRING = rb"(?:'[^'\n]*+'|\"[^\"\n]*+\")"
_FORMAT = compile_pattern(
    rb"[\"']((?:[^\"'{}\n]{0,64}\{[0-9]{1,3}\}){1,200}+[^\"'{}\n]{0,64})[\"']\s{0,8}-f\s{0,8}"
    rb"(" + _STRING + rb"(?:\s{0,8},\s{0,8}" + _STRING + rb")*+)",
    re.IGNORECASE,
)
_FIELD = compile_pattern(rb"\{([0-9]{1,3})\}")
_ITEM = compile_pattern(_STRING)
_JOIN = compile_pattern(
    rb"(" + _STRING + rb"(?:\s{0,8},\s{0,32}" + _STRING + rb")++)"
    rb"([\s\])]{0,8}(?:-join\s{0,8}|\.join\s{0,4}\(\s{0,4})(?:''|\"\"|``))?+",
    re.IGNORECASE,
)
"""A list, whether it is joined or not: so the next one is looked for behind it."""

_ADDS = rb"\s{0,8}(?:\+=|=\s{0,8}\3\s{0,8}[+&])\s{0,8}"
_ADDED = compile_pattern(
    rb"("
    + _STRING
    + rb")(\s{0,8};?\s{0,32}([\w$][\w$.]{0,40}+)"
    + _ADDS
    + _STRING
    + rb"(?:\s{0,8};?\s{0,32}\3"
    + _ADDS
    + _STRING
    + rb")*+)"
)
"""A string, and what adds others to one variable behind it."""

_LONGEST_NAME = 41

_WORD_END = compile_pattern(rb"[\w$.]\Z")
_ADDED_ITEM = compile_pattern(
    rb"(?<==)\s{0,8}(" + _STRING + rb")|(?<=[+&])\s{0,8}(" + _STRING + rb")"
)
_REPLACE = compile_pattern(
    rb"(" + _STRING + rb")\s{0,4}\)?\s{0,4}(?:\.replace\s{0,4}\(|-[ic]?replace)\s{0,4}"
    rb"(" + _STRING + rb")\s{0,4},\s{0,4}(" + _STRING + rb")",
    re.IGNORECASE,
)
_HEX = rb"[0-9a-fA-F]"
_ESCAPED = compile_pattern(
    rb"(?:\\x" + _HEX + rb"{2}|\\u00" + _HEX + rb"{2}|%[2-7]" + _HEX + rb"|%u" + _HEX + rb"{4}"
    rb"|\\u\{0{0,6}" + _HEX + rb"{2}\}|\\[0-3]?[0-7]{2}){4,}+"
)
_ONE_ESCAPE = compile_pattern(
    rb"(?:\\x|\\u00|%(?!u)|\\u\{0*(?=..\}))(" + _HEX + rb"{2})\}?"
    rb"|%u(" + _HEX + rb"{4})|\\([0-7]{2,3})"
)


def folded(text: bytes, alive: Callable[[], None], rounds: int = ROUNDS) -> bytes:
    """The text with its strings put together.

    Args:
        text: a script.
        alive: raises when the time is over.
        rounds: how often the steps are tried at most.
    """
    most = _GROWTH * len(text) + 1024
    for _ in range(rounds):
        before, marks = text, marks_in(text)
        for mark, pattern, replacement in _STEPS:
            if mark not in marks:
                continue
            alive()
            changed = pattern.sub(replacement, text)
            if len(changed) <= most:
                text = changed
        if text == before:
            break
    return text


def _without_carets(found: re.Match[bytes]) -> bytes:
    return found[0].replace(b"^", b"")


def _code(text: bytes) -> bytes:
    low = text.lower()
    value = int(low[2:], 16) if low[:2] in (b"0x", b"&h") else int(low)
    return bytes((value,)) if value < 0x100 else chr(min(value, 0xFFFF)).encode("utf-8", "replace")


def _quoted(text: bytes) -> bytes:
    quote = b"'" if b'"' in text else b'"'
    return quote + text + quote


def _character(found: re.Match[bytes]) -> bytes:
    if found[1] is not None:
        text = _code(found[1])
        return b'"' + text + b'"' if text == b"'" else b"'" + text + b"'"
    return _quoted(_code(found[2]))


def _characters(found: re.Match[bytes]) -> bytes:
    return _quoted(b"".join(_code(code) for code in _SPLIT.split(found[1])))


def _mixed(found: re.Match[bytes]) -> bytes:
    return found[1]


def _bare(found: re.Match[bytes]) -> bytes:
    return found[1]


def _formatted(found: re.Match[bytes]) -> bytes:
    items = [item[1:-1] for item in _ITEM.findall(found[2])]

    def field(place: re.Match[bytes]) -> bytes:
        number = int(place[1])
        return items[number] if number < len(items) else place[0]

    return _quoted(_FIELD.sub(field, found[1]))


def _added(found: re.Match[bytes]) -> bytes:
    """The strings that are added to a variable as one, with what it held before if that is seen."""
    first, others, name = found.groups()
    strings = [item[0] or item[1] for item in _ADDED_ITEM.findall(others)]
    if _gives(found.string[max(0, found.start() - 4 * _LONGEST_NAME) : found.start()], name):
        return _quoted(b"".join(text[1:-1] for text in (first, *strings)))
    if len(strings) < 2:
        return found[0]
    return first + b"\n" + name + b"+=" + _quoted(b"".join(text[1:-1] for text in strings))


def _gives(before: bytes, name: bytes) -> bool:
    """Whether what stands before a string gives or adds it to a variable."""
    before = before.rstrip()
    if before.endswith((b"&", b"+")):
        before = before[:-1].rstrip().removesuffix(name).rstrip()
    if not before.endswith(b"="):
        return False
    before = before[:-1].removesuffix(b"+").rstrip()
    return before.endswith(name) and _WORD_END.search(before[: -len(name)]) is None


def _join(found: re.Match[bytes]) -> bytes:
    if found[2] is None:
        return found[0]
    return _quoted(b"".join(item[1:-1] for item in _ITEM.findall(found[1])))


def _replaced(found: re.Match[bytes]) -> bytes:
    text, old, new = (group[1:-1] for group in found.groups())
    if not old or len(new) > len(old) + 8:
        return found[0]
    return _quoted(text.replace(old, new))


def _unescaped(found: re.Match[bytes]) -> bytes:
    return _ONE_ESCAPE.sub(_one_unescaped, found[0])


def _one_unescaped(found: re.Match[bytes]) -> bytes:
    """One byte; two, as they stand in memory, of a character of 16 bits."""
    pair, wide, octal = found.groups()
    if pair is not None:
        return bytes((int(pair, 16),))
    if octal is not None:
        return bytes((int(octal, 8) & 0xFF,))
    value = int(wide, 16)
    return bytes((value,)) if value < 0x100 else value.to_bytes(2, "little")


_Step = tuple[str, re.Pattern[bytes], bytes | Callable[[re.Match[bytes]], bytes]]

_STEPS: tuple[_Step, ...] = (
    ("continued", _CONTINUED, b""),
    ("continued", _BACKSLASHED, b""),
    ("echo", _ECHOED, rb"\1"),
    ("ticks", _TICK, b""),
    ("carets", _CARETS, _without_carets),
    ("carets", _OPTION, _without_carets),
    ("char", _CHARACTER, _character),
    ("codes", _FROM_CODES, _characters),
    ("escapes", _ESCAPED, _unescaped),
    ("sum", _JOINED, b""),
    ("sum", _MIXED, _mixed),
    ("format", _FORMAT, _formatted),
    ("join", _JOIN, _join),
    ("added", _ADDED, _added),
    ("replace", _REPLACE, _replaced),
    ("sum", _BRACKETED, _bare),
)
"""The mark without which a way need not be tried, what it looks for, and what it makes of it."""

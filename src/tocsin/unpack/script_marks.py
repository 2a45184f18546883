"""Words by which a text may be a script that hides something, looked for in one pass.

Every text is asked for them, so they are one Hyperscan search and not a regular expression
each; what was found also says which ways of putting strings together are worth trying.
"""

from __future__ import annotations

import re
from functools import lru_cache

import hyperscan

_WORDS: dict[str, bytes] = {
    "shell": rb"powershell|pwsh|wscript|createobject|%comspec%|cmd(\.exe)? ?/",
    "carets": rb"\w\^\w+\^\w",
    "invoke": rb"invoke-|\biex\b",
    "base64": rb"frombase64string",
    "char": rb"\[char\]|\bchrw?\$? ?\(",
    "codes": rb"fromcharcode",
    "eval": rb"\beval\(|unescape\(|execute",
    "escapes": rb"\\x[0-9a-f]{2}\\x|\\u00[0-9a-f]{2}\\u00|%[2-7][0-9a-f]%[2-7][0-9a-f]%",
    "ticks": rb"\w`\w",
    "format": rb"[\"'] ?-f\s",
    "join": rb"-join\b|\.join ?\(",
    "replace": rb"replace",
    "deflate": rb"deflatestream",
    "sum": rb"[\"'] ?[+&] ?[\"']",
    "continued": rb"[ \t]_\r?\n",
    "encoded": rb"[-/\x96]e[a-z]*[\"'^]?\s+[\"']?[a-z0-9+/]{16}",
}

SCRIPTS = frozenset(
    {"shell", "carets", "invoke", "base64", "char", "codes", "eval", "encoded", "deflate"}
)
"""Marks of which one is enough to take a text for a script."""


_WEAK = frozenset({"char", "eval"})
"""Marks that stand in many a program's source; alone they need more to go with them."""

_CHARACTERS = (b"chr(", b"chrw(", b"[char]")
_MANY_CHARACTERS = 8
_SMALL = 64 * 1024
_HINTS = (
    *(b"powershell", b"pwsh", b"wscript", b"createobject", b"%comspec%", b"cmd", b"invoke-"),
    *(b"iex", b"base64string", b"[char]", b"chr", b"fromcharcode", b"eval(", b"unescape("),
    *(b"execute", b"deflatestream", b"^"),
)
_ENCODED = re.compile(rb"[-/\x96][eE][A-Za-z]{0,14}[\"'^]?\s{1,8}[\"']?[A-Za-z0-9+/]{16}")


def _may_have(text: bytes, low: bytes) -> bool:
    """Whether a small text may be a script, at a price below that of compiling the search."""
    return any(hint in low for hint in _HINTS) or _ENCODED.search(text) is not None


@lru_cache(maxsize=1)
def _compiled() -> hyperscan.Database:
    search = hyperscan.Database()
    flags = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_DOTALL
    search.compile(
        expressions=list(_WORDS.values()),
        ids=list(range(len(_WORDS))),
        elements=len(_WORDS),
        flags=[flags] * len(_WORDS),
    )
    return search


_NAMES = tuple(_WORDS)


def script_marks(text: bytes, low: bytes) -> frozenset[str]:
    """The marks of a text that may be a script; of another none, whatever stands in it.

    Args:
        text: the text.
        low: the same in lower case, or its normal form.
    """
    if len(text) <= _SMALL and not _may_have(text, low):
        return frozenset()
    marks = marks_in(text)
    certain = marks & SCRIPTS
    if certain <= _WEAK and not (
        sum(low.count(word) for word in _CHARACTERS) >= _MANY_CHARACTERS
        or ("eval" in marks and "escapes" in marks)
    ):
        return frozenset()
    return marks


def marks_in(text: bytes) -> frozenset[str]:
    """All marks that stand in a text."""
    found: set[int] = set()

    def note(number: int, _start: int, _end: int, _flags: int, _context: object) -> None:
        found.add(number)

    _compiled().scan(text, match_event_handler=note)
    return frozenset(_NAMES[number] for number in found)

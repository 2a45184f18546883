"""Words by which a text may be a script that hides something, looked for in one pass.

Every text is asked for them, so they are one Hyperscan search and not a regular expression
each; what was found also says which ways of putting strings together are worth trying.
"""

from __future__ import annotations

from functools import lru_cache

import hyperscan

DASH = rb"(?:[-/\x96]|\xe2\x80[\x90-\x95])"
"""What stands before an option of PowerShell, which takes any dash."""

_WORDS: dict[str, bytes] = {
    "shell": rb"powershell|pwsh|wscript|createobject|%comspec%|cmd(\.exe)? ?/",
    "carets": rb"\w\^\w+\^\w",
    "invoke": rb"invoke-|\biex\b",
    "base64": rb"frombase64string|\batob\b|certutil",
    "char": rb"\[char\]|\bchrw?\$? ?\(",
    "codes": rb"fromcharcode",
    "eval": rb"\b(eval|exec)\(|unescape\(|execute",
    "escapes": rb"\\x[0-9a-f]{2}\\x|\\u00[0-9a-f]{2}\\u00|%[2-7][0-9a-f]%[2-7][0-9a-f]%"
    rb"|\\u\{0*[0-9a-f]{2}\}\\u|%u[0-9a-f]{4}%u|\\[0-7]{2,3}\\[0-7]{2,3}\\",
    "ticks": rb"\w`\w",
    "format": rb"[\"'] ?-f\s",
    "join": rb"-join\b|\.join ?\(",
    "added": rb"\+=\s*[\"'`]|=\s*\w+\s*[+&]\s*[\"'`]",
    "replace": rb"replace",
    "deflate": rb"deflatestream",
    "sum": rb"[\"'`][\s/*\w]*[+&][\s/*\w]*[\"'`]",
    "continued": rb"[ \t]_\r?\n|\\\r?\n",
    "encoded": DASH + rb"e(c|nc?[a-z]*)?[\"'^]?(\s+|:\s*)[\"']?[a-z0-9+/]{16}",
    "echo": rb"\becho [^>\r\n]+>",
}

_NAMES = tuple(_WORDS)

SCRIPTS = frozenset(
    {"shell", "carets", "invoke", "base64", "char", "codes", "eval", "encoded", "deflate"}
)
"""Marks of which one is enough to take a text for a script."""


_WEAK = frozenset({"char", "eval"})
"""Marks that stand in many a program's source; alone they need more to go with them."""

_CHARACTERS = (b"chr(", b"chrw(", b"[char]")
_MANY_CHARACTERS = 8


@lru_cache(maxsize=1)
def _compiled() -> tuple[hyperscan.Database, ...]:
    """Two marks a search: more together take Hyperscan many times as long to compile."""
    flags = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_DOTALL
    searches = []
    for first in range(0, len(_NAMES), 2):
        names = _NAMES[first : first + 2]
        search = hyperscan.Database()
        search.compile(
            expressions=[_WORDS[name] for name in names],
            ids=list(range(first, first + len(names))),
            elements=len(names),
            flags=[flags] * len(names),
        )
        searches.append(search)
    return tuple(searches)


def script_marks(text: bytes, low: bytes) -> frozenset[str]:
    """The marks of a text that may be a script; of another none, whatever stands in it.

    Args:
        text: the text.
        low: the same in lower case, or its normal form.
    """
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

    for search in _compiled():
        search.scan(text, match_event_handler=note)
    return frozenset(_NAMES[number] for number in found)

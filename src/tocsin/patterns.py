"""Regular expressions with possessive groups, which mean the same on every Python.

Python 3.11.0 to 3.11.4 (Debian 12 has 3.11.2) match `(?:ab?c)*+` wrongly: what the last, failed
time round had already passed counts as matched. `(?>…)` is right there too, so on those versions
a possessive group is spelt out with it. Repeats of a single character, as `[^x]*+`, are right
everywhere and stay. The defect: CPython's issue 106052.
"""

from __future__ import annotations

import re
import sys
from typing import AnyStr

_MENDED = (3, 11, 5)
_AT_ONCE = 256
"""Times round that are kept to go back to until they are let go; it bounds the memory."""

_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(|\)|[^\\\[()]+", re.DOTALL)
_POSSESSIVE = re.compile(r"([*+?]|\{[0-9]*,?[0-9]*\})\+")


def compile_pattern(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """`re.compile`, whatever this Python makes of possessive groups.

    Args:
        pattern: a verbose one without comments.
        flags: as of `re.compile`.

    Raises:
        re.error: it is not a regular expression.
    """
    if sys.version_info >= _MENDED:
        return re.compile(pattern, flags)
    if isinstance(pattern, bytes):
        return re.compile(spelt_out(pattern.decode("latin-1")).encode("latin-1"), flags)
    return re.compile(spelt_out(pattern), flags)


def spelt_out(pattern: str) -> str:
    """The same expression with atomic groups where it has possessive ones."""
    out: list[str] = []
    opened: list[int] = []
    at = 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None:  # not well formed: `re` says so better
            return pattern
        at = token.end()
        if token[0] == "(":
            opened.append(len(out))
        out.append(token[0])
        if token[0] != ")" or not opened:
            continue
        start = opened.pop()
        quantifier = _POSSESSIVE.match(pattern, at)
        if quantifier is not None:
            at = quantifier.end()
            out[start:] = [_atomic("".join(out[start:]), quantifier[1])]
    return "".join(out)


def _atomic(group: str, quantifier: str) -> str:
    if quantifier in "*+":
        return f"(?>(?:(?>{group}{{1,{_AT_ONCE}}})){quantifier})"
    return f"(?>{group}{quantifier})"

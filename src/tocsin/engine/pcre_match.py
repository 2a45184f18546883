"""PCRE sub-signatures, run by PCRE2 with a match limit.

Source: ClamAV manual, "PCRE subsignatures"; PCRE2, pcre2pattern(3), "LIMIT_MATCH". That the
expression sees the object from its offset on and nothing before it, and how `g` counts, was
measured with clamscan 1.4.6.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from tocsin.engine.view import ObjectView, Range
from tocsin.errors import LimitReached

if TYPE_CHECKING:
    import pcre2

MATCH_LIMIT = 100_000
DEPTH_LIMIT = 2_000
MAX_SUBJECT = 100 * 1024 * 1024


@lru_cache(maxsize=1024)
def _compiled(pattern: bytes, jit: bool) -> pcre2.Pattern:
    import pcre2

    limits = b"(*LIMIT_MATCH=%d)(*LIMIT_DEPTH=%d)" % (MATCH_LIMIT, DEPTH_LIMIT)
    return pcre2.compile(limits + pattern, jit=jit)


def pcre_count(pattern: bytes, flags: str, starts: list[Range] | None, view: ObjectView) -> int:
    """How often a regular expression matches: at most once without the flag `g`.

    Args:
        pattern: the expression, with its inline options.
        flags: the sub-signature's flags.
        starts: where it may start, as `ObjectView.starts` gives it.
        view: the object.

    Raises:
        LimitReached: the object is larger than a regular expression is given.
    """
    if view.size > MAX_SUBJECT:
        raise LimitReached(f"a regular expression is given {MAX_SUBJECT} bytes at most")
    for low, high in starts if starts is not None else [(0, view.size)]:
        count = _count_from(pattern, flags, low, high, starts is not None, view)
        if count:
            return count
    return 0


def _count_from(
    pattern: bytes, flags: str, low: int, high: int, placed: bool, view: ObjectView
) -> int:
    import pcre2

    if low > view.size:
        return 0
    shift = high - low if placed else 0
    subject = view.data[low:] if low else view.data
    if "e" in flags and shift:
        subject = subject[:shift]
    anchored = "A" in flags or (placed and not shift and "r" not in flags)
    count = position = 0
    while position <= len(subject):
        view.check_time()
        try:
            match = _search(pattern, anchored, subject, position)
        except pcre2.LibraryError:  # the match limit: clamscan takes it as no match
            break
        if match is None or (shift and match.start() > shift):
            break
        count += 1
        if "g" not in flags or anchored:
            break
        position = match.end() if match.end() > match.start() else match.end() + 1
    return count


def _search(pattern: bytes, anchored: bool, subject: bytes, position: int) -> pcre2.Match | None:
    """Search with the just-in-time compiler, and without when its stack does not suffice."""
    import pcre2

    try:
        return _at(_compiled(pattern, True), anchored, subject, position)
    except pcre2.LibraryError:
        return _at(_compiled(pattern, False), anchored, subject, position)


def _at(regex: pcre2.Pattern, anchored: bool, subject: bytes, position: int) -> pcre2.Match | None:
    return regex.match(subject, position) if anchored else regex.search(subject, position)

"""Where tocsin and clamscan differ on purpose: the only place that says so, as data.

Each deviation names the section of docs/compatibility.md that gives reason and evidence. A
disagreement that none of them explains fails the test; a test of its own checks that every
section named here exists.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple


class Disagreement(NamedTuple):
    """One name for one file, or one database, on which the two sides do not agree.

    Attributes:
        signature: the database lines that matter.
        data: the scanned bytes.
        ours: whether tocsin reports the name; with `malformed` whether it loads the line.
        malformed: whether the disagreement is about loading.
    """

    signature: str
    data: bytes
    ours: bool
    malformed: bool = False


class Deviation(NamedTuple):
    """A difference that is wanted.

    Attributes:
        section: heading anchor in docs/compatibility.md.
        applies: whether it explains a disagreement.
    """

    section: str
    applies: Callable[[Disagreement], bool]


_GROUP_FIRST = re.compile(r"(?:^|[:;*}]|\{[^}]*\})(\((?:[0-9a-fA-F?|]|\([^()]*\))*\))")
_LINE_MARKER_INSIDE = re.compile(r"[0-9a-fA-F?)]!?\(L\)[0-9a-fA-F?(]")
_NEGATED_EDGE = re.compile(r"(?:^|[:;*}])!\([BLW]\)")


def _starts_with_prefixes(line: str) -> bool:
    """Whether a part starts with alternatives of which one begins another."""
    for group in _GROUP_FIRST.findall(line):
        options = [option for option in group[1:-1].split("|") if option]
        if any(a != b and b.startswith(a) for a in options for b in options):
            return True
        if len({len(option) for option in options}) > 1:
            return True
    return False


def _gap_memory(case: Disagreement) -> bool:
    return "*" in case.signature or "{" in case.signature


DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(
        "alternatives-at-the-start-of-a-part",
        lambda case: not case.malformed and _starts_with_prefixes(case.signature),
    ),
    Deviation(
        "line-markers-inside-a-part",
        lambda case: not case.malformed
        and b"\r\n" in case.data
        and bool(_LINE_MARKER_INSIDE.search(case.signature)),
    ),
    Deviation(
        "negated-markers-at-the-left-edge",
        lambda case: not case.malformed
        and case.ours
        and bool(_NEGATED_EDGE.search(case.signature)),
    ),
)


def explained(case: Disagreement) -> str | None:
    """The section that explains a disagreement, or None."""
    for deviation in DEVIATIONS:
        if deviation.applies(case):
            return deviation.section
    return None

"""Semantic Versioning 2.0.0, clause 11; a leading `v` and missing numbers are forgiven."""

from __future__ import annotations

import re
from typing import Any

_VERSION = re.compile(
    r"[vV=]?\s*(\d+(?:\.\d+)*)(?:-([0-9A-Za-z.-]+)|([A-Za-z][0-9A-Za-z.-]*))?(?:\+\S*)?\Z"
)
_MOST_NUMBERS = 8


def key(version: str) -> Any:
    """Key of a version; build metadata count for nothing."""
    found = _VERSION.match(version.strip())
    if found is None:
        raise ValueError(f"{version[:100]!r} is no semantic version")
    numbers = [int(part) for part in found[1].split(".")]
    if len(numbers) > _MOST_NUMBERS:
        raise ValueError(f"{version[:100]!r} has more than {_MOST_NUMBERS} numbers")
    numbers += [0] * (_MOST_NUMBERS - len(numbers))
    before = found[2] or found[3]
    if not before:
        return (*numbers, (1,))
    return (*numbers, (0, *(prerelease_part(part) for part in before.split("."))))


def prerelease_part(part: str) -> tuple[int, int, str]:
    """Numbers come before words, and by their value."""
    return (0, int(part), "") if part.isdigit() else (1, 0, part)

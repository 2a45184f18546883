"""Versions by the rules of programming languages' registries."""

from __future__ import annotations

import functools
import re
from itertools import zip_longest
from typing import Any

from tocsin.audit.osv.versions.semantic import prerelease_part

_NUGET = re.compile(r"[vV]?(\d+(?:\.\d+){0,3})(?:-([0-9A-Za-z.-]+))?(?:\+\S*)?\Z")
_NUMBERS = re.compile(r"\d+(?:[.-]\d+)*\Z")
_GEM = re.compile(r"[0-9]+(?:\.[0-9A-Za-z]+)*(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?\Z")
_GEM_PARTS = re.compile(r"[0-9]+|[a-z]+", re.I)
_PACKAGIST = re.compile(
    r"v?(\d+(?:\.\d+){0,3})(?:[._-]?(stable|alpha|a|beta|b|rc|patch|pl|p)"
    r"((?:[.-]?\d+)*))?([.-]?dev)?(?:\+\S*)?\Z",
    re.I,
)
_STABILITIES = {"alpha": 1, "a": 1, "beta": 2, "b": 2, "rc": 3, "": 4, "stable": 4}
_PATCH = 5


def pep440(version: str) -> Any:
    """Python's rule (version specifiers specification)."""
    from packaging.version import Version

    return Version(version)  # what is none raises InvalidVersion, a ValueError


def nuget(version: str) -> Any:
    """NuGet's rule: four numbers, then as Semantic Versioning without regard to capitals."""
    found = _NUGET.match(version.strip())
    if found is None:
        raise ValueError(f"{version[:100]!r} is no NuGet version")
    numbers = [int(part) for part in found[1].split(".")]
    numbers += [0] * (4 - len(numbers))
    if not found[2]:
        return (*numbers, (1,))
    return (*numbers, (0, *(prerelease_part(part) for part in found[2].lower().split("."))))


def numbers(version: str) -> Any:
    """Numbers with points or hyphens between them (Hackage, CRAN)."""
    if not _NUMBERS.match(version.strip()):
        raise ValueError(f"{version[:100]!r} is no row of numbers")
    return tuple(int(part) for part in re.split(r"[.-]", version.strip()))


def packagist(version: str) -> Any:
    """Composer's rule: up to four numbers, then a stability with its own number."""
    found = _PACKAGIST.match(version.strip())
    if found is None:
        raise ValueError(f"{version[:100]!r} is no Composer version")
    parts = [int(part) for part in found[1].split(".")]
    parts += [0] * (4 - len(parts))
    stability = (found[2] or "").lower()
    level = _STABILITIES.get(stability, _PATCH)
    more = tuple(int(part) for part in re.findall(r"\d+", found[3] or ""))
    return (*parts, 0 if found[4] else level, more)


def rubygems(version: str) -> Any:
    """RubyGems' rule (Gem::Version): words are before the release, zeros at the end are none."""
    word = version.strip()
    if not _GEM.match(word):
        raise ValueError(f"{version[:100]!r} is no gem version")
    segments: list[int | str] = []
    for part in _GEM_PARTS.findall(word.replace("-", ".pre.")):
        if not part.isdigit():
            if all(isinstance(each, int) for each in segments):
                _drop_zeros(segments)  # 1.0.a is 1.a
            segments.append(part)
        else:
            segments.append(int(part))
    _drop_zeros(segments)
    return _gem_key(segments)


def _drop_zeros(segments: list[int | str]) -> None:
    while segments and segments[-1] == 0:
        segments.pop()


def _compare_gems(one: list[int | str], other: list[int | str]) -> int:
    for left, right in zip_longest(one, other, fillvalue=0):
        if left == right:
            continue
        if isinstance(left, str) != isinstance(right, str):
            return -1 if isinstance(left, str) else 1
        return -1 if left < right else 1  # type: ignore[operator]  # both are of one type
    return 0


_gem_key = functools.cmp_to_key(_compare_gems)

"""Versions of Linux distributions' packages: dpkg, rpm and apk."""

from __future__ import annotations

import re
from typing import Any

_DIGITS = re.compile(r"(\D*)(\d*)")
_RPM_PARTS = re.compile(r"(~)|(\^)|(\d+)|([A-Za-z]+)")
_APK = re.compile(
    r"(?P<numbers>\d+(?:\.\d+)*)(?P<letter>[a-z]?)(?P<suffixes>(?:_[a-z]+\d*)*)"
    r"(?:~[0-9a-f]+)?(?:-r(?P<revision>\d+))?\Z"
)
_APK_SUFFIX = re.compile(r"_([a-z]+)(\d*)")
_APK_BEFORE = ("alpha", "beta", "pre", "rc")
_APK_AFTER = ("cvs", "svn", "git", "hg", "p")


def dpkg(version: str) -> Any:
    """Debian's rule (policy 5.6.12): words and numbers by turns, `~` before the end."""
    epoch, colon, rest = version.strip().partition(":")
    if not colon:
        epoch, rest = "0", epoch
    if not epoch.isdigit() or not rest or any(letter.isspace() for letter in rest):
        raise ValueError(f"{version[:100]!r} is no Debian version")
    upstream, hyphen, revision = rest.rpartition("-")
    if not hyphen:
        upstream, revision = revision, "0"
    return (int(epoch), _dpkg_parts(upstream), _dpkg_parts(revision))


def _dpkg_parts(text: str) -> tuple[Any, ...]:
    parts: list[Any] = []
    for words, digits in _DIGITS.findall(text):
        if words or digits:
            parts += [(*map(_dpkg_order, words), 0), int(digits or 0)]
    parts.append((0,))
    return tuple(parts)


def _dpkg_order(letter: str) -> int:
    if letter == "~":
        return -1
    return ord(letter) if letter.isalpha() else ord(letter) + 256


def rpm(version: str) -> Any:
    """The rule of rpm (rpm-version(7)): `~` before the end, `^` after it, words before numbers."""
    epoch, colon, rest = version.strip().partition(":")
    if not colon:
        epoch, rest = "0", epoch
    if not epoch.isdigit() or not rest:
        raise ValueError(f"{version[:100]!r} is no rpm version")
    upstream, _, release = rest.partition("-")
    return (int(epoch), _rpm_parts(upstream), _rpm_parts(release))


def _rpm_parts(text: str) -> tuple[Any, ...]:
    parts: list[Any] = []
    for tilde, caret, digits, word in _RPM_PARTS.findall(text):
        if tilde:
            parts.append((0,))
        elif caret:
            parts.append((2,))
        elif digits:
            parts.append((4, int(digits)))
        else:
            parts.append((3, word))
    parts.append((1,))
    return tuple(parts)


def apk(version: str) -> Any:
    """The rule of apk-tools: numbers, a letter, suffixes around the release, a revision."""
    found = _APK.match(version.strip())
    if found is None:
        raise ValueError(f"{version[:100]!r} is no apk version")
    parts: list[Any] = []
    for index, digits in enumerate(found["numbers"].split(".")):
        zeros = len(digits) - len(digits.lstrip("0"))
        if index and zeros:  # `1.05` is a fraction: the more zeros, the less
            parts.append((5, -zeros, int(digits)))
        else:
            parts.append((5, int(digits), 0))
    if found["letter"]:
        parts.append((4, ord(found["letter"])))
    for suffix, number in _APK_SUFFIX.findall(found["suffixes"]):
        if suffix in _APK_BEFORE:
            parts.append((0, _APK_BEFORE.index(suffix), int(number or 0)))
        elif suffix in _APK_AFTER:
            parts.append((3, _APK_AFTER.index(suffix), int(number or 0)))
        else:
            raise ValueError(f"{version[:100]!r} has a suffix that apk does not know")
    if found["revision"]:
        parts.append((2, int(found["revision"])))
    parts.append((1,))
    return tuple(parts)

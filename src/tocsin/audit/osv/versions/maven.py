"""Maven's order of versions (POM reference, "Version Order Specification"; ComparableVersion)."""

from __future__ import annotations

import functools
import re
from itertools import zip_longest
from typing import Any

_QUALIFIERS = ("alpha", "beta", "milestone", "rc", "snapshot", "", "sp")
_SYNONYMS = {"ga": "", "final": "", "release": "", "cr": "rc"}
_SHORT = {"a": "alpha", "b": "beta", "m": "milestone"}
_TOKEN = re.compile(r"(\d+)|([^\d.-]+)|([.-])")
_RELEASE = _QUALIFIERS.index("")
MOST_TOKENS = 200

_Item = tuple[str, Any]
"""`("n", number)`, `("q", (rank, word))` or `("l", items)`."""


def key(version: str) -> Any:
    """Key of a version."""
    word = version.strip().lower()
    if not word or any(letter.isspace() for letter in word):
        raise ValueError(f"{version[:100]!r} is no Maven version")
    return _key(_parse(word))


def _parse(word: str) -> list[_Item]:
    """A list of numbers and qualifiers; a hyphen, or a change between both, begins a list in it."""
    outermost: list[_Item] = []
    stack = [outermost]
    was = ""  # of the token before: "n", "q" or the separator
    tokens = _TOKEN.findall(word)
    if len(tokens) > MOST_TOKENS:
        raise ValueError("a Maven version of more parts than any has")
    for index, (digits, letters, separator) in enumerate(tokens):
        if separator:
            if was in ("", ".", "-"):
                stack[-1].append(("n", 0))
            if separator == "-":
                _deeper(stack)
            was = separator
            continue
        if digits:
            if was == "q":
                _deeper(stack)
            stack[-1].append(("n", int(digits)))
            was = "n"
            continue
        if was == "n":
            _deeper(stack)
        before_digit = index + 1 < len(tokens) and bool(tokens[index + 1][0])
        name = _SHORT.get(letters, letters) if before_digit else letters
        stack[-1].append(("q", _rank(_SYNONYMS.get(name, name))))
        was = "q"
    for items in reversed(stack):
        _trim(items)
    return outermost


def _deeper(stack: list[list[_Item]]) -> None:
    inner: list[_Item] = []
    stack[-1].append(("l", inner))
    stack.append(inner)


def _rank(name: str) -> tuple[int, str]:
    if name in _QUALIFIERS:
        return (_QUALIFIERS.index(name), "")
    return (len(_QUALIFIERS), name)


def _trim(items: list[_Item]) -> None:
    """Take away what means nothing at the end, and before each list within."""
    at = len(items) - 1
    while at >= 0:
        if _is_null(items[at]):
            del items[at]
        elif items[at][0] != "l":
            break
        at -= 1


def _is_null(item: _Item) -> bool:
    kind, value = item
    if kind == "n":
        return bool(value == 0)
    if kind == "q":
        return bool(value[0] == _RELEASE)
    return not value


def _compare(one: list[_Item], other: list[_Item]) -> int:
    for left, right in zip_longest(one, other):
        result = _compare_items(left, right) if left is not None else -_compare_items(right, None)
        if result:
            return result
    return 0


def _compare_items(left: _Item, right: _Item | None) -> int:
    kind, value = left
    if right is None:
        if kind == "n":
            return 1 if value else 0
        if kind == "q":
            return _sign(value, (_RELEASE, ""))
        return next((c for c in (_compare_items(item, None) for item in value) if c), 0)
    other_kind, other = right
    if kind == other_kind:
        return _compare(value, other) if kind == "l" else _sign(value, other)
    order = {"q": 0, "l": 1, "n": 2}
    return _sign(order[kind], order[other_kind])


def _sign(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


_key = functools.cmp_to_key(_compare)

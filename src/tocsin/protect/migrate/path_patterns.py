"""Expressions for paths (POSIX extended, as `ExcludePath` has them) as globs that match the same.

Globs are what the settings know: easier to read, and without a search that can take for ever.
Most expressions that people write here have one; what has none is said, never bent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

MOST_GLOBS = 64
LONGEST = 1024

_QUANTIFIER = re.compile(r"[*+?]|\{(\d{1,2})(?:,(\d{1,2}))?\}", re.A)
_ANY, _RUN = "?", "*"


class _NoGlob(Exception):
    """The expression says something that no glob can."""


def globs_of(expression: str) -> list[str] | None:
    """Globs of which one matches exactly the absolute paths that the expression is found in.

    Args:
        expression: POSIX extended regular expression.

    Returns:
        The globs, or None when there are none that say the same.
    """
    if len(expression) > LONGEST:
        return None
    try:
        reader = _Reader(expression)
        branches = reader.alternation(top=True)
        if not reader.at_end:
            return None
        found = [glob for branch in branches for glob in _whole(branch)]
    except _NoGlob:
        return None
    unique = list(dict.fromkeys(found))
    return unique if len(unique) <= MOST_GLOBS else None


class _Branch:
    """One way an expression can match: pieces of a glob, and whether its ends are tied."""

    def __init__(self, pieces: tuple[str, ...], *, start: bool = False, end: bool = False) -> None:
        self.pieces = pieces
        self.start = start
        self.end = end


class _Reader:
    """Reads an expression from the left."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._text)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def alternation(self, *, top: bool) -> list[_Branch]:
        """Branches parted by `|`, each expanded."""
        found = self._branch(top=top)
        while self._peek() == "|":
            self._at += 1
            found += self._branch(top=top)
            _bound(found)
        return found

    def _branch(self, *, top: bool) -> list[_Branch]:
        start = end = False
        if self._peek() == "^":
            if not top:
                raise _NoGlob
            start = True
            self._at += 1
        found: list[tuple[str, ...]] = [()]
        while not self.at_end and self._peek() not in "|)":
            if self._peek() == "$":
                self._at += 1
                if not top or self._peek() not in ("", "|"):
                    raise _NoGlob
                end = True
                break
            choices = self._repeated(self._atom())
            found = [before + choice for before in found for choice in choices]
            _bound(found)
        return [_Branch(pieces, start=start, end=end) for pieces in found]

    def _atom(self) -> list[tuple[str, ...]]:
        character = self._peek()
        self._at += 1
        if character == "(":
            self._depth += 1
            if self._depth > 20:
                raise _NoGlob
            inner = self.alternation(top=False)
            if self._peek() != ")":
                raise _NoGlob
            self._at += 1
            self._depth -= 1
            return [branch.pieces for branch in inner]
        if character == ".":
            return [(_ANY,)]
        if character == "[":
            return [(self._bracket(),)]
        if character == "\\":
            character = self._peek()
            self._at += 1
            if not character or character.isalnum():
                raise _NoGlob  # classes and references of other dialects
        elif character in "*+?{^":
            raise _NoGlob
        return [(_literal(character),)]

    def _bracket(self) -> str:
        text = self._text
        close = self._at + (2 if text[self._at : self._at + 1] == "^" else 1)
        close = text.find("]", close)
        inside = text[self._at : close]
        plain = close >= 0 and not re.search(r"\[[:.=]|\\", inside) and inside[:1] != "!"
        if not plain or any(low > high for low, high in re.findall(r"(.)-(.)", inside)):
            raise _NoGlob
        self._at = close + 1
        return f"[!{inside[1:]}]" if inside.startswith("^") else f"[{inside}]"

    def _repeated(self, choices: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        form = _QUANTIFIER.match(self._text, self._at)
        if form is None:
            if self._peek() == "{":
                raise _NoGlob
            return choices
        self._at = form.end()
        if _QUANTIFIER.match(self._text, self._at):
            raise _NoGlob
        if form[0] == "?":
            return [*choices, ()]
        if form[0] in "*+":
            if choices != [(_ANY,)]:
                raise _NoGlob
            return [(_RUN,)] if form[0] == "*" else [(_ANY, _RUN)]
        least, most = int(form[1]), int(form[2] or form[1])
        if most < least or most > 16 or len(choices) != 1:
            raise _NoGlob
        return [choices[0] * count for count in range(least, most + 1)]


def _bound(found: list[_Branch] | list[tuple[str, ...]]) -> None:
    if len(found) > MOST_GLOBS:
        raise _NoGlob


def _literal(character: str) -> str:
    return f"[{character}]" if character in "*?[" else character


def _whole(branch: _Branch) -> Iterator[str]:
    """Globs for whole absolute paths in which the branch is found.

    A glob without `/` would be held against names alone, so each gets the path's first `/`.
    """
    tail = "" if branch.end else _RUN
    pieces = branch.pieces
    if not branch.start:
        yield _joined("/", _RUN, *pieces, tail)
    yield from _from_the_start(pieces, tail)


def _from_the_start(pieces: tuple[str, ...], tail: str) -> Iterator[str]:
    """Globs for paths that begin with what the pieces match; the path begins with `/`."""
    if not pieces:
        if tail:
            yield "/*"
        return
    first, rest = pieces[0], pieces[1:]
    if first == _RUN:
        yield _joined("/", _RUN, *rest, tail)
        yield from _from_the_start(rest, tail)
    elif fnmatchcase("/", first):
        yield _joined("/", *rest, tail)


def _joined(*pieces: str) -> str:
    return re.sub(r"\*\*+", "*", "".join(pieces))

"""On which line each key of a TOML file stands, which Python's own reader does not say.

Only text that `tomllib` has accepted is walked here, so that nothing has to be refused: what
is not understood all the same is passed over, and a problem then names the line of the table.
"""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress

KeyPath = tuple[str | int, ...]
"""Keys and places in arrays from the top of the file: `("task", 0, "paths")`."""

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANKS = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL = re.compile(r"'[^'\n]*'")
_BASIC_LINES = re.compile(r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}', re.S)
_LITERAL_LINES = re.compile(r"'''(?:[^']|'{1,2}(?!'))*'{3,5}", re.S)
_PLAIN = re.compile(r"[^,\]}#\n]*")


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line, counted from 1, of every key, table and array element of a valid file."""
    walk = _Walk(text.replace("\r\n", "\n"))
    with suppress(_LostError, RecursionError):
        walk.file()
    return walk.lines


def line_of(lines: dict[KeyPath, int], path: KeyPath) -> int:
    """The line of a key, or of what is around it; 0 when it is nowhere."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 0


class _LostError(Exception):
    """The text is not what the walk takes it for."""


class _Walk:
    """One pass over the text.

    Attributes:
        lines: what was found.
    """

    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._counted = (0, 1)
        self._tables: dict[KeyPath, int] = {}

    def file(self) -> None:
        """Walk everything."""
        table: KeyPath = ()
        while True:
            self._skip(_SPACE)
            if self._at >= len(self._text):
                return
            if self._text.startswith("[[", self._at):
                table = self._header(2)
            elif self._text[self._at] == "[":
                table = self._header(1)
            else:
                self._pair(table)

    def _header(self, brackets: int) -> KeyPath:
        line = self._line()
        self._at += brackets
        keys = self._keys()
        self._expect("]" * brackets)
        if brackets == 1:
            path = self._within_arrays(keys)
        else:
            path = (*self._within_arrays(keys[:-1]), keys[-1])
            number = self._tables.get(path, -1) + 1
            self._tables[path] = number
            self.lines.setdefault(path, line)
            path = (*path, number)
        self.lines[path] = line
        return path

    def _within_arrays(self, keys: tuple[str, ...]) -> KeyPath:
        """The path of a table whose parents may be arrays: then the last one is meant."""
        path: KeyPath = ()
        for key in keys:
            path = (*path, key)
            if path in self._tables:
                path = (*path, self._tables[path])
        return path

    def _pair(self, table: KeyPath) -> None:
        line = self._line()
        keys = self._keys()
        path = table
        for key in keys:
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._expect("=")
        self._skip(_BLANKS)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        head = self._text[self._at : self._at + 3]
        if head.startswith('"""'):
            self._take(_BASIC_LINES)
        elif head.startswith("'''"):
            self._take(_LITERAL_LINES)
        elif head.startswith('"'):
            self._take(_BASIC)
        elif head.startswith("'"):
            self._take(_LITERAL)
        elif head.startswith("["):
            self._array(path)
        elif head.startswith("{"):
            self._inline_table(path)
        else:
            self._take(_PLAIN)

    def _array(self, path: KeyPath) -> None:
        self._expect("[")
        number = 0
        while True:
            self._skip(_SPACE)
            if self._text.startswith("]", self._at):
                self._at += 1
                return
            element = (*path, number)
            self.lines[element] = self._line()
            self._value(element)
            number += 1
            self._skip(_SPACE)
            if self._text.startswith(",", self._at):
                self._at += 1
            elif not self._text.startswith("]", self._at):
                raise _LostError

    def _inline_table(self, path: KeyPath) -> None:
        self._expect("{")
        while True:
            self._skip(_SPACE)
            if self._text.startswith("}", self._at):
                self._at += 1
                return
            self._pair(path)
            self._skip(_SPACE)
            if self._text.startswith(",", self._at):
                self._at += 1
            elif not self._text.startswith("}", self._at):
                raise _LostError

    def _keys(self) -> tuple[str, ...]:
        keys = []
        while True:
            self._skip(_BLANKS)
            keys.append(self._key())
            self._skip(_BLANKS)
            if not self._text.startswith(".", self._at):
                return tuple(keys)
            self._at += 1

    def _key(self) -> str:
        if self._text.startswith('"', self._at):
            return str(tomllib.loads("k=" + self._take(_BASIC))["k"])
        if self._text.startswith("'", self._at):
            return self._take(_LITERAL)[1:-1]
        return self._take(_BARE)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise _LostError
        self._at = found.end()
        return found[0]

    def _skip(self, pattern: re.Pattern[str]) -> None:
        self._take(pattern)

    def _expect(self, what: str) -> None:
        self._skip(_BLANKS)
        if not self._text.startswith(what, self._at):
            raise _LostError
        self._at += len(what)

    def _line(self) -> int:
        """The line of where it stands; counted on from the last one asked for."""
        place, line = self._counted
        line += self._text.count("\n", place, self._at)
        self._counted = (self._at, line)
        return line

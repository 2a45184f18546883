"""The part of Python's `marshal` format in which PyInstaller writes a table of modules.

`marshal.loads` itself may crash on hostile bytes, and says so; this reads lists, tuples,
dictionaries, texts and numbers, to a fixed depth, and nothing else.

Source: CPython, `Doc/library/marshal.rst` and the type codes of `Python/marshal.c`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

_DEEPEST = 6
_MOST_VALUES = 2_000_000
_SHARED = 0x80
_BETWEEN_CHECKS = 10_000

_Value = None | int | str | tuple["_Value", ...]


class Unreadable(Exception):
    """The bytes are not such a table."""


def read_table(
    data: bytes, start: int, alive: Callable[[], None]
) -> Iterator[tuple[str, int, int]]:
    """Read the table of modules.

    Args:
        data: bytes that hold it.
        start: where it begins.
        alive: called now and then.

    Returns:
        Name, position and size of each module.

    Raises:
        Unreadable: the bytes are something else.
    """
    table = _Reader(data, start, alive).value(0)
    if not isinstance(table, tuple):
        raise Unreadable("it is not a list")
    return _modules(table)


def _modules(table: tuple[_Value, ...]) -> Iterator[tuple[str, int, int]]:
    for row in table:
        if not isinstance(row, tuple) or len(row) != 2:
            continue
        name, place = row
        if not isinstance(name, str) or not isinstance(place, tuple) or len(place) != 3:
            continue
        _, position, size = place
        if isinstance(position, int) and isinstance(size, int) and position >= 0 and size >= 0:
            yield name, position, size


class _Reader:
    """Reads values one after the other."""

    def __init__(self, data: bytes, start: int, alive: Callable[[], None]) -> None:
        self._data = data
        self._at = start
        self._alive = alive
        self._shared: list[_Value] = []
        self._count = 0

    def _take(self, count: int) -> bytes:
        piece = self._data[self._at : self._at + count]
        if len(piece) < count:
            raise Unreadable("truncated")
        self._at += count
        return piece

    def _number(self, size: int = 4) -> int:
        return int.from_bytes(self._take(size), "little", signed=size == 4)

    def value(self, depth: int) -> _Value:
        """Read one value; containers become tuples, a dictionary one of pairs."""
        self._count += 1
        if self._count % _BETWEEN_CHECKS == 0:
            self._alive()
        if depth > _DEEPEST or self._count > _MOST_VALUES:
            raise Unreadable("too deep or too long")
        code = self._take(1)[0]
        place = -1
        if code & _SHARED:
            place = len(self._shared)
            self._shared.append(None)
        result = self._content(chr(code & ~_SHARED), depth)
        if place >= 0:
            self._shared[place] = result
        return result

    def _content(self, code: str, depth: int) -> _Value:
        if code == "i":
            return self._number()
        if code == "N":
            return None
        if code in "TF":
            return int(code == "T")
        if code in "zZ":
            return self._text(self._number(1))
        if code in "aAuts":
            return self._text(self._number())
        if code == "r":
            number = self._number()
            if not 0 <= number < len(self._shared):
                raise Unreadable("a reference to nothing")
            return self._shared[number]
        if code == ")":
            return self._values(self._number(1), depth)
        if code in "([":
            return self._values(self._number(), depth)
        if code == "{":
            return self._pairs(depth)
        raise Unreadable(f"a value of kind {code!r}")

    def _text(self, size: int) -> str:
        if size < 0:
            raise Unreadable("a text of negative length")
        return self._take(size).decode("utf-8", "surrogateescape")

    def _values(self, count: int, depth: int) -> tuple[_Value, ...]:
        if not 0 <= count <= len(self._data) - self._at:
            raise Unreadable("truncated")
        return tuple(self.value(depth + 1) for _ in range(count))

    def _pairs(self, depth: int) -> tuple[_Value, ...]:
        pairs = []
        while self._data[self._at : self._at + 1] != b"0":
            pairs.append((self.value(depth + 1), self.value(depth + 1)))
        self._at += 1
        return tuple(pairs)

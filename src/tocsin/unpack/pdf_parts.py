"""Small texts of a PDF that are handed on together: of its pages, or of very many streams."""

from __future__ import annotations

import re

from tocsin.patterns import compile_pattern
from tocsin.unpack.interface import Budget

_LARGEST = 1024 * 1024
_SHOWN = compile_pattern(
    rb"\[([^\[\]()]*+(?:\((?:[^()\\]++|\\.)*+\)[^\[\]()]*+)++)\]\s*+TJ", re.DOTALL
)
_STRING = compile_pattern(rb"\(((?:[^()\\]++|\\.)*+)\)", re.DOTALL)


class Parts:
    """Texts that become one object, each ended by a line's end.

    Args:
        name: of the object.
        type_name: as what it is matched, or empty to have it identified.
        budget: what their bytes are charged to, unless they were charged before.
    """

    def __init__(self, name: str, type_name: str, budget: Budget) -> None:
        self.name = name
        self.type_name = type_name
        self._budget = budget
        self._parts: list[bytes] = []
        self._size = 0
        largest = budget.limits.max_file_size
        self._largest = min(_LARGEST, largest) if largest else _LARGEST

    def __bool__(self) -> bool:
        return bool(self._parts)

    def fits(self, size: int) -> bool:
        """Whether so many bytes more go into the same object."""
        return self._size + size < self._largest

    def add(self, data: bytes, *, charged: bool) -> None:
        """Add a text."""
        self._budget.charge_bytes(1 if charged else len(data) + 1)
        self._parts.append(data)
        self._size += len(data) + 1

    def take(self) -> bytes:
        """Give what was collected, and begin anew."""
        text = b"".join([part + b"\n" for part in self._parts])
        self._parts, self._size = [], 0
        return text


def page_text(data: bytes) -> bytes:
    """The text of a page, as far as it stands in arrays of shown strings.

    clamscan matches signatures of text on it: on the strings of every `[(…) -20 (…)] TJ`,
    joined without their gaps.

    Args:
        data: what may be a page's content.

    Source: ISO 32000-1, 9.4.3.
    """
    if b"TJ" not in data or b"BT" not in data:
        return b""
    strings: list[bytes] = []
    for shown in _SHOWN.finditer(data):
        strings += _STRING.findall(shown[1])
    return b"".join(strings)

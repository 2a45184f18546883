"""Where the parts of an executable lie in the file.

Signatures may name a place by the entry point or a section instead of a number. The
values here are the ones clamscan 1.4.6 would use, with its roundings; a file it calls
broken has no layout, and offsets of that kind never match in it.
"""

from __future__ import annotations

from typing import NamedTuple


class Section(NamedTuple):
    """A stretch of the file.

    Attributes:
        offset: first byte.
        size: number of bytes.
    """

    offset: int
    size: int


class Layout(NamedTuple):
    """What offsets relative to an executable's headers refer to.

    Attributes:
        entry_point: file offset of the first instruction, or None if it lies nowhere.
        sections: in the order of the headers; one without file bytes has size 0.
    """

    entry_point: int | None
    sections: tuple[Section, ...]

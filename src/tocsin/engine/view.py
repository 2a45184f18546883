"""One object while it is being matched: its bytes, and what was already found out about them.

Everything asked twice is remembered here for as long as the object is looked at: the
lower-case copy, the header's layout, where offsets resolve to, which patterns match where.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from tocsin.formats.executable import read_layout
from tocsin.formats.identify import TARGETS
from tocsin.formats.layout import Layout

Range = tuple[int, int]

NORMALISED_ONLY = frozenset({"HTML", "TEXT_ASCII"})
"""Types whose own target sees their normal forms and not the bytes as they are."""

RELATIVE_ANCHORS = frozenset({"EP", "S", "SL", "SE", "VI", "EOF"})
"""What resolves to nothing in an executable whose header is broken."""


class ObjectView:
    """An object's bytes and what is known about them.

    Args:
        data: the bytes.
        type_name: what it was identified as.
        parents: types of the containers around it, the outermost first.
        check_time: raises `LimitReached` when the scan's time is over.
        raw: whether these are an object's own bytes and not another form of it.

    Attributes:
        found: matches already looked up, by pattern, offset and whether all were wanted.
    """

    def __init__(
        self,
        data: bytes,
        type_name: str,
        parents: tuple[str, ...],
        check_time: Callable[[], None],
        *,
        raw: bool = False,
    ) -> None:
        self.data = data
        self.size = len(data)
        self.type_name = type_name
        self.target = 0 if raw and type_name in NORMALISED_ONLY else TARGETS.get(type_name, 0)
        self.parents = parents
        self.check_time = check_time
        self.found: dict[Any, list[int]] = {}
        self._ranges: dict[Any, list[Range] | None] = {}

    @cached_property
    def lower(self) -> bytes:
        """The bytes with ASCII letters in lower case."""
        return self.data.lower()

    @cached_property
    def layout(self) -> Layout | None:
        """Entry point and sections, or None when it is no executable or a broken one."""
        return read_layout(self.data, self.type_name)

    @property
    def broken(self) -> bool:
        """Whether it claims to be an executable and its header cannot be read."""
        return self.target in (1, 6, 9) and self.layout is None

    def starts(self, offset: tuple[str, int, int, int] | None) -> list[Range] | None:
        """Where a match at this offset may start.

        Returns:
            Ranges of positions, both ends included; None for anywhere, empty for nowhere.
        """
        if offset is None:
            return None
        if offset not in self._ranges:
            self._ranges[offset] = self._resolve(*offset)
        return self._ranges[offset]

    def _resolve(self, anchor: str, distance: int, index: int, shift: int) -> list[Range]:
        if anchor == "start":
            return [(distance, distance + shift)]
        if anchor in RELATIVE_ANCHORS and self.broken:
            return []
        if anchor == "EOF":
            start = self.size + distance
            return [(start, start + shift)] if start >= 0 else []
        layout = self.layout
        if layout is None:
            return []
        if anchor == "EP":
            if layout.entry_point is None:
                return []
            start = layout.entry_point + distance
            return [(start, start + shift)]
        if anchor == "VI":
            from tocsin.formats.pe import version_info_offsets

            return [(place, place) for place in version_info_offsets(self.data)]
        sections = layout.sections
        if anchor == "SL":
            index = len(sections) - 1
        if not 0 <= index < len(sections):
            return []
        section = sections[index]
        if anchor == "SE":
            return [(section.offset, section.offset + section.size + shift)]
        start = section.offset + distance
        return [(start, start + shift)]

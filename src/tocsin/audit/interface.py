"""What readers of packages and bills of materials look like to whoever has files for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from tocsin.audit.model import Component, Skipped


class Reader(Protocol):
    """Reads one kind of file."""

    def __call__(self, data: bytes, place: str, /) -> Iterator[Component | Skipped]:
        """Read a file.

        Args:
            data: the whole file.
            place: where it is; members of archives follow a `!`.
        """
        ...


class Recogniser(Protocol):
    """Knows a kind of file by its name and its beginning."""

    def __call__(self, name: str, head: bytes, /) -> Reader | None:
        """What reads a file, or None when it is none of those.

        Args:
            name: its path, as far as it is known: inside an archive, from the archive's top.
            head: its bytes, or the first of them.
        """
        ...


def recognise_nothing(name: str, head: bytes) -> Reader | None:
    """For whoever wants programs alone."""
    del name, head
    return None

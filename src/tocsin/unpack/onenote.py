"""Files inside sections of OneNote.

Source: MS-ONESTORE 2.6.13 (FileDataStoreObject).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tocsin.errors import FormatError
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.parts import Parts
from tocsin.unpack.stream import Interrupted, copy

_MAGIC = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3")
_FILE = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")
_HEAD_BYTES = 36


class OneNoteUnpacker:
    """Unpacks sections of OneNote: each file that was dropped into a page, pictures too."""

    types = frozenset({"ONENOTE"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        if not data.startswith(_MAGIC):
            raise FormatError("not a section of OneNote")
        parts = Parts(budget)
        at = data.find(_FILE)
        while at >= 0:
            size = int.from_bytes(data[at + 16 : at + 24], "little")
            start = at + _HEAD_BYTES
            end = start + size
            fits = end <= len(data)
            yield from parts.member(
                f"file {parts.position + 1}", _cut(data, start, end), size if fits else 0
            )
            at = data.find(_FILE, end if fits else start)


def _cut(data: bytes, start: int, end: int) -> Iterator[bytes]:
    yield from copy(data, start, min(end, len(data)))
    if end > len(data):
        raise Interrupted(Reason.DAMAGED, "truncated")


UNPACKER = OneNoteUnpacker()

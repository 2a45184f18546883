"""Help files of Windows (WinHelp): the files of their internal file system.

Macros stand in `|SYSTEM`, pictures in `|bm0` and following, and authors could pack any file
of theirs in ("baggage").

Source: M. Winterhoff and others, helpfile.txt (the published reverse engineering).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import error, unpack_from

from tocsin.errors import FormatError
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.parts import Parts
from tocsin.unpack.stream import Interrupted, copy

_MAGIC = b"\x3f\x5f\x03\x00"
_TREE = 0x293B
_TREE_HEADER = 38
_FILE_HEADER = 9
_NO_PAGE = 0xFFFF
_LONGEST_NAME = 256
_DEEPEST = 8


class HelpUnpacker:
    """Unpacks help files."""

    types = frozenset({"HLP"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        if not data.startswith(_MAGIC):
            raise FormatError("not a help file")
        parts = Parts(budget)
        try:
            for name, offset in _directory(data):
                used = int(unpack_from("<I", data, offset + 4)[0])
                start = offset + _FILE_HEADER
                chunks = _cut(data, start, start + used)
                yield from parts.member(name, chunks, min(used, len(data)))
        except error:
            yield parts.skip("", Reason.DAMAGED, "its directory makes no sense")


def _directory(data: bytes) -> Iterator[tuple[str, int]]:
    """Names and places of files, from the leftmost leaf of the tree to the last.

    Raises:
        struct.error: something lies outside of the file.
    """
    tree = unpack_from("<I", data, 4)[0] + _FILE_HEADER
    magic, _flags, page_size = unpack_from("<HHH", data, tree)
    root, _minus, _pages, levels = unpack_from("<HHHH", data, tree + 26)
    if magic != _TREE or not 1 <= levels <= _DEEPEST:
        raise error("no tree")
    page = root
    for _ in range(levels - 1):
        (page,) = unpack_from("<H", data, tree + _TREE_HEADER + page * page_size + 4)
    seen: set[int] = set()
    while page != _NO_PAGE:
        if page in seen:
            raise error("its pages go round in a circle")
        seen.add(page)
        at = tree + _TREE_HEADER + page * page_size
        _unused, count, _before, page = unpack_from("<HHHH", data, at)
        at += 8
        for _ in range(count):
            end = data.find(0, at, at + _LONGEST_NAME)
            if end < 0:
                raise error("a name without an end")
            (offset,) = unpack_from("<I", data, end + 1)
            yield data[at:end].decode("latin-1"), offset
            at = end + 5


def _cut(data: bytes, start: int, end: int) -> Iterator[bytes]:
    yield from copy(data, start, min(end, len(data)))
    if end > len(data):
        raise Interrupted(Reason.DAMAGED, "truncated")


UNPACKER = HelpUnpacker()

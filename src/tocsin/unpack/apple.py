"""AppleSingle and AppleDouble: the forks of a Macintosh file in one file.

Source: RFC 1740, appendices A and B.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tocsin.errors import FormatError
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.stream import Interrupted, Meta, copy, report, take

_MAGICS = (b"\x00\x05\x16\x00", b"\x00\x05\x16\x07")
_HEADER = 26
_ENTRY = 12
_DATA_FORK, _RESOURCE_FORK, _REAL_NAME = 1, 2, 3
_NAMES = {_DATA_FORK: "data fork", _RESOURCE_FORK: "resource fork"}
_LONGEST_NAME = 1024


class AppleUnpacker:
    """Unpacks AppleSingle and AppleDouble: the forks, not what is said of them."""

    types = frozenset({"APPLESINGLE"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        if not data.startswith(_MAGICS):
            raise FormatError("neither AppleSingle nor AppleDouble")
        entries = _entries(data)
        name = ""
        for kind, start, size in entries:
            if kind == _REAL_NAME:
                raw = data[start : start + min(size, _LONGEST_NAME)]
                name = raw.decode("utf-8", "surrogateescape")
        position = 0
        for kind, start, size in entries:
            if kind not in _NAMES or not size:
                continue
            position += 1
            budget.charge_file()
            label = name if name and kind == _DATA_FORK else _NAMES[kind]
            meta = Meta(label, size, size, position)
            yield from report(meta, take(_bytes(data, start, size), budget))


def _bytes(data: bytes, start: int, size: int) -> Iterator[bytes]:
    yield from copy(data, start, min(start + size, len(data)))
    if start + size > len(data):
        raise Interrupted(Reason.DAMAGED, "truncated")


def _entries(data: bytes) -> list[tuple[int, int, int]]:
    """Kind, offset and size of each entry, as far as the data goes."""
    count = int.from_bytes(data[24:26], "big")
    found = []
    for at in range(_HEADER, min(_HEADER + count * _ENTRY, len(data) - _ENTRY + 1), _ENTRY):
        numbers = (data[place : place + 4] for place in (at, at + 4, at + 8))
        kind, start, size = (int.from_bytes(number, "big") for number in numbers)
        found.append((kind, start, size))
    return found


UNPACKER = AppleUnpacker()

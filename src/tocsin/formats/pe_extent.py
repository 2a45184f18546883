"""Where a Windows program ends: the size its own headers give it.

Cheaper than `pe.py`, and of an image that begins anywhere in an object: it is asked for every
pair of letters `MZ` that might be the head of a hidden program.
Source: "PE Format", Microsoft: COFF file header, optional header, section table.
"""

from __future__ import annotations

from struct import Struct

_COFF = Struct("<4sHHIIIHH")
_RAW = Struct("<II")
_SECTION_BYTES = 40
_MOST_SECTIONS = 96
_SECURITY = 4
_OPTIONAL_MAGICS = {0x10B: 96, 0x20B: 112}
"""Optional header's first word: bytes before the data directories."""


class Extent:
    """What the headers of an image say about its size.

    Attributes:
        start: where it begins.
        sections_end: where its last section ends.
        end: where its last section or its signature ends, whichever is later.
    """

    __slots__ = ("end", "sections_end", "start")

    def __init__(self, start: int, sections_end: int, end: int) -> None:
        self.start = start
        self.sections_end = sections_end
        self.end = end


def pe_extent(data: bytes, start: int = 0) -> Extent | None:
    """Read the headers of an image.

    Args:
        data: the object.
        start: where the letters `MZ` stand in it.

    Returns:
        Its extent, which may reach beyond the end of the object; None when there are no
        headers that Windows would load.
    """
    if len(data) < start + 64 or not data.startswith(b"MZ", start):
        return None
    headers = start + int.from_bytes(data[start + 60 : start + 64], "little")
    if not data.startswith(b"PE\0\0", headers) or headers + 24 + 64 > len(data):
        return None
    _, _machine, count, _, _, _, optional_size, _ = _COFF.unpack_from(data, headers)
    optional = headers + _COFF.size
    before = _OPTIONAL_MAGICS.get(int.from_bytes(data[optional : optional + 2], "little"))
    table = optional + optional_size
    if not 0 < count <= _MOST_SECTIONS or before is None:
        return None
    if table + count * _SECTION_BYTES > len(data):
        return None
    end = table + count * _SECTION_BYTES
    for row in range(table, end, _SECTION_BYTES):
        size, offset = _RAW.unpack_from(data, row + 16)
        if size and offset:
            end = max(end, start + offset + size)
    sections_end = end
    security = optional + before + 8 * _SECURITY
    if security + 8 <= table:
        offset, size = _RAW.unpack_from(data, security)
        if offset and size and start + offset >= sections_end:
            end = start + offset + size
    return Extent(start, sections_end, end)

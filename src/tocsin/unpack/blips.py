"""Pictures in drawings of Office's binary formats.

Source: MS-ODRAW 2.2.23 (OfficeArtBlip); MS-XLS 2.4.171 (MsoDrawingGroup).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.unpack.deflate import DEFLATE
from tocsin.unpack.interface import Member, Skipped
from tocsin.unpack.parts import Parts
from tocsin.unpack.stream import Interrupted, copy, decompress

STREAMS = frozenset({"Pictures", "Data", "WordDocument", "Workbook"})
"""Names of streams that hold drawings."""

_BLIP = re.compile(
    rb"\xf0(?:(?<=[\x1d\x1e\x29\x2a]\xf0)"
    rb"(?P<bitmap>.{4})(?P<bitmap_head>.{17}(?:.{16})?)"
    rb"(?=\x89PNG|\xff\xd8\xff|II\*\x00|MM\x00\*)"
    rb"|(?<=[\x1a-\x1c]\xf0)(?P<metafile>.{4})(?P<metafile_head>.{16}(?:.{16})?.{32}\x00\xfe)"
    rb"(?=\x78[\x01\x5e\x9c\xda]))",
    re.DOTALL,
)
"""Header of a blip, the digests of its picture, and how the picture begins; of a metafile
that is deflated, the 34 bytes that describe it too."""

_GROUP = re.compile(rb"\xeb\x00..\x0f\x00\x00\xf0", re.DOTALL)
_DRAWINGS, _CONTINUED = 0xEB, 0x3C
_ZLIB_HEADER = 2


def pictures(data: bytes, name: str, parts: Parts) -> Iterator[Member | Skipped]:
    """Hand out the pictures in a stream.

    Args:
        data: the stream.
        name: its name in the directory.
        parts: hands out.
    """
    if name == "Workbook":
        data = _drawings(data)
    at = 0
    while (found := _BLIP.search(data, at)) is not None:
        parts.budget.check_time()
        size = int.from_bytes(found["bitmap"] or found["metafile"], "little")
        head = len(found["bitmap_head"] or found["metafile_head"])
        start, end = found.end(), found.end() + size - head
        if size < head or end > len(data):
            at = found.start() + 1
            continue
        if found["bitmap"] is not None:
            yield from parts.member(f"picture at {start:#x}", copy(data, start, end), size)
        else:
            yield from parts.member(f"picture at {start:#x}", _inflate(data, start, end), size)
        at = end


def _inflate(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """Inflate a metafile; what is no deflate stream was a chance hit."""
    try:
        yield from decompress(DEFLATE, data, start + _ZLIB_HEADER, end)
    except Interrupted:
        return


def _drawings(data: bytes) -> bytes:
    """The group of drawings of a workbook, whose records continue one another."""
    found = _GROUP.search(data)
    if found is None:
        return b""
    at = found.start()
    pieces = []
    while int.from_bytes(data[at : at + 2], "little") in (_DRAWINGS, _CONTINUED):
        size = int.from_bytes(data[at + 2 : at + 4], "little")
        pieces.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return b"".join(pieces)

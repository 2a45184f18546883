"""Objects in PowerPoint's document stream: deflated compound files of their own.

Source: MS-PPT 2.10.34 (ExOleObjStg).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.unpack.deflate import DEFLATE
from tocsin.unpack.interface import Member, Reason, Skipped
from tocsin.unpack.parts import Parts
from tocsin.unpack.stream import Interrupted, copy, decompress

_STORAGE = re.compile(
    rb"\x10\x00\x11\x10.{8}[\x08\x18\x28\x38\x48\x58\x68\x78][\x01\x5e\x9c\xda]"
    rb"|\x00\x00\x11\x10.{4}\xd0\xcf\x11\xe0",
    re.DOTALL,
)
"""Record header of a storage: deflated, with the size it had, or as it is."""

_ZLIB_HEADER = 2


def objects(data: bytes, parts: Parts) -> Iterator[Member | Skipped]:
    """Take out embedded objects and the macros' project.

    They are found by their headers wherever they stand: damage before one does not hide it.
    A deflated one that does not inflate is a chance hit unless its record fits the stream.
    """
    for found in _STORAGE.finditer(data):
        at = found.start()
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        end = min(at + 8 + length, len(data))
        name = f"object at {at:#x}"
        if not data[at]:
            yield from parts.member(name, copy(data, at + 8, end), length)
        elif length >= 6:
            size = int.from_bytes(data[at + 8 : at + 12], "little")
            yield from parts.member(name, inflate(data, at + 12, end, size), length, size=size)


def inflate(data: bytes, start: int, end: int, size: int) -> Iterator[bytes]:
    """Inflate a zlib stream that stands behind the size of what it holds.

    Some PowerPoints leave out the end of the stream: what has the stated size is whole.
    """
    produced = 0
    try:
        for chunk in decompress(DEFLATE, data, start + _ZLIB_HEADER, end):
            produced += len(chunk)
            yield chunk
    except Interrupted as error:
        if produced != size:
            raise Interrupted(Reason.DAMAGED, f"embedded object: {error}") from error

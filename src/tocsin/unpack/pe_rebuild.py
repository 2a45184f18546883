"""Writes a Windows program out of an image in memory.

What comes out is for signatures, not for running: the sections as they lay in memory, cut
where nothing but zeros follows, the entry point where the program began, and no imports,
because their names are gone. clamscan writes its unpacked programs alike.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from tocsin.unpack.emulator_image import RESOURCES, Image

_FILE_UNIT, _PAGE = 0x200, 0x1000
_HEADERS_AT = 0x40
_CODE, _DATA = 0x60000020, 0xC0000040
"""Characteristics: code that is read and executed, data that are read and written."""

_MACHINES = {False: (0x14C, 0xE0, 0x10F), True: (0x8664, 0xF0, 0x2F)}
_DLL = 0x2000
_GUI = 2
_SMALLEST_IMAGE = 0x1000


class _Piece(NamedTuple):
    rva: int
    size: int
    data: bytes


def rebuild(image: Image, memory: bytes, entry: int) -> Iterator[bytes]:
    """Write a program.

    Args:
        image: the headers of the packed program.
        memory: its image as it lies in memory.
        entry: RVA of the entry point; one that is not in the image is not written.

    Yields:
        The file, in pieces.
    """
    pieces = list(_pieces(image, memory))
    machine, optional_size, flags = _MACHINES[image.wide]
    table = _HEADERS_AT + 24 + optional_size
    headers_size = _up(table + 40 * len(pieces), _FILE_UNIT)
    coff = struct.pack(
        "<4sHHIIIHH",
        b"PE\0\0",
        machine,
        len(pieces),
        *(0, 0, 0),
        optional_size,
        flags | (_DLL if image.dll else 0),
    )
    optional = bytearray(optional_size)
    struct.pack_into("<H", optional, 0, 0x20B if image.wide else 0x10B)
    struct.pack_into("<I", optional, 16, entry if entry < len(memory) else 0)
    struct.pack_into("<Q" if image.wide else "<I", optional, 24 if image.wide else 28, image.base)
    struct.pack_into("<II", optional, 32, _PAGE, _FILE_UNIT)
    struct.pack_into("<HHHH", optional, 40, 4, 0, 0, 0)
    struct.pack_into("<HH", optional, 48, 4, 0)
    end = max([_SMALLEST_IMAGE, *(piece.rva + piece.size for piece in pieces)])
    struct.pack_into("<II", optional, 56, _up(end, _PAGE), headers_size)
    struct.pack_into("<H", optional, 68, _GUI)
    fixed = 112 if image.wide else 96
    struct.pack_into("<I", optional, fixed - 4, 16)
    if len(image.directories) > RESOURCES:
        struct.pack_into("<II", optional, fixed + 8 * RESOURCES, *image.directories[RESOURCES])
    head = bytearray(headers_size)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 60, _HEADERS_AT)
    head[_HEADERS_AT:table] = coff + bytes(optional)
    offset = headers_size
    for number, piece in enumerate(pieces):
        raw_size = _up(len(piece.data), _FILE_UNIT)
        name = f".mem{number + 1:02}".encode()
        flags = _CODE if piece.rva <= entry < piece.rva + piece.size else _DATA
        row = (name, piece.size, piece.rva, raw_size, offset if raw_size else 0, flags)
        struct.pack_into("<8sIIII12xI", head, table + 40 * number, *row)
        offset += raw_size
    yield bytes(head)
    for piece in pieces:
        yield piece.data.ljust(_up(len(piece.data), _FILE_UNIT), b"\0")


def _pieces(image: Image, memory: bytes) -> Iterator[_Piece]:
    """The sections in the order of memory, without overlaps, and what lies behind them."""
    at = 0
    ends = sorted((section.rva, section.rva + section.size) for section in image.sections)
    ends.append((max((end for _, end in ends), default=_PAGE), len(memory)))
    for start, end in ends:
        start = max(start, at)
        end = min(end, len(memory))
        data = memory[start:end].rstrip(b"\0")
        if start >= end or (not data and (start, end) == ends[-1]):
            continue
        yield _Piece(start, end - start, data)
        at = end


def _up(value: int, unit: int) -> int:
    return -(-value // unit) * unit

"""ELF files: entry point and sections.

Sources: System V ABI, chapter 4 (ELF header, sections) and 5 (program header); where the
ABI leaves a reader free, clamscan 1.4.6 as measured: it counts sections from the empty
first one, and looks for the entry point through the program headers.
"""

from __future__ import annotations

from struct import Struct

from tocsin.formats.layout import Layout, Section

_MAX_PROGRAM_HEADERS = 128
_MAX_SECTIONS = 256


def read_elf_layout(data: bytes) -> Layout | None:
    """Tells where entry point and sections of an ELF file lie.

    Args:
        data: the whole file.

    Returns:
        The layout, or None if the file is broken.
    """
    if len(data) < 52 or data[:4] != b"\x7fELF" or data[4] not in (1, 2) or data[5] not in (1, 2):
        return None
    wide = data[4] == 2
    order = "<" if data[5] == 1 else ">"
    header = Struct(order + ("QQQ4xHHHHHH" if wide else "III4xHHHHHH"))
    if len(data) < 24 + header.size:
        return None
    fields = header.unpack_from(data, 24)
    entry, programs, table, _, program_size, program_count, size, count, _ = fields
    entry_point: int | None = 0
    if program_count > _MAX_PROGRAM_HEADERS:
        return None
    if program_count and entry:
        if program_size != (56 if wide else 32):
            return None
        entry_point = _map(data, order, wide, entry=entry, programs=programs, count=program_count)
        if entry_point is None:
            return None
    row = Struct(order + ("24xQQ24x" if wide else "16xII16x"))
    if not 0 < count <= _MAX_SECTIONS or size != row.size or table + count * size > len(data):
        return None
    sections = tuple(
        Section(*row.unpack_from(data, table + index * row.size)) for index in range(count)
    )
    return Layout(entry_point, sections)


def _map(
    data: bytes, order: str, wide: bool, *, entry: int, programs: int, count: int
) -> int | None:
    """Finds the file offset of an address through the program headers."""
    row = Struct(order + ("8xQQ8x8xQ8x" if wide else "4xII4x4xI8x"))
    if programs + count * row.size > len(data):
        return None
    for index in range(count):
        offset, address, size = row.unpack_from(data, programs + index * row.size)
        if address <= entry < address + size:
            return int(entry - address + offset)
    return None

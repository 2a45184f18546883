"""Mach-O files: entry point, sections and the slices of universal binaries.

Sources: the structures of Apple's `mach-o/loader.h` and `mach-o/fat.h` as its "OS X ABI
Mach-O File Format Reference" describes them; where they leave a reader free, clamscan
1.4.6 as measured: it knows entry points of PowerPC only (LC_UNIXTHREAD, no LC_MAIN).
"""

from __future__ import annotations

from struct import Struct

from tocsin.formats.layout import Layout, Section

_SEGMENT, _SEGMENT_64 = 0x1, 0x19
_THREAD, _UNIX_THREAD = 0x4, 0x5
_MAX_COMMANDS = 1024
_MAX_SECTIONS = 255
_MAX_ALIGN = 31

# Bytes from the start of a thread command to the saved program counter, and its width.
_PROGRAM_COUNTER = {18: (16, 4), 0x1000012: (16, 8)}

# Address, size, file offset and rounded size of each section.
_Rows = list[tuple[int, int, int, int]]

_MAGICS = {
    b"\xce\xfa\xed\xfe": ("<", False),
    b"\xcf\xfa\xed\xfe": ("<", True),
    b"\xfe\xed\xfa\xce": (">", False),
    b"\xfe\xed\xfa\xcf": (">", True),
}


def read_macho_layout(data: bytes) -> Layout | None:
    """Tells where entry point and sections of a Mach-O file lie.

    Args:
        data: the whole file, one architecture.

    Returns:
        The layout, or None if the file is broken.
    """
    if len(data) < 28 or data[:4] not in _MAGICS:
        return None
    order, wide = _MAGICS[data[:4]]
    cpu, _, _, count = Struct(order + "IIII").unpack_from(data, 4)
    if not 0 < count <= _MAX_COMMANDS:
        return None
    command = Struct(order + "II")
    place = 32 if wide else 28
    rows: _Rows = []
    entry = 0
    for _ in range(count):
        if place + 8 > len(data):
            return None
        kind, size = command.unpack_from(data, place)
        if kind in (_SEGMENT, _SEGMENT_64):
            end = _segment(data, place, order, kind == _SEGMENT_64, rows)
            if end is None:
                return None
            place = end
            continue
        if kind in (_THREAD, _UNIX_THREAD) and cpu in _PROGRAM_COUNTER:
            offset, width = _PROGRAM_COUNTER[cpu]
            raw = data[place + offset : place + offset + width]
            if len(raw) < width:
                return None
            entry = int.from_bytes(raw, "little" if order == "<" else "big")
        place += max(size, 8)
    sections = tuple(Section(offset, size) for _, _, offset, size in rows)
    entry_point = _map(entry, rows)
    return Layout(entry_point, sections) if sections and entry_point is not None else None


def _segment(data: bytes, place: int, order: str, wide: bool, rows: _Rows) -> int | None:
    """Adds the sections of one segment; tells where it ends, None if it is broken."""
    counter = place + (64 if wide else 48)
    if counter + 8 > len(data):
        return None
    count = int.from_bytes(data[counter : counter + 4], "little" if order == "<" else "big")
    if count > _MAX_SECTIONS:
        return None
    row = Struct(order + ("32xQQII24x" if wide else "32xIIII20x"))
    place += 72 if wide else 56
    if place + count * row.size > len(data):
        return None
    for index in range(count):
        address, size, offset, align = row.unpack_from(data, place + index * row.size)
        if align > _MAX_ALIGN:
            return None
        unit = 1 << align
        rows.append((address, size, offset, -(-size // unit) * unit))
    return place + count * row.size


def _map(entry: int, rows: _Rows) -> int | None:
    if not entry:
        return 0
    for address, size, offset, _ in rows:
        if address <= entry < address + size:
            return entry - address + offset
    return None


def fat_slices(data: bytes) -> tuple[Section, ...]:
    """Lists the files that a universal binary is made of.

    Args:
        data: the whole universal binary.

    Returns:
        The slices that lie in the file, in the order of its header.
    """
    if len(data) < 8 or data[:4] != b"\xca\xfe\xba\xbe":
        return ()
    count = int.from_bytes(data[4:8], "big")
    if not 0 < count <= 32:
        return ()
    row = Struct(">8xII4x")
    slices = []
    for index in range(min(count, (len(data) - 8) // row.size)):
        offset, size = row.unpack_from(data, 8 + index * row.size)
        if size and offset + size <= len(data):
            slices.append(Section(offset, size))
    return tuple(slices)

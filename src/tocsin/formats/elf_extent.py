"""Where a Linux program ends: the size its own headers give it.

Source: System V ABI, "ELF Header", "Program Header", "Section Header".
"""

from __future__ import annotations

from struct import Struct

_HEADERS = {
    (1, 1): Struct("<HHIIIIIHHHHHH"),
    (1, 2): Struct(">HHIIIIIHHHHHH"),
    (2, 1): Struct("<HHIQQQIHHHHHH"),
    (2, 2): Struct(">HHIQQQIHHHHHH"),
}
_SIZES = {1: (52, 32, 40), 2: (64, 56, 64)}
"""Bytes of the header, of a program header, and of a section header, by class."""
_MOST_PROGRAM_HEADERS = 256
_KINDS = (1, 2, 3, 4)
_IDENTIFICATION = 16


def elf_end(data: bytes, start: int) -> int | None:
    """Read the headers of an image.

    Args:
        data: the object.
        start: where the image begins in it.

    Returns:
        Where it ends, which may be behind the object's end; None when there are no headers
        that an image would have.
    """
    form = (data[start + 4], data[start + 5]) if start + _IDENTIFICATION <= len(data) else (0, 0)
    header = _HEADERS.get(form)
    if header is None or start + _IDENTIFICATION + header.size > len(data):
        return None
    kind, machine, version, _, segments, sections, _, size, row, rows, s_row, s_rows, _ = (
        header.unpack_from(data, start + _IDENTIFICATION)
    )
    sizes = _SIZES[form[0]]
    if kind not in _KINDS or not machine or version != 1 or size != sizes[0]:
        return None
    if (rows and row != sizes[1]) or (s_rows and s_row != sizes[2]) or not (rows or s_rows):
        return None
    end: int = start + size
    if s_rows:
        end = max(end, start + sections + s_rows * s_row)
    order = "<" if form[1] == 1 else ">"
    entry = Struct(order + ("4xI8xI12x" if form[0] == 1 else "8xQ16xQ16x"))
    for index in range(min(rows, _MOST_PROGRAM_HEADERS)):
        at = start + segments + index * row
        if at + entry.size > len(data):
            break
        offset, length = entry.unpack_from(data, at)
        end = max(end, start + offset + length)
    return end

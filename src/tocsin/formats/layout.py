"""Where the parts of an executable lie in the file.

Signatures may name a place by the entry point or a section instead of a number. The
values here are the ones clamscan 1.4.6 would use, with its roundings; a file it calls
broken has no layout, and offsets of that kind never match in it.
"""

from __future__ import annotations

from typing import NamedTuple


class Section(NamedTuple):
    """A stretch of the file.

    Attributes:
        offset: first byte.
        size: number of bytes.
    """

    offset: int
    size: int


class Layout(NamedTuple):
    """What offsets relative to an executable's headers refer to.

    Attributes:
        entry_point: file offset of the first instruction, or None if it lies nowhere.
        sections: in the order of the headers; one without file bytes has size 0.
    """

    entry_point: int | None
    sections: tuple[Section, ...]


def read_layout(data: bytes, type_name: str) -> Layout | None:
    """Reads the headers of an executable.

    Args:
        data: the whole file.
        type_name: its type, as `identify` gives it.

    Returns:
        The layout, or None if the file is broken or not an executable.
    """
    if type_name == "MSEXE":
        from tocsin.formats.pe import read_pe_layout

        return read_pe_layout(data)
    if type_name == "ELF":
        from tocsin.formats.elf import read_elf_layout

        return read_elf_layout(data)
    if type_name == "MACHO":
        from tocsin.formats.macho import read_macho_layout

        return read_macho_layout(data)
    return None

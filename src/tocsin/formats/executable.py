"""Reading an executable's headers, whichever of the three formats it has.

Each reader is imported when a file of its format turns up.
"""

from __future__ import annotations

from tocsin.formats.layout import Layout


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

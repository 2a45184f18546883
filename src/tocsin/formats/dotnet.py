"""Recognises .NET programs that carry resources.

Source: PE/COFF (data directory 14), ECMA-335 II.25.3.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import error, unpack_from

_SECTIONS_AT_MOST = 96
_CLI_DIRECTORY = 14


def dotnet_kinds(data: bytes) -> Iterator[str]:
    """Name the kind when a program is one of .NET with resources."""
    if resources_span(data) is not None:
        yield "DOTNET"


def resources_span(data: bytes) -> tuple[int, int] | None:
    """Where the resources of a .NET program stand, or None when it has none."""
    try:
        (header,) = unpack_from("<I", data, 60)
        if not data.startswith(b"PE\0\0", header):
            return None
        sections, optional = unpack_from("<H", data, header + 6)[0], header + 24
        (optional_size,) = unpack_from("<H", data, header + 20)
        (magic,) = unpack_from("<H", data, optional)
        directories = optional + (112 if magic == 0x20B else 96)
        cli, _size = unpack_from("<II", data, directories + 8 * _CLI_DIRECTORY)
        if not cli or directories + 8 * _CLI_DIRECTORY + 8 > optional + optional_size:
            return None
        table = optional + optional_size
        place = _offset(data, table, sections, cli)
        if place is None:
            return None
        resources, size = unpack_from("<II", data, place + 24)
        start = _offset(data, table, sections, resources) if resources and size else None
    except error:
        return None
    return None if start is None else (start, start + size)


def _offset(data: bytes, table: int, sections: int, address: int) -> int | None:
    """Place in the file of an address in memory."""
    for number in range(min(sections, _SECTIONS_AT_MOST)):
        size, start, raw_size, raw = unpack_from("<IIII", data, table + 40 * number + 8)
        if start <= address < start + max(size, raw_size):
            return int(raw + address - start)
    return None

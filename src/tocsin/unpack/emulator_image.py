"""Loads a Windows program into an emulated memory, as Windows would, and with more patience.

Packers are made by people who know what Windows's loader overlooks: headers that overlap
each other and the code, sections beyond the end of the file, counts that lie. Whatever can
be mapped is mapped. Sources: "PE Format", Microsoft; the samples of clamav-testfiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from tocsin.errors import FormatError
from tocsin.unpack.emulator_cpu import PAGE

_COFF = Struct("<4sHHIIIHH")
_SECTION = Struct("<8sIIII12xI")
_DIRECTORY = Struct("<II")
_DESCRIPTOR = Struct("<IIIII")
_MACHINES = {0x14C: False, 0x8664: True}
_MOST_SECTIONS = 96
_MOST_IMPORTS = 8192
_MOST_LIBRARIES = 256
_MOST_CALLBACKS = 16
_LONGEST_NAME = 128
_SECTOR = 0x200
_DLL = 0x2000

LARGEST_IMAGE = 64 << 20
"""Bytes of address space an image may take; its pages are given memory when written to."""

_MOST_BEHIND = 0x10000
"""Bytes that an image is believed to have behind its last section; Windows asks for none."""

IMPORTS, RESOURCES, TLS = 1, 2, 9


class Section(NamedTuple):
    """A section as it is mapped.

    Attributes:
        name: as stored.
        rva: where it begins.
        size: bytes in memory, in whole pages.
        raw: where its bytes begin in the file.
        raw_size: how many of them there are, within file and memory.
        flags: its characteristics.
    """

    name: bytes
    rva: int
    size: int
    raw: int
    raw_size: int
    flags: int


class Import(NamedTuple):
    """A function that the loader writes the address of into memory.

    Attributes:
        library: file name, in lower case.
        function: name, or `#number`.
        slot: RVA that the address is written to.
    """

    library: str
    function: str
    slot: int


class Image(NamedTuple):
    """A program, read but not loaded.

    Attributes:
        wide: whether it is for x86-64.
        dll: whether it is a library.
        base: address it wants to be loaded to.
        entry: RVA of its entry point.
        size: bytes of its image, in whole pages.
        headers_size: bytes of the file that are mapped before the sections.
        sections: its sections.
        directories: address and size of each data directory.
    """

    wide: bool
    dll: bool
    base: int
    entry: int
    size: int
    headers_size: int
    sections: tuple[Section, ...]
    directories: tuple[tuple[int, int], ...]


def _up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def read_image(data: bytes) -> Image:
    """Read the headers.

    Raises:
        FormatError: they are none that Windows would load, or describe an image too big.
    """
    start = int.from_bytes(data[60:64], "little")
    if len(data) < 64 or data[start : start + 4] != b"PE\0\0" or start + 24 + 64 > len(data):
        raise FormatError("no headers of a Windows program")
    _, machine, count, _, _, _, optional_size, flags = _COFF.unpack_from(data, start)
    if machine not in _MACHINES:
        raise FormatError(f"a program for machine {machine:#x}")
    optional = start + _COFF.size
    wide = data[optional : optional + 2] == b"\x0b\x02"
    if wide is not _MACHINES[machine]:
        raise FormatError("headers contradict each other")

    def number(offset: int, size: int = 4) -> int:
        return int.from_bytes(data[optional + offset : optional + offset + size], "little")

    flat = number(32) < PAGE
    sections = tuple(_sections(data, optional + optional_size, min(count, _MOST_SECTIONS), flat))
    headers_size = len(data) if flat else min(len(data), _up(max(number(60), 1), _SECTOR))
    lowest = min((section.rva for section in sections), default=LARGEST_IMAGE)
    headers_size = headers_size if flat else min(headers_size, max(lowest, _SECTOR))
    end = max([headers_size, *(section.rva + section.size for section in sections)])
    size = _up(max(end, min(number(56), end + _MOST_BEHIND)), PAGE)
    if size > LARGEST_IMAGE:
        raise FormatError(f"an image of {size} bytes")
    fixed = 112 if wide else 96
    places = range(optional + fixed, optional + fixed + 8 * min(number(fixed - 4), 16), 8)
    return Image(
        wide=wide,
        dll=bool(flags & _DLL),
        base=number(24, 8) if wide else number(28),
        entry=number(16),
        size=size,
        headers_size=headers_size,
        sections=sections,
        directories=tuple(_DIRECTORY.unpack_from(data, at) for at in places if at + 8 <= len(data)),
    )


def _sections(data: bytes, table: int, count: int, flat: bool) -> Iterator[Section]:
    for at in range(table, table + count * 40, 40):
        if at + 40 > len(data):
            return
        name, virtual_size, rva, raw_size, raw, flags = _SECTION.unpack_from(data, at)
        size = _up(virtual_size or raw_size, PAGE)
        if rva + size > LARGEST_IMAGE:
            continue
        offset = raw if flat else raw & -_SECTOR
        length = max(0, min(_up(raw_size, _SECTOR), size, len(data) - offset)) if raw_size else 0
        yield Section(name, rva if flat else rva & -PAGE, size, offset, length, flags)


def lay_out(image: Image, data: bytes) -> bytes:
    """The image as it lies in memory before anything runs."""
    memory = bytearray(image.size)
    memory[: image.headers_size] = data[: image.headers_size]
    for section in image.sections:
        piece = data[section.raw : section.raw + section.raw_size]
        memory[section.rva : section.rva + len(piece)] = piece
    return bytes(memory[: image.size])


def imports(image: Image, memory: bytes) -> Iterator[Import]:
    """What is to be imported, as far as it can be read."""
    left = _MOST_IMPORTS
    at = image.directories[IMPORTS][0] if len(image.directories) > IMPORTS else 0
    for _ in range(_MOST_LIBRARIES if at else 0):
        if at + _DESCRIPTOR.size > len(memory):
            return
        names, _, _, library_at, slots = _DESCRIPTOR.unpack_from(memory, at)
        at += _DESCRIPTOR.size
        library = _text(memory, library_at).lower()
        if not library or not slots:
            return
        for found in _functions(image, memory, library, names or slots, slots):
            left -= 1
            if left < 0:
                return
            yield found


def _functions(
    image: Image, memory: bytes, library: str, names: int, slots: int
) -> Iterator[Import]:
    step = 8 if image.wide else 4
    if not int.from_bytes(memory[names : names + step], "little") > 0:
        names = slots
    while 0 < names <= len(memory) - step and slots <= len(memory) - step:
        value = int.from_bytes(memory[names : names + step], "little")
        if not value:
            return
        by_number = value >> (8 * step - 1)
        name = f"#{value & 0xFFFF}" if by_number else _text(memory, (value & 0x7FFFFFFF) + 2)
        if not name:
            return
        yield Import(library, name, slots)
        names += step
        slots += step


def _text(memory: bytes, at: int) -> str:
    if at <= 0 or at >= len(memory):
        return ""
    end = memory.find(0, at, at + _LONGEST_NAME)
    return memory[at:end].decode("latin-1") if end >= 0 else ""


def callbacks(image: Image, memory: bytes) -> list[int]:
    """Addresses of the functions that run before the entry point (TLS callbacks)."""
    at = image.directories[TLS][0] if len(image.directories) > TLS else 0
    step = 8 if image.wide else 4
    if not 0 < at <= len(memory) - 4 * step:
        return []
    listed = int.from_bytes(memory[at + 3 * step : at + 4 * step], "little") - image.base
    found: list[int] = []
    while 0 < listed <= len(memory) - step and len(found) < _MOST_CALLBACKS:
        address = int.from_bytes(memory[listed : listed + step], "little")
        if not image.base <= address < image.base + image.size:
            break
        found.append(address)
        listed += step
    return found

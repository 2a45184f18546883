"""Windows executables: entry point, sections, imports and version strings.

Detection databases describe Windows malware by the code at its entry point, the digest
of a section, the list of functions it imports or the names in its version resource.
Sources are the PE format specification ("PE Format", Microsoft: MS-DOS stub, COFF file
header, Optional header, Section table, .idata, .rsrc) and, where the specification leaves
a reader free (alignment, truncation, what counts as broken), clamscan 1.4.6 as measured.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from tocsin.formats.layout import Layout, Section

_COFF = Struct("<4sHHIIIHH")
_SECTION = Struct("<8sIIII12xI")
_DIRECTORY = Struct("<II")
_PE32_PLUS = 0x20B
_SIGN = 0x80000000
_LARGEST = 0xFFFFFFFF
_SECTOR = 0x200

_IMPORTS = 1
_RESOURCES = 2


class _Section(NamedTuple):
    """A section after rounding; `size` is cut at the end of the file."""

    rva: int
    raw: int
    size: int
    present: bool


class _Image(NamedTuple):
    """The headers of a file that is not broken."""

    plus: bool
    headers_end: int
    entry_point: int
    sections: tuple[_Section, ...]
    directories: tuple[tuple[int, int], ...]
    file_size: int

    def to_raw(self, rva: int) -> int | None:
        """Maps an address to a file offset; of overlapping sections the last counts."""
        if rva < self.headers_end:
            return rva if rva < self.file_size else None
        for section in reversed(self.sections):
            if section.size and section.rva <= rva < section.rva + section.size:
                return section.raw + rva - section.rva
        return None

    def directory(self, number: int) -> tuple[int, int]:
        """Address and size of a data directory, (0, 0) if the header has none."""
        return self.directories[number] if number < len(self.directories) else (0, 0)


def _down(value: int, unit: int) -> int:
    return value - value % unit if unit else value


def _up(value: int, unit: int) -> int:
    return -(-value // unit) * unit if unit else value


def _read(data: bytes) -> _Image | None:
    """Reads the headers; None if the file is broken."""
    size = len(data)
    if size < 64 or data[:2] not in (b"MZ", b"ZM"):
        return None
    start = int.from_bytes(data[60:64], "little")
    if not start or start + _COFF.size + 2 > size:
        return None
    magic, _, count, _, _, _, optional_size, _ = _COFF.unpack_from(data, start)
    optional = start + _COFF.size
    if magic != b"PE\x00\x00" or not count:
        return None
    plus = data[optional : optional + 2] == b"\x0b\x02"
    fixed = 112 if plus else 96
    table = optional + optional_size
    if optional_size < fixed or table + count * 40 > size:
        return None
    fields = Struct("<16xI12x4xII20xI").unpack_from(data, optional)
    entry, section_unit, file_unit, headers_size = (
        fields[0],
        int.from_bytes(data[optional + 32 : optional + 36], "little"),
        int.from_bytes(data[optional + 36 : optional + 40], "little"),
        int.from_bytes(data[optional + 60 : optional + 64], "little"),
    )
    number = min(int.from_bytes(data[optional + fixed - 4 : optional + fixed], "little"), 16)
    if optional_size < fixed + 8 * number:
        return None
    directories = tuple(
        _DIRECTORY.unpack_from(data, optional + fixed + 8 * index) for index in range(number)
    )
    rows = [_SECTION.unpack_from(data, table + 40 * index) for index in range(count)]
    if file_unit != _SECTOR and any(
        row[3] and file_unit and row[4] % file_unit and not row[4] % _SECTOR for row in rows
    ):
        file_unit = _SECTOR
    sections = []
    for _, virtual_size, rva, raw_size, raw, _ in rows:
        offset, length = _down(raw, file_unit), _up(raw_size, file_unit)
        if (virtual_size | rva) & _SIGN or length > _LARGEST:
            return None
        present = not (raw_size and (offset >= size or raw >= size))
        length = min(length, size - offset) if present and raw_size else 0
        sections.append(_Section(_down(rva, section_unit), offset, length, present))
    image = _Image(
        plus, _up(headers_size, section_unit), entry, tuple(sections), directories, size
    )
    return image if image.to_raw(entry) is not None else None


def read_pe_layout(data: bytes) -> Layout | None:
    """Tells where entry point and sections of a PE file lie.

    Args:
        data: the whole file.

    Returns:
        The layout, or None if the file is broken.
    """
    image = _read(data)
    if image is None:
        return None
    return Layout(
        image.to_raw(image.entry_point), tuple(Section(s.raw, s.size) for s in image.sections)
    )


def hashed_sections(data: bytes) -> tuple[Section, ...]:
    """Tells which stretches of a PE file the section digests (.mdb, .msb) are taken of.

    Args:
        data: the whole file.

    Returns:
        One stretch for each section that has bytes in the file; its size is the one a
        signature has to give.
    """
    image = _read(data)
    if image is None:
        return ()
    return tuple(Section(s.raw, s.size) for s in image.sections if s.size)


# --- imports ------------------------------------------------------------------------------

_DESCRIPTOR = Struct("<IIIII")
_MAX_NAME = 1024
_MAX_IMPORTS = 65536


def _string(data: bytes, offset: int) -> bytes:
    end = data.find(b"\x00", offset, offset + _MAX_NAME)
    return data[offset : end if end >= 0 else offset + _MAX_NAME]


def import_string(data: bytes) -> str | None:
    """Spells the imports of a PE file the way their digest (.imp) is taken.

    Args:
        data: the whole file.

    Returns:
        `dll.function,dll.function,…` in lower case, or None if the file has no import
        table that can be read to its end, or is PE32+.
    """
    image = _read(data)
    if image is None or image.plus:
        return None
    address, left = image.directory(_IMPORTS)
    place = image.to_raw(address) if address and left else None
    if place is None:
        return None
    words: list[str] = []
    while left > _DESCRIPTOR.size and place + _DESCRIPTOR.size <= len(data):
        lookup, _, _, name_rva, first = _DESCRIPTOR.unpack_from(data, place)
        if not name_rva:
            break
        name_at = image.to_raw(name_rva)
        if name_at is None:
            return None
        library = _library(_string(data, name_at))
        thunks = image.to_raw(lookup or first)
        if library is None or thunks is None or not _functions(data, image, thunks, library, words):
            return None
        place += _DESCRIPTOR.size
        left -= _DESCRIPTOR.size
    return ",".join(words) if words else None


def _library(name: bytes) -> str | None:
    text = name.decode("latin-1").lower()
    stem, dot, extension = text.partition(".")
    return stem if dot and extension.startswith(("dll", "ocx", "sys")) else text


_NAME = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.")


def _functions(data: bytes, image: _Image, place: int, library: str, words: list[str]) -> bool:
    """Adds the functions taken from one library; False gives the whole list up."""
    while place + 4 <= len(data) and len(words) < _MAX_IMPORTS:
        thunk = int.from_bytes(data[place : place + 4], "little")
        place += 4
        if not thunk:
            break
        if thunk & _SIGN:
            from tocsin.formats.pe_ordinals import ordinal_name

            words.append(f"{library}.{ordinal_name(library, thunk & 0xFFFF)}")
            continue
        name_at = image.to_raw(thunk)
        if name_at is None:
            return False
        name = _string(data, name_at + 2)
        if not _NAME.issuperset(name):
            return False
        words.append(f"{library}.{name.decode('ascii').lower()}")
    return True


# --- version strings ----------------------------------------------------------------------

_RT_VERSION = 16
_MAX_RESOURCES = 1024


def version_info_offsets(data: bytes) -> tuple[int, ...]:
    """Tells where the names in the version resource lie (offset `VI` of signatures).

    A version resource holds records like CompanyName = "…" (VS_VERSIONINFO,
    StringFileInfo, StringTable, String). What counts is where the name of each record
    begins, if it has a value.

    Args:
        data: the whole file.

    Returns:
        File offsets in the order of the file's records.
    """
    image = _read(data)
    if image is None:
        return ()
    address, size = image.directory(_RESOURCES)
    if not address or not size:
        return ()
    found: list[int] = []
    for entry in _version_resources(data, image, address):
        found.extend(_strings_of(data, entry))
    return tuple(found)


def _entries(data: bytes, image: _Image, rva: int) -> list[tuple[int, int]]:
    """Name and target of each entry of a resource directory."""
    place = image.to_raw(rva)
    if place is None or place + 16 > len(data):
        return []
    named = int.from_bytes(data[place + 12 : place + 14], "little")
    numbered = int.from_bytes(data[place + 14 : place + 16], "little")
    place += 16
    count = min(named + numbered, _MAX_RESOURCES, (len(data) - place) // 8)
    return [_DIRECTORY.unpack_from(data, place + 8 * index) for index in range(count)]


def _version_resources(data: bytes, image: _Image, root: int) -> list[Section]:
    """File ranges of the resources of type RT_VERSION."""
    found: list[Section] = []
    for kind, names in _entries(data, image, root):
        if kind != _RT_VERSION or not names & _SIGN:
            continue
        for _, languages in _entries(data, image, root + (names & ~_SIGN)):
            if not languages & _SIGN:
                continue
            for _, leaf in _entries(data, image, root + (languages & ~_SIGN)):
                place = None if leaf & _SIGN else image.to_raw(root + leaf)
                if place is None or place + 16 > len(data) or len(found) >= _MAX_RESOURCES:
                    continue
                rva, size = _DIRECTORY.unpack_from(data, place)
                start = image.to_raw(rva)
                if start is not None:
                    found.append(Section(start, min(size, len(data) - start)))
    return found


_ROOT_KEY = "VS_VERSION_INFO\0".encode("utf-16-le")
_TABLES_KEY = "StringFileInfo\0".encode("utf-16-le")


def _word(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 2], "little")


def _strings_of(data: bytes, resource: Section) -> list[int]:
    """Walks one version resource."""
    found: list[int] = []
    place = resource.offset
    end = min(place + resource.size, place + _word(data, place))
    if data[place + 6 : place + 38] != _ROOT_KEY:
        return found
    place = (place + 38 - resource.offset + 3 & ~3) + resource.offset
    place += _word(data, resource.offset + 2) + 3 & ~3
    while place + 6 < end:
        length = _word(data, place)
        stop = min(end, place + length)
        if data[place + 6 : place + 36] == _TABLES_KEY:
            table = place + 36
            while table + 24 < stop:
                table_length = _word(data, table)
                record, last = table + 24, min(stop, table + table_length)
                while record + 6 < last:
                    step = _word(data, record) + 3 & ~3
                    if not step:
                        break
                    if _word(data, record + 2):
                        found.append(record + 6)
                    record += step
                if table_length < 24:
                    break
                table += table_length + 3 & ~3
        if length < 6:
            break
        place += length + 3 & ~3
    return found

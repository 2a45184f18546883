"""Windows executables: entry point, sections, imports and version strings.

Detection databases describe Windows malware by the code at its entry point, the digest
of a section, the list of functions it imports or the names in its version resource.
Sources are the PE format specification ("PE Format", Microsoft: MS-DOS stub, COFF file
header, Optional header, Section table, .idata, .rsrc) and, where the specification leaves
a reader free (alignment, truncation, what counts as broken), clamscan 1.4.6 as measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from tocsin.formats.layout import Layout, Section

_COFF = Struct("<4sHHIIIHH")
_SECTION = Struct("<8sIIII12xI")
_DIRECTORY = Struct("<II")
_PE32_PLUS = 0x20B
_SIGN = 0x80000000
_MAX_WORK = 1 << 22
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


class _Budget:
    """Bounds the work on headers made to keep a reader busy.

    Mapping an address costs as many steps as there are sections, so the more of them a
    file has, the fewer addresses are mapped.
    """

    def __init__(self, image: _Image) -> None:
        self._left = _MAX_WORK // (16 + len(image.sections))

    def spend(self) -> bool:
        """Takes one step; False when none is left."""
        self._left -= 1
        return self._left >= 0


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
    image = _Image(plus, _up(headers_size, section_unit), entry, tuple(sections), directories, size)
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
        image.to_raw(image.entry_point),
        tuple(Section(s.raw, s.size) for s in image.sections),
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
_MAX_NAME = 256
_BY_NUMBER = (b"ws2_32.dll", b"wsock32.dll", b"oleaut32.dll")
_NAME = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.")


def _string(data: bytes, offset: int) -> bytes:
    """Reads up to the next NUL."""
    return data[offset : offset + _MAX_NAME].partition(b"\x00")[0]


def import_string(data: bytes) -> str | None:
    """Spells the imports of a PE file the way their digest (.imp) is taken.

    Args:
        data: the whole file.

    Returns:
        `dll.function,dll.function,…` in lower case, bytes as Latin-1, or None if the file
        has no import table that can be read to its end, or is PE32+.
    """
    image = _read(data)
    if image is None or image.plus:
        return None
    address, left = image.directory(_IMPORTS)
    place = image.to_raw(address) if address and left else None
    if place is None or place + left > len(data):
        return None
    words: list[bytes] = []
    budget = _Budget(image)
    while left > _DESCRIPTOR.size:
        lookup, _, _, name_rva, first = _DESCRIPTOR.unpack_from(data, place)
        if not name_rva:
            break
        name_at = image.to_raw(name_rva)
        thunks = image.to_raw(lookup) if lookup else None
        if thunks is None:
            thunks = image.to_raw(first)
        if name_at is None or thunks is None:
            return None
        library = _string(data, name_at).lower()
        if not _functions(data, image, thunks, library, words=words, budget=budget):
            return None
        place += _DESCRIPTOR.size
        left -= _DESCRIPTOR.size
    return b",".join(words).decode("latin-1") if words else None


def _functions(
    data: bytes,
    image: _Image,
    place: int,
    library: bytes,
    *,
    words: list[bytes],
    budget: _Budget,
) -> bool:
    """Adds the functions taken from one library; False gives the whole list up."""
    stem, _, extension = library.partition(b".")
    known = stem.decode("latin-1") if library.startswith(_BY_NUMBER) else ""
    if not extension.startswith((b"dll", b"ocx", b"sys")):
        stem = library
    while place + 4 <= len(data):
        if not budget.spend():
            return False
        thunk = int.from_bytes(data[place : place + 4], "little")
        place += 4
        if not thunk:
            break
        if thunk & _SIGN:
            from tocsin.formats.pe_ordinals import ordinal_name

            name = ordinal_name(known, thunk & 0xFFFF).encode()
        else:
            hint = image.to_raw(thunk)
            if hint is None:
                name = b""
            elif hint + 2 + _MAX_NAME > len(data):
                continue
            else:
                name = _string(data, hint + 2)
            if not _NAME.issuperset(name):
                return False
        words.append(stem + b"." + name.lower())
    return True


# --- version strings ----------------------------------------------------------------------

_RT_VERSION = 16
_COUNTS = Struct("<12xHH")


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
    for resource in _version_resources(data, image, address):
        found.extend(_strings_of(data, resource))
    return tuple(found)


def _entries(
    data: bytes, image: _Image, rva: int, budget: _Budget, every: bool = True
) -> Iterator[tuple[int, int]]:
    """Name and target of each entry of a resource directory, or of the numbered ones."""
    place = image.to_raw(rva)
    if place is None or place + 16 > len(data):
        return
    named, numbered = _COUNTS.unpack_from(data, place)
    skipped = 0 if every else named
    for start in range(place + 16 + 8 * skipped, place + 16 + 8 * (named + numbered), 8):
        if start + 8 > len(data) or not budget.spend():
            return
        yield _DIRECTORY.unpack_from(data, start)


def _version_resources(data: bytes, image: _Image, root: int) -> Iterator[Section]:
    """File ranges of the resources of type RT_VERSION."""
    budget = _Budget(image)
    for kind, names in _entries(data, image, root, budget, every=False):
        if kind != _RT_VERSION or not names & _SIGN:
            continue
        for _, languages in _entries(data, image, root + (names & ~_SIGN), budget):
            if not languages & _SIGN:
                continue
            for _, leaf in _entries(data, image, root + (languages & ~_SIGN), budget):
                place = None if leaf & _SIGN else image.to_raw(root + leaf)
                if place is None or place + 16 > len(data):
                    continue
                rva, size = _DIRECTORY.unpack_from(data, place)
                start = image.to_raw(rva)
                if start is not None and start + size <= len(data):
                    yield Section(start, size)


_ROOT_KEY = "VS_VERSION_INFO\0".encode("utf-16-le")
_TABLES_KEY = "StringFileInfo\0".encode("utf-16-le")


def _word(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 2], "little")


def _blocks(data: bytes, place: int, end: int, header: int) -> Iterator[tuple[int, int]]:
    """Start and end of each block of a sequence, up to the first that does not fit."""
    while place + header < end:
        length = _word(data, place)
        if length <= header or place + length > end:
            return
        yield place, place + length
        place += length + 3 & ~3


def _strings_of(data: bytes, resource: Section) -> list[int]:
    """Walks one version resource."""
    found: list[int] = []
    start = resource.offset
    length = _word(data, start)
    if length > resource.size or data[start + 6 : start + 38] != _ROOT_KEY:
        return found
    first = start + 40 + (_word(data, start + 2) + 3 & ~3)
    for place, stop in _blocks(data, first, start + length, 6):
        if data[place + 6 : place + 36] != _TABLES_KEY:
            continue
        for table, last in _blocks(data, place + 36, stop, 24):
            for record, over in _blocks(data, table + 24, last, 6):
                value = _value(data, record + 6, over)
                if over > value:
                    found.append(record + 6)
    return found


def _value(data: bytes, place: int, end: int) -> int:
    """Where the value behind a key begins."""
    while place + 2 <= end and data[place : place + 2] != b"\x00\x00":
        place += 2
    return place + 2 + 3 & ~3

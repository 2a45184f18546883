"""Archives behind other bytes: behind a program that unpacks them, or hidden in anything.

Marks alone prove little in a program that knows them, so each is checked by the check values
or the fields behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from tocsin.formats.pe_extent import pe_extent

_SEVENZ = b"7z\xbc\xaf\x27\x1c"
_RAR = b"Rar!\x1a\x07"
_CAB = b"MSCF\0\0\0\0"
_NSIS = bytes.fromhex("efbeadde4e756c6c736f6674496e7374")
_MOST = 16
"""Archives of one format in one object that are looked for."""

_MOST_TRIED = 4096
"""Marks that are checked."""

_LARGEST_ARJ_HEADER = 2600
_RAR4_MAIN = 0x73
_DOS_STUB = 512


def crc32(data: bytes) -> int:
    """CRC-32; the decoder it lives in is imported when it is needed."""
    import zlib

    return zlib.crc32(data)


def _marks(data: bytes, mark: bytes, first: int) -> Iterator[int]:
    """Where a mark stands."""
    at = data.find(mark, first)
    while at >= 0:
        yield at
        at = data.find(mark, at + len(mark))


def _checked(
    data: bytes, mark: bytes, holds: Callable[[bytes, int], bool], first: int = 1
) -> Iterator[int]:
    tried = islice(_marks(data, mark, first), _MOST_TRIED)
    return islice((at for at in tried if holds(data, at)), _MOST)


def is_sevenz(data: bytes, at: int) -> bool:
    """A start header with the right check value. Source: 7zFormat.txt."""
    head = data[at + 8 : at + 32]
    stated = int.from_bytes(head[:4], "little")
    return len(head) == 24 and crc32(head[4:]) == stated


def is_rar(data: bytes, at: int) -> bool:
    """A main header, or in RAR 5 any, with the right check value. Source: RAR technote."""
    if data.startswith(b"\0", at + 6):
        size = int.from_bytes(data[at + 12 : at + 14], "little")
        head = data[at + 9 : at + 7 + max(size, 13)]
        stated = int.from_bytes(data[at + 7 : at + 9], "little")
        return head[:1] == bytes([_RAR4_MAIN]) and crc32(head) & 0xFFFF == stated
    if not data.startswith(b"\1\0", at + 6):
        return False
    size = data[at + 12] if at + 12 < len(data) else 0x80
    head = data[at + 12 : at + 13 + size]
    return size < 0x80 and crc32(head) == int.from_bytes(data[at + 8 : at + 12], "little")


def is_cab(data: bytes, at: int) -> bool:
    """A header whose sizes fit. Source: MS-CAB 2.1."""
    head = data[at : at + 36]
    size, files = int.from_bytes(head[8:12], "little"), int.from_bytes(head[16:20], "little")
    folders = int.from_bytes(head[26:28], "little")
    return len(head) == 36 and head[25] == 1 and 36 <= files < size and folders > 0


def _is_arj(data: bytes, at: int) -> bool:
    """A main header with the right check value. Source: ARJ's `technote.txt`."""
    size = int.from_bytes(data[at + 2 : at + 4], "little")
    head = data[at + 4 : at + 4 + size]
    if not 30 <= size <= _LARGEST_ARJ_HEADER or len(head) != size or head[6] != 2:
        return False
    return crc32(head) == int.from_bytes(data[at + 4 + size : at + 8 + size], "little")


def begins_as_arj(data: bytes) -> bool:
    """Whether an object begins with what can only be ARJ's main header, damaged or not."""
    size = int.from_bytes(data[2:4], "little")
    return 30 <= size <= _LARGEST_ARJ_HEADER and data[10:11] == b"\x02"


def sevenz_places(data: bytes) -> Iterator[int]:
    """Where 7z archives begin behind other bytes."""
    return _checked(data, _SEVENZ, is_sevenz)


def rar_places(data: bytes) -> Iterator[int]:
    """Where RAR archives begin behind other bytes."""
    return _checked(data, _RAR, is_rar)


def cab_places(data: bytes) -> Iterator[int]:
    """Where cabinets begin behind other bytes."""
    return _checked(data, _CAB, is_cab)


def arj_places(data: bytes) -> Iterator[int]:
    """Where ARJ archives begin behind a program; two bytes are too few to look for inside."""
    extent = pe_extent(data)
    first = extent.sections_end if extent is not None else _DOS_STUB
    return _checked(data, b"\x60\xea", _is_arj, first)


def nsis_places(data: bytes) -> Iterator[int]:
    """Where the data of NSIS installers begin, as 7-Zip wants it: at the program."""
    if _NSIS in data:
        yield 0


BEHIND_PROGRAMS: dict[str, Callable[[bytes], Iterator[int]]] = {
    "7ZSFX": sevenz_places,
    "RARSFX": rar_places,
    "CABSFX": cab_places,
    "ARJSFX": arj_places,
    "NULSFT": nsis_places,
}
"""Kinds of archive that stand in or behind a program, and where they begin in it."""

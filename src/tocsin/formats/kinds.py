"""What an object can be opened as, beyond the one type that its first kilobyte tells.

`identify` gives ClamAV's type, which decides which signatures are tried. Here every way in
is found: images and archives that ClamAV has no type for, whatever is known by its end, and
what stands behind or inside a program. Only recognition lives here; reading is `unpack`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from tocsin.formats.dotnet import dotnet_kinds
from tocsin.formats.installers import find_installers
from tocsin.formats.mail_kinds import envelope_kinds
from tocsin.formats.office_kinds import flat_package
from tocsin.formats.text_kinds import TEXT_TYPES, encoded_kinds

_ZIP_END = b"PK\x05\x06"
_ZIP_END_BYTES = 22
_ZIP_END_REACH = _ZIP_END_BYTES + 0xFFFF
"""A zip's end record is at most so many bytes, its comment included, from the file's end."""


def _appended_zip(data: bytes) -> str | None:
    """A zip archive that stands behind other bytes, as in a self-extracting program.

    Returns:
        "ZIP" when a zip's end record stands where it must, with the directory that it
        describes before it; else None. A program that merely knows zip's magic numbers has
        no such directory. Source: APPNOTE 4.3.12, 4.3.16.
    """
    end = data.rfind(_ZIP_END, max(0, len(data) - _ZIP_END_REACH))
    if end < 0 or end + _ZIP_END_BYTES > len(data):
        return None
    directory = end - int.from_bytes(data[end + 12 : end + 16], "little")
    if directory < 0 or directory == end or not data.startswith(b"PK\x01\x02", directory):
        return None
    return "ZIP"


class At(NamedTuple):
    """Bytes by which a kind is known.

    Attributes:
        kind: what they stand for.
        magic: the bytes.
        offset: where they stand; negative from the end of the object.
    """

    kind: str
    magic: bytes
    offset: int = 0


_XML_TYPES = frozenset({"TEXT_ASCII", "TEXT_UTF8", "HTML"})

FIXED: tuple[At, ...] = (
    At("APPLESINGLE", b"\x00\x05\x16\x00"),
    At("APPLESINGLE", b"\x00\x05\x16\x07"),
    At("INSTALLSHIELD_CAB", b"ISc("),
    At("ACTIVEMIME", b"ActiveMime"),
    At("HLP", b"\x3f\x5f\x03\x00"),
    At("NET_RESOURCES", b"\xce\xca\xef\xbe"),
    At("SIS9", b"\x7a\x1a\x20\x10"),
    At("XLSB_BOOK", b"\x83\x01\x00"),
    At("XLSB_SHEET", b"\x81\x01\x00"),
)
"""Kinds of ours that are known by bytes at a fixed place."""

FINDERS: tuple[tuple[frozenset[str] | None, Callable[[bytes], Iterable[str]]], ...] = (
    (frozenset({"MSEXE"}), find_installers),
    (frozenset({"MSEXE"}), dotnet_kinds),
    (_XML_TYPES, flat_package),
    (None, envelope_kinds),
    (TEXT_TYPES, encoded_kinds),
)
"""What looks more closely: types it is asked for (None for all), and the function that, given
the object, names the kinds it is. Cheap: it runs on every object of these types."""


def kinds(data: bytes, type_name: str) -> Iterator[str]:
    """Every kind that an object can be opened as.

    Args:
        data: the object.
        type_name: its type by `identify`.

    Yields:
        Its type first, then each other kind once.
    """
    seen = {type_name}
    yield type_name
    for kind in _others(data, type_name):
        if kind not in seen:
            seen.add(kind)
            yield kind


def _others(data: bytes, type_name: str) -> Iterator[str]:
    for row in FIXED:
        if data.startswith(row.magic, row.offset if row.offset >= 0 else len(data) + row.offset):
            yield row.kind
    for types, finder in FINDERS:
        if types is None or type_name in types:
            yield from finder(data)
    if type_name not in _ARCHIVES and (appended := _appended_zip(data)) is not None:
        yield appended


_ARCHIVES = frozenset(
    {
        *("ZIP", "OOXML_WORD", "OOXML_XL", "OOXML_PPT", "OOXML_HWP", "GZ", "BZ", "XZ"),
        *("POSIX_TAR", "OLD_TAR", "7Z", "RAR", "ARJ", "MSCAB", "CPIO_NEWC", "CPIO_CRC"),
        *("CPIO_ODC", "CPIO_OLD", "MAIL", "MSOLE2", "HWPOLE2"),
    }
)
"""Types in which a zip near the end is a member, which comes out anyway."""

"""What an object can be opened as, beyond the one type that its first kilobyte tells.

`identify` gives ClamAV's type, which decides which signatures are tried. Here every way in
is found: images and archives that ClamAV has no type for, whatever is known by its end, and
what stands behind or inside a program. Only recognition lives here; reading is `unpack`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from tocsin.formats.container_images import find_container_images
from tocsin.formats.dotnet import dotnet_kinds
from tocsin.formats.embedded import find_hidden
from tocsin.formats.identify import TAR_BLOCK, tar_kind
from tocsin.formats.images import find_images
from tocsin.formats.mail_kinds import envelope_kinds, message_kinds
from tocsin.formats.office_kinds import flat_package, part_kinds
from tocsin.formats.packed import find_packed, find_packed_elf
from tocsin.formats.pdf_kind import find_document
from tocsin.formats.text_kinds import TEXT_TYPES, encoded_kinds, yenc_kinds

_ZIP_END = b"PK\x05\x06"
_ZIP_END_BYTES = 22
_ZIP64_LOCATOR_BYTES = 20
_ZIP64_END_BYTES = 56
_CENTRAL = b"PK\x01\x02"
_CHROME = b"Cr24"
_MOST_ZIP_ENDS = 64
"""End records that are looked at, the last ones of an object."""


def _appended_zip(data: bytes) -> str | None:
    """A zip archive that stands behind other bytes, as in a self-extracting program.

    Returns:
        "ZIP" when there is a zip's end record with the directory that it describes before it,
        whatever follows; else None. A program that merely knows zip's magic numbers has no
        such directory. Source: APPNOTE 4.3.12, 4.3.14 to 4.3.16.
    """
    if data.startswith(_CHROME):
        return None  # its zip is opened as what it is
    end = len(data)
    for _ in range(_MOST_ZIP_ENDS):
        end = data.rfind(_ZIP_END, 0, end)
        if end < 0:
            return None
        if end + _ZIP_END_BYTES <= len(data) and _ends_a_zip(data, end):
            return "ZIP"
        end += len(_ZIP_END) - 1
    return "ZIP"  # so many ends without a directory are no accident


def _ends_a_zip(data: bytes, end: int) -> bool:
    size, offset = _number(data, end + 12, 4), _number(data, end + 16, 4)
    if size and _is_directory(data, end - size, offset):
        return True
    locator = end - _ZIP64_LOCATOR_BYTES
    if locator < 0 or not data.startswith(b"PK\x06\x07", locator):
        return False
    for record in (locator - _ZIP64_END_BYTES, _number(data, locator + 8, 8)):
        if 0 <= record < len(data) and data.startswith(b"PK\x06\x06", record):
            size, offset = _number(data, record + 40, 8), _number(data, record + 48, 8)
            if size and _is_directory(data, record - size, offset):
                return True
    return False


def _is_directory(data: bytes, *places: int) -> bool:
    return any(0 <= at < len(data) and data.startswith(_CENTRAL, at) for at in places)


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


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


_TARS = frozenset({"POSIX_TAR", "OLD_TAR"})
_XML_TYPES = frozenset({"TEXT_ASCII", "TEXT_UTF8", "HTML"})

FIXED: tuple[At, ...] = (
    At("APPLESINGLE", b"\x00\x05\x16\x00"),
    At("APPLESINGLE", b"\x00\x05\x16\x07"),
    At("INSTALLSHIELD_CAB", b"ISc("),
    At("PYZ", b"PYZ\0"),
    At("ACTIVEMIME", b"ActiveMime"),
    At("HLP", b"\x3f\x5f\x03\x00"),
    At("NET_RESOURCES", b"\xce\xca\xef\xbe"),
    At("SIS9", b"\x7a\x1a\x20\x10"),
    At("XLSB_BOOK", b"\x83\x01\x00"),
    At("XLSB_SHEET", b"\x81\x01\x00"),
    At("AR", b"!<arch>\n"),
    At("RPM", b"\xed\xab\xee\xdb"),
    At("COMPRESS_Z", b"\x1f\x9d"),
    At("WIM", b"MSWIM\0\0\0"),
    At("DMG", b"koly\0\0\0\x04\0\0\x02\0", -512),
    At("APFS", b"NXSB", 32),
    At("VHD", b"conectix"),
    At("VHDX", b"vhdxfile"),
    At("VMDK", b"KDMV"),
    At("QCOW", b"QFI\xfb\0\0\0"),
    At("VDI", b"\x7f\x10\xda\xbe", 64),
    At("ANDROID_SPARSE", b"\x3a\xff\x26\xed\x01\0"),
    At("SQUASHFS", b"hsqs"),
    At("SQUASHFS", b"sqsh"),
    At("CRAMFS", b"Compressed ROMFS", 16),
    At("ZSTD", b"\x28\xb5\x2f\xfd"),
    At("LZ4", b"\x04\x22\x4d\x18"),
    At("LZ4", b"\x02\x21\x4c\x18"),
    At("CRX", b"Cr24"),
    At("ASAR", b'{"files":', 16),
)
"""Kinds of ours that are known by bytes at a fixed place."""

_MAY_HIDE = frozenset(
    {
        *("MSEXE", "ELF", "MACHO", "GIF", "PNG", "JPEG", "TIFF", "GRAPHICS", "RIFF"),
        *("BINARY_DATA", "TEXT_ASCII", "TEXT_UTF8", "TEXT_UTF16LE", "TEXT_UTF16BE", "SWF", "JAVA"),
        *("PDF", "RTF", "HTML", "SCRIPT", "PYTHON_COMPILED", "PS", "LNK", "MSCHM"),
        "IGNORED",
    }
)
"""Types in which a program or an archive may stand that their readers do not take out."""

_UNKNOWN = frozenset({"BINARY_DATA", *TEXT_TYPES})
_OPENED_IN_PART = frozenset(
    {"YENC", "UUENCODED", "BINHEX", "BASE64_RUNS", "PKCS7", "MAIL", "MHTML"}
)
"""Kinds whose readers take out stretches of an object, not all that is in it."""

_MAYBE_TEXT = TEXT_TYPES | {"BINARY_DATA"}
_MAYBE_MAIL = frozenset({"TEXT_ASCII", "TEXT_UTF16LE", "TEXT_UTF16BE", "BINARY_DATA"})
"""Not TEXT_UTF8: that is what the texts of a mail are called, whose messages are out already."""


def _tar_kinds(data: bytes) -> Iterator[str]:
    """A tar archive whose first member's name is another type's mark: `GIFs/a`."""
    kind = tar_kind(data[:TAR_BLOCK])
    if kind is not None:
        yield kind


FINDERS: tuple[tuple[frozenset[str] | None, Callable[[bytes], Iterable[str]]], ...] = (
    (frozenset({"MSEXE"}), dotnet_kinds),
    (_XML_TYPES, flat_package),
    (_XML_TYPES, part_kinds),
    (None, envelope_kinds),
    (None, find_images),
    (None, _tar_kinds),
    (frozenset({"MSEXE"}), find_packed),
    (frozenset({"ELF"}), find_packed_elf),
    (TEXT_TYPES, encoded_kinds),
    (_MAYBE_TEXT, yenc_kinds),
    (_MAY_HIDE, find_document),
    (_MAY_HIDE, find_hidden),
    (_MAYBE_MAIL, message_kinds),
)
"""What looks more closely: types it is asked for (None for all), and the function that, given
the object, names the kinds it is. Cheap: it runs on every object of these types."""


def kinds(data: bytes, type_name: str) -> Iterator[str]:
    """Every kind that an object can be opened as.

    Args:
        data: the object.
        type_name: its type by `identify`.

    Yields:
        Its type first, then each other kind once. The image of a container is that and no
        mere tar archive, so that its layers are not looked at twice.
    """
    if type_name in _TARS and next(iter(find_container_images(data)), None) is not None:
        yield "CONTAINER_IMAGE"
        return
    seen = {type_name}
    yield type_name
    for kind in _others(data, type_name):
        if kind == "EMBEDDED" and type_name in _UNKNOWN and seen - _OPENED_IN_PART - {type_name}:
            continue  # an image or archive whose reader takes out what is in it
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

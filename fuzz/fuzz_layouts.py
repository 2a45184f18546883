"""Identification and executable headers: any bytes have a type, and a layout or none."""

from __future__ import annotations

import struct

import fuzz_support

from tocsin.formats.executable import read_layout
from tocsin.formats.identify import identify
from tocsin.formats.macho import fat_slices
from tocsin.formats.pe import hashed_sections, import_string, version_info_offsets
from tocsin.formats.zip_kind import zip_kind

_PE = (
    b"MZ".ljust(0x3C, b"\0")
    + struct.pack("<I", 0x40)
    + struct.pack("<4sHHIIIHH", b"PE\0\0", 0x14C, 1, 0, 0, 0, 224, 0x102)
    + struct.pack("<HBBIIIIIII", 0x10B, 1, 0, 0, 0, 0, 0x1000, 0x1000, 0x2000, 0x400000)
    + struct.pack("<IIHHHHHHIIIIHH", 0x1000, 0x200, 4, 0, 0, 0, 4, 0, 0, 0x10000, 0x200, 0, 3, 0)
    + bytes(16)
    + struct.pack("<II", 0, 16)
    + bytes(8)
    + struct.pack("<IIII", 0x1010, 40, 0x1080, 200)
    + bytes(104)
    + struct.pack("<8sIIII12xI", b".text", 0x200, 0x1000, 0x200, 0x200, 0x60000020)
).ljust(0x200, b"\0") + bytes(range(256)) * 2
_ELF = (
    b"\x7fELF\2\1\1".ljust(16, b"\0")
    + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x1010, 64, 120, 0, 64, 56, 1, 64, 1, 0)
    + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x1000, 0x1000, 0x200, 0x200, 1)
    + struct.pack("<IIQQQQIIQQ", 1, 1, 2, 0x1000, 0, 0x80, 0, 0, 1, 0)
).ljust(0x200, b"\xcc")
_MACHO = (
    struct.pack("<IIIIIII", 0xFEEDFACE, 7, 3, 2, 1, 124, 0)
    + struct.pack("<II16sIIIIIIII", 1, 124, b"__T", 0x1000, 0x1000, 0, 0x200, 7, 5, 1, 0)
    + struct.pack("<16s16sIIII20x", b"__t", b"__T", 0x1000, 0x80, 0x100, 2)
).ljust(0x200, b"\xcc")
_FAT = struct.pack(">IIIIIII", 0xCAFEBABE, 1, 7, 3, 28, 0x200, 2) + _MACHO
_ZIP = b"PK\3\4" + bytes(22) + struct.pack("<HH", 19, 0) + b"[Content_Types].xml" + bytes(90)
SEEDS = [
    _PE,
    _ELF,
    _MACHO,
    _FAT,
    _ZIP,
    b"From a@b\nSubject: x\n\n",
    b"<html>",
    b"%PDF-1.4",
    b"{\\rtf1",
    b"\xff\xfea\0b\0",
    bytes(257) + b"ustar\00000",
]
EXECUTABLES = ("MSEXE", "ELF", "MACHO", "MACHO_UNIBIN")


def check(data: bytes) -> None:
    """Whatever a header says, what is read of it lies inside the object."""
    kind = identify(data)
    assert kind
    assert identify(data) == kind
    for name in {kind, *EXECUTABLES}:
        layout = read_layout(data, name)
        if layout is not None and layout.entry_point is not None:
            assert layout.entry_point >= 0
    for section in (*hashed_sections(data), *fat_slices(data)):
        assert section.offset >= 0
        assert section.size >= 0
    imports = import_string(data)
    assert imports is None or isinstance(imports, str)
    assert all(0 <= offset <= len(data) for offset in version_info_offsets(data))
    assert zip_kind(data)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

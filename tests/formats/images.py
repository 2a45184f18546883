"""Executables and archives built by hand, so that every header field can be bent."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Sequence

MARK = bytes.fromhex("1122334455667788")

# Virtual address, virtual size, raw offset, raw size.
PLAIN = ((0x1000, 0x200, 0x400, 0x200), (0x2000, 0x200, 0x600, 0x200))


def pe(
    sections: Sequence[tuple[int, int, int, int]] = PLAIN,
    size: int = 0x800,
    *,
    entry: int = 0x1000,
    file_unit: int = 0x200,
    section_unit: int = 0x1000,
    headers: int = 0x400,
    plus: bool = False,
    count: int | None = None,
    optional_size: int | None = None,
    directories: dict[int, tuple[int, int]] | None = None,
) -> bytes:
    """A PE file with the given headers, filled up with 0xCC."""
    optional = struct.pack("<HBBIIIII", 0x20B if plus else 0x10B, 1, 0, 0, 0, 0, entry, 0x1000)
    optional += struct.pack("<Q", 0x400000) if plus else struct.pack("<II", 0x2000, 0x400000)
    optional += struct.pack(
        "<IIHHHHHHIIIIHH", section_unit, file_unit, 4, 0, 0, 0, 4, 0, 0, 0x10000, headers, 0, 3, 0
    )
    optional += bytes(32 if plus else 16) + struct.pack("<II", 0, 16)
    for index in range(16):
        optional += struct.pack("<II", *(directories or {}).get(index, (0, 0)))
    image = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x80)
    image = image.ljust(0x80, b"\0") + struct.pack(
        "<4sHHIIIHH",
        b"PE\0\0",
        0x14C,
        len(sections) if count is None else count,
        0,
        0,
        0,
        len(optional) if optional_size is None else optional_size,
        0x102,
    )
    image += optional
    image += b"".join(
        struct.pack("<8sIIII12xI", b".s", virtual, address, raw_size, raw, 0x60000020)
        for address, virtual, raw, raw_size in sections
    )
    return image.ljust(0x400, b"\0").ljust(size, b"\xcc")


def pe_with_imports(libraries: Sequence[tuple[str, Sequence[str | int]]], **more: bool) -> bytes:
    """A PE file that imports functions by name or by number."""
    rva, raw = 0x2000, 0x600
    body = bytearray(20 * (len(libraries) + 1))
    for index, (library, functions) in enumerate(libraries):
        thunks = []
        for function in functions:
            if isinstance(function, int):
                thunks.append(0x80000000 | function)
            else:
                thunks.append(rva + len(body))
                body += b"\0\0" + function.encode() + b"\0"
        name = rva + len(body)
        body += library.encode() + b"\0"
        table = rva + len(body)
        for thunk in [*thunks, 0]:
            body += struct.pack("<I", thunk)
        struct.pack_into("<IIIII", body, 20 * index, table, 0, 0, name, table)
    image = bytearray(
        pe(
            ((0x1000, 0x200, 0x400, 0x200), (0x2000, 0x600, 0x600, 0x600)),
            0xC00,
            directories={1: (rva, 20 * (len(libraries) + 1))},
            **more,
        )
    )
    image[raw : raw + len(body)] = body
    return bytes(image)


def _block(key: str, value: bytes, children: bytes, words: int) -> bytes:
    head = key.encode("utf-16-le") + b"\0\0"
    head += bytes(-(6 + len(head)) % 4) + value
    head += bytes(-(6 + len(head)) % 4) if children else b""
    return struct.pack("<HHH", 6 + len(head) + len(children), words, 1) + head + children


def pe_with_version(strings: Sequence[tuple[str, str]]) -> bytes:
    """A PE file with a version resource of one string table."""
    table = b""
    for key, value in strings:
        text = value.encode("utf-16-le") + b"\0\0" if value else b""
        table += bytes(-len(table) % 4) + _block(key, text, b"", len(text) // 2)
    info = _block("StringFileInfo", b"", _block("040904B0", b"", table, 0), 0)
    root = _block("VS_VERSION_INFO", b"\xbd\x04\xef\xfe" + bytes(48), info, 52)
    tree = b""
    for name, target in ((16, 0x80000018), (1, 0x80000030), (0x409, 0x48)):
        tree += struct.pack("<12xHHII", 0, 1, name, target)
    tree += struct.pack("<IIII", 0x2058, len(root), 0, 0)
    image = bytearray(
        pe(
            ((0x1000, 0x200, 0x400, 0x200), (0x2000, 0x600, 0x600, 0x600)),
            0xC00,
            directories={2: (0x2000, 0x600)},
        )
    )
    image[0x600 : 0x600 + len(tree) + len(root)] = tree + root
    return bytes(image)


def elf(
    *, entry: int = 0x1010, count: int = 3, row_size: int = 64, programs: int = 1, size: int = 0x900
) -> bytes:
    """A 64-bit little-endian ELF file: one segment, three sections."""
    image = bytearray(b"\xcc" * size)
    image[:16] = b"\x7fELF\2\1\1" + bytes(9)
    struct.pack_into(
        "<HHIQQQIHHHHHH", image, 16, 2, 62, 1, entry, 64, 0x600, 0, 64, 56, programs, row_size,
        count, 1,
    )  # fmt: skip
    struct.pack_into("<IIQQQQQQ", image, 64, 1, 5, 0x300, 0x1000, 0x1000, 0x200, 0x200, 1)
    for index, (offset, length) in enumerate(((0, 0), (0x300, 0x80), (0x400, 0x100))):
        struct.pack_into(
            "<IIQQQQIIQQ", image, 0x600 + 64 * index, 1, 1, 2, 0, offset, length, 0, 0, 1, 0
        )
    return bytes(image)


def macho(*, order: str = ">", cpu: int = 18, commands: int = 2, align: int = 4) -> bytes:
    """A 32-bit Mach-O file: one segment of two sections and a thread state."""
    rows = b""
    for address, length, offset, unit in ((0x1000, 0x80, 0x400, 0), (0x1080, 0x7F, 0x480, align)):
        rows += struct.pack(order + "16s16sIIII20x", b"__t", b"__T", address, length, offset, unit)
    body = struct.pack(
        order + "II16sIIIIIIII", 1, 56 + len(rows), b"__T", 0x1000, 0x1000, 0, 0x200, 7, 5, 2, 0
    )
    body += (
        rows
        + struct.pack(order + "IIII", 5, 176, 1, 40)
        + struct.pack(order + "40I", 0x1010, *[0] * 39)
    )
    head = struct.pack(order + "IIIIIII", 0xFEEDFACE, cpu, 3, 2, commands, len(body), 0)
    return (head + body).ljust(0x3F0, b"\0").ljust(0x900, b"\xcc")


def archive(*names: str) -> bytes:
    """A zip archive of small stored members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        for name in names:
            out.writestr(zipfile.ZipInfo(name), b"data")
    return buffer.getvalue()


def marked(image: bytes, place: int) -> bytes:
    """The image with `MARK` at one place."""
    return image[:place] + MARK + image[place + len(MARK) :]

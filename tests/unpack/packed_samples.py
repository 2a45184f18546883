"""Windows programs that unpack themselves, made for the tests by a packer of a few lines."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

BASE = 0x400000
WIDE_BASE = 0x140000000
TARGET_RVA, STUB_RVA, SECOND_RVA = 0x1000, 0x3000, 0x5000
PAYLOAD = b"\xcc" + b"A program that was packed; it does nothing but break. " * 12
KEY = 0x5A

_WRITE_EXECUTE = 0xE0000060
_READ_EXECUTE = 0x60000020


class Section(NamedTuple):
    """A section of a program that is made."""

    name: bytes
    rva: int
    size: int
    data: bytes
    flags: int = _WRITE_EXECUTE


def program(
    sections: list[Section],
    entry: int,
    *,
    wide: bool = False,
    imports: tuple[int, int] = (0, 0),
    tls: tuple[int, int] = (0, 0),
    size: int = 0x8000,
) -> bytes:
    """A Windows program with these sections."""
    optional_size = 0xF0 if wide else 0xE0
    fixed = 112 if wide else 96
    optional = bytearray(optional_size)
    struct.pack_into("<H", optional, 0, 0x20B if wide else 0x10B)
    struct.pack_into("<I", optional, 16, entry)
    struct.pack_into("<Q" if wide else "<I", optional, 24 if wide else 28, base_of(wide))
    struct.pack_into("<II", optional, 32, 0x1000, 0x200)
    struct.pack_into("<II", optional, 56, size, 0x200)
    struct.pack_into("<H", optional, 68, 3)
    struct.pack_into("<I", optional, fixed - 4, 16)
    struct.pack_into("<II", optional, fixed + 8, *imports)
    struct.pack_into("<II", optional, fixed + 72, *tls)
    coff = struct.pack(
        "<4sHHIIIHH",
        b"PE\0\0",
        0x8664 if wide else 0x14C,
        len(sections),
        *(0, 0, 0),
        optional_size,
        0x102,
    )
    head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + coff + bytes(optional)
    body = b""
    for row in sections:
        data = row.data.ljust(-len(row.data) % 0x200 + len(row.data), b"\0")
        at = 0x200 + len(body) if data else 0
        head += struct.pack("<8sIIII12xI", row.name, row.size, row.rva, len(data), at, row.flags)
        body += data
    return head.ljust(0x200, b"\0") + body


def base_of(wide: bool) -> int:
    """Where a program wants to be."""
    return WIDE_BASE if wide else BASE


def veiled(data: bytes) -> bytes:
    """Packed, as this packer packs."""
    return bytes(byte ^ KEY for byte in data)


def stub(source: int, target: int, count: int, *, wide: bool = False) -> bytes:
    """Code that unpacks and jumps to what it unpacked."""
    loop = b"\xac\x34" + bytes([KEY]) + b"\xaa\xe2\xfa"  # lodsb; xor al, KEY; stosb; loop
    if wide:
        load = b"\x48\xbe" + struct.pack("<Q", source) + b"\x48\xbf" + struct.pack("<Q", target)
        jump = b"\x48\xb8" + struct.pack("<Q", target) + b"\xff\xe0"  # mov rax, target; jmp rax
    else:
        load = b"\xbe" + struct.pack("<I", source) + b"\xbf" + struct.pack("<I", target)
        jump = b"\x68" + struct.pack("<I", target) + b"\xc3"  # push target; ret
    return load + b"\xb9" + struct.pack("<I", count) + loop + jump


def packed(payload: bytes = PAYLOAD, *, wide: bool = False, before: bytes = b"") -> bytes:
    """A program that unpacks `payload` to its first section.

    Args:
        payload: code and data.
        wide: whether it is for x86-64.
        before: code that runs before the stub.
    """
    base = base_of(wide)
    length = len(before) + len(stub(0, 0, 0, wide=wide))
    source = base + STUB_RVA + length
    code = before + stub(source, base + TARGET_RVA, len(payload), wide=wide)
    return program(
        [
            Section(b".text", TARGET_RVA, 0x2000, b""),
            Section(b".pack", STUB_RVA, 0x2000, code + veiled(payload)),
        ],
        STUB_RVA,
        wide=wide,
    )


def packed_twice() -> bytes:
    """A program whose stub unpacks another stub, which unpacks the program."""
    second = stub(0, 0, 0)
    place = BASE + SECOND_RVA
    second = stub(place + len(second), BASE + TARGET_RVA, len(PAYLOAD)) + veiled(PAYLOAD)
    source = BASE + STUB_RVA + len(stub(0, 0, 0))
    code = stub(source, place, len(second)) + veiled(second)
    return program(
        [
            Section(b".text", TARGET_RVA, 0x2000, b""),
            Section(b".pack", STUB_RVA, 0x2000, code),
            Section(b".more", SECOND_RVA, 0x1000, b""),
        ],
        STUB_RVA,
    )


def plain() -> bytes:
    """A program that is not packed: code that is read and executed, and data."""
    return program(
        [
            Section(b".text", 0x1000, 0x1000, b"\xcc" * 64, _READ_EXECUTE),
            Section(b".data", 0x2000, 0x1000, b"data", 0xC0000040),
        ],
        0x1000,
    )


def stubborn(code: bytes, *, wide: bool = False) -> bytes:
    """A program that looks packed and runs `code`."""
    return program(
        [
            Section(b".text", TARGET_RVA, 0x2000, b""),
            Section(b".pack", STUB_RVA, 0x2000, code),
        ],
        STUB_RVA,
        wide=wide,
    )


SAMPLES: dict[str, Callable[[], bytes]] = {"packed": packed}

"""Libraries that the emulated program finds in its memory: headers, exports, and no code.

Stubs look functions up by walking the export tables themselves, so each library is a real
image. Where a function's code would be there are sixteen `nop`, which may be copied and
executed elsewhere without harm; a call that gets there ends in the emulator (`windows`).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from tocsin.unpack.emulator_cpu import PAGE

SLOT = 16
"""Bytes of a function's place."""

SLOTS_RVA = 0x6000
MOST_SLOTS = 1024
SIZE = SLOTS_RVA + MOST_SLOTS * SLOT
"""Bytes of a library's image."""

_EXPORTS_RVA = 0x1000
_HEADERS_AT = 0x80


def library_image(name: str, base: int, functions: Sequence[str], wide: bool) -> bytes:
    """A library's image as it lies in memory.

    Args:
        name: file name.
        base: its address.
        functions: names in the order of an export table.
        wide: whether it is for x86-64.
    """
    image = bytearray(SIZE)
    table, size = _exports(name, functions)
    image[_EXPORTS_RVA : _EXPORTS_RVA + len(table)] = table
    image[SLOTS_RVA:] = b"\x90" * (MOST_SLOTS * SLOT)
    image[:2] = b"MZ"
    image[60:64] = struct.pack("<I", _HEADERS_AT)
    optional_size = 0xF0 if wide else 0xE0
    coff = struct.pack(
        "<4sHHIIIHH", b"PE\0\0", 0x8664 if wide else 0x14C, 1, 0, 0, 0, optional_size, 0x2102
    )
    optional = bytearray(optional_size)
    optional[:2] = b"\x0b\x02" if wide else b"\x0b\x01"
    struct.pack_into("<I", optional, 16, SLOTS_RVA)
    struct.pack_into("<Q" if wide else "<I", optional, 24 if wide else 28, base)
    struct.pack_into("<II", optional, 32, PAGE, PAGE)
    struct.pack_into("<II", optional, 56, SIZE, PAGE)
    fixed = 112 if wide else 96
    struct.pack_into("<III", optional, fixed - 4, 16, _EXPORTS_RVA, size)
    section = struct.pack(
        "<8sIIIIIIHHI", b".text", SIZE - PAGE, PAGE, SIZE - PAGE, PAGE, 0, 0, 0, 0, 0x60000020
    )
    headers = coff + bytes(optional) + section
    image[_HEADERS_AT : _HEADERS_AT + len(headers)] = headers
    return bytes(image)


def _exports(name: str, functions: Sequence[str]) -> tuple[bytes, int]:
    """The export directory with its tables."""
    count = len(functions)
    addresses_at = _EXPORTS_RVA + 40
    names_at = addresses_at + 4 * count
    ordinals_at = names_at + 4 * count
    text_at = ordinals_at + 2 * count
    text = name.encode() + b"\0"
    places = []
    for function in functions:
        places.append(text_at + len(text))
        text += function.encode() + b"\0"
    table = struct.pack(
        "<IIHHIIIIIII", 0, 0, 0, 0, text_at, 1, count, count, addresses_at, names_at, ordinals_at
    )
    table += struct.pack(f"<{count}I", *(SLOTS_RVA + SLOT * index for index in range(count)))
    table += struct.pack(f"<{count}I", *places)
    table += struct.pack(f"<{count}H", *range(count))
    table += text
    return table[: SLOTS_RVA - _EXPORTS_RVA], len(table)

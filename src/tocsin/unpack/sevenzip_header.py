"""What opening a 7z archive would cost: read before 7-Zip's library is let at it.

An archive's headers may be packed themselves, and the library makes room for whatever size and
dictionary they state before it decodes a byte. Their description is short and never packed.

Source: 7-Zip, `DOC/7zFormat.txt`.
"""

from __future__ import annotations

from tocsin.unpack.interface import MIB

MOST_DICTIONARY = 1024 * MIB
"""Bytes of dictionary that are allowed: what `7z -mx=9` on a big machine writes."""

_MOST_HEADERS = 64 * MIB
"""Bytes of headers: a hundred for each of half a million files."""

_MOST_NUMBERS = 64
_START = 32
_PACKED_HEADERS = 0x17
_PACK_INFO, _UNPACK_INFO, _SIZES, _FOLDER, _CODER_SIZES = 0x06, 0x07, 0x09, 0x0B, 0x0C
_END = 0x00
_LZMA, _LZMA2, _PPMD = b"\3\1\1", b"\x21", b"\3\4\1"


class _Description:
    """A cursor over the description of packed headers; beyond its end stand zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        """The next byte."""
        return (self.bytes(1) or b"\0")[0]

    def bytes(self, count: int) -> bytes:
        """The next bytes."""
        piece = self._data[self._at : self._at + count]
        self._at += count
        return piece

    def number(self) -> int:
        """A number: leading ones of the first byte count the bytes behind it."""
        first = self.byte()
        value, mask = 0, 0x80
        for place in range(8):
            if not first & mask:
                return value | (first & (mask - 1)) << 8 * place
            value |= self.byte() << 8 * place
            mask >>= 1
        return value


def cost_of_headers(data: bytes, start: int) -> str:
    """Why an archive is too costly to open, or an empty string.

    Args:
        data: what holds the archive.
        start: where it begins.
    """
    offset = int.from_bytes(data[start + 12 : start + 20], "little")
    size = int.from_bytes(data[start + 20 : start + 28], "little")
    if size > _MOST_HEADERS:
        return f"its headers take {size} bytes"
    at = start + _START + offset
    description = _Description(data[at : at + min(size, 4096)])
    if description.byte() != _PACKED_HEADERS:
        return ""
    if description.byte() != _PACK_INFO:
        return ""
    description.number()
    streams = description.number()
    while (kind := description.byte()) == _SIZES and streams <= _MOST_NUMBERS:
        for _ in range(streams):
            description.number()
    if kind != _END or description.byte() != _UNPACK_INFO or description.byte() != _FOLDER:
        return ""
    return _cost_of_folders(description)


def _cost_of_folders(description: _Description) -> str:
    folders = description.number()
    description.byte()  # whether they lie elsewhere, which no writer does
    outputs = 0
    if folders > _MOST_NUMBERS:
        return f"its headers are packed in {folders} parts"
    for _ in range(folders):
        coders = description.number()
        if coders > _MOST_NUMBERS:
            return f"its headers are packed with {coders} methods"
        folder_inputs = folder_outputs = 0
        for _ in range(coders):
            flags = description.byte()
            method = description.bytes(flags & 0x0F)
            inputs = description.number() if flags & 0x10 else 1
            made = description.number() if flags & 0x10 else 1
            settings = description.bytes(description.number()) if flags & 0x20 else b""
            if (memory := _memory(method, settings)) > MOST_DICTIONARY:
                return f"its headers need a dictionary of {memory} bytes"
            folder_inputs, folder_outputs = folder_inputs + inputs, folder_outputs + made
        if folder_inputs + folder_outputs > _MOST_NUMBERS:
            return "its headers are packed with too many methods"
        bonds = max(0, folder_outputs - 1)
        for _ in range(2 * bonds):
            description.number()
        if folder_inputs - bonds > 1:
            for _ in range(folder_inputs - bonds):
                description.number()
        outputs += folder_outputs
    if outputs > _MOST_NUMBERS or description.byte() != _CODER_SIZES:
        return ""
    size = max((description.number() for _ in range(outputs)), default=0)
    return f"its headers unpack to {size} bytes" if size > _MOST_HEADERS else ""


def _memory(method: bytes, settings: bytes) -> int:
    """Bytes of dictionary that a coder's settings ask for."""
    if method in (_LZMA, _PPMD):
        return int.from_bytes(settings[1:5], "little")
    if method == _LZMA2 and settings:
        bits = settings[0]
        return (2 | bits & 1) << (bits // 2 + 11) if bits < 64 else 0
    return 0

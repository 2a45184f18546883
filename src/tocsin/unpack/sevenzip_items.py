"""What an archive states about an item, and what that means for us."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tocsin.unpack.sevenzip_header import MOST_DICTIONARY
from tocsin.unpack.sevenzip_library import Archive, Property
from tocsin.unpack.stream import Meta

_MODE_IN_ATTRIBUTES = 0x8000
_KIND_OF_FILE = 0o170000
_REGULAR = 0o100000
_REPARSE_POINT = 0x400
"""An attribute of Windows' links."""

_SETTING = re.compile(r":(?:mem)?([0-9]+)([bkmgt]?)", re.IGNORECASE)
_UNITS = {"b": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_WITH_DICTIONARY = ("LZMA", "PPMD", "LZX", "v", "Rar", "zstd")


class Entry(NamedTuple):
    """An item that has data of its own, or may have.

    Attributes:
        number: its number for the library.
        meta: what the archive states about it.
        block: what it is packed together with, or None when alone.
        memory: bytes of dictionary that it needs.
        beyond: whether its data begin or end in another volume.
    """

    number: int
    meta: Meta
    block: int | None
    memory: int
    beyond: bool


def entries(archive: Archive, count: int, position: int) -> Iterator[Entry]:
    """The items that have data; their positions count the others too, as clamscan does.

    Args:
        archive: what holds them.
        count: how many items are asked for.
        position: place of the first one.
    """
    item = archive.item
    for index in range(count):
        if item(index, Property.IS_DIRECTORY) or item(index, Property.IS_ANTI):
            continue
        size = _number(item(index, Property.SIZE))
        packed = _number(item(index, Property.PACKED_SIZE))
        if _has_no_data(archive, index, size, packed):
            continue
        crc, block = item(index, Property.CRC), item(index, Property.BLOCK)
        meta = Meta(
            name=clean(item(index, Property.PATH)),
            size=size,
            packed_size=packed,
            position=position + index,
            encrypted=item(index, Property.ENCRYPTED) is True,
            crc=crc if isinstance(crc, int) else None,
        )
        beyond = item(index, Property.SPLIT_BEFORE) is True
        beyond = beyond or item(index, Property.SPLIT_AFTER) is True
        method = item(index, Property.METHOD)
        memory = dictionary(method) if isinstance(method, str) else 0
        yield Entry(index, meta, block if isinstance(block, int) else None, memory, beyond)


def _number(value: str | int | None) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


def clean(name: str | int | None) -> str:
    """A name that can be encoded, whatever the library made of its bytes."""
    if not isinstance(name, str):
        return ""
    if name.isascii():
        return name
    return name.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _has_no_data(archive: Archive, index: int, size: int, packed: int) -> bool:
    """Whether an item is a mark only: a device, or another name of data that are elsewhere.

    What an item is said to be is no reason to pass over its bytes, which a program may write
    to a file all the same.
    """
    item = archive.item
    if packed == 0 and (item(index, Property.HARD_LINK) or item(index, Property.COPY_LINK)):
        return True
    if size:
        return False
    if item(index, Property.SYMBOLIC_LINK):
        return True
    mode, attributes = item(index, Property.POSIX_MODE), item(index, Property.ATTRIBUTES)
    attributes = attributes if isinstance(attributes, int) else 0
    if not isinstance(mode, int):
        if attributes & _REPARSE_POINT:
            return True
        mode = attributes >> 16 if attributes & _MODE_IN_ATTRIBUTES else 0
    return mode & _KIND_OF_FILE not in (0, _REGULAR)


def dictionary(method: str) -> int:
    """Bytes of dictionary that a method's settings ask for, as 7-Zip words them.

    `LZMA2:24` is two to the power of 24, `LZMA:1536m` and `PPMD:o6:mem1g` are bytes, and so
    is `v6:m3:4g` of RAR.
    """
    most = 0
    for word in method.split():
        if not word.startswith(_WITH_DICTIONARY):
            continue
        for number, unit in _SETTING.findall(word):
            value = int(number[:12])
            if unit:
                most = max(most, value << _UNITS[unit.lower()])
            elif value <= 64 and value > 9:
                most = max(most, 1 << value)
    return most


def needs_too_much(entry: Entry, unpacked: int | None) -> bool:
    """Whether an item's dictionary is bigger than is allowed.

    Args:
        entry: the item.
        unpacked: bytes that its block unpacks to, where the format binds itself to that: of a
            bigger dictionary no more is ever touched, and the kernel gives no more.
    """
    memory = entry.memory if unpacked is None else min(entry.memory, unpacked)
    return memory > MOST_DICTIONARY

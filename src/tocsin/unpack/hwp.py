"""Hangul documents of version 5: streams of a compound file, deflated.

Source: Hancom, HWP document file format 5.0, 3.2.
"""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.unpack.cfb import CompoundFile, Entry
from tocsin.unpack.deflate import DEFLATE
from tocsin.unpack.interface import Item, Reason, Remark, Trait
from tocsin.unpack.parts import Parts
from tocsin.unpack.stream import decompress

_MAGIC = b"HWP Document File"
_FLAGS_AT = 36
_COMPRESSED, _ENCRYPTED = 1, 2
_STORAGES = frozenset({"BinData", "BodyText", "ViewText", "Scripts", "DocHistory"})


def flags(file: CompoundFile) -> int | None:
    """What the document's header says of its streams; None when it is not of Hangul."""
    header = file.streams_of(0).get("FileHeader")
    raw = b"" if header is None else file.read(header, 256)
    return int.from_bytes(raw[_FLAGS_AT : _FLAGS_AT + 4], "little") if _MAGIC in raw[:32] else None


def inflated(
    file: CompoundFile, entry: Entry, data: bytes, flag: int, name: str, parts: Parts
) -> Iterator[Item]:
    """Hand out what a stream of such a document holds."""
    if file.storage_name(entry.storage) not in _STORAGES and entry.name != "DocInfo":
        return
    if flag & _ENCRYPTED:
        yield parts.skip(f"{name}/inflated", Reason.ENCRYPTED, "no password fits", len(data))
    elif flag & _COMPRESSED:
        chunks = decompress(DEFLATE, data, 0, len(data))
        yield from parts.member(f"{name}/inflated", chunks, len(data))


def remarks(flag: int) -> Iterator[Remark]:
    """What is remarkable about such a document."""
    if flag & _ENCRYPTED:
        yield Remark(Trait.ENCRYPTED_DOCUMENT, "encrypted document of Hangul")

"""ALZ and EGG, the archives of Korea's ALZip.

Source: the layout of ALZ as `unalz` documents it, that of EGG from ESTsoft's specification
(2009); what is read of both agrees with clamscan 1.4.6.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Sequence
from struct import Struct

from tocsin.errors import FormatError
from tocsin.unpack.bzip2 import BZIP2
from tocsin.unpack.deflate import DEFLATE
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.stream import (
    DECODER_MEMORY,
    Codec,
    Interrupted,
    Meta,
    copy,
    decompress,
    report,
    skipped,
    take,
)

_ALZ, _EGG = b"ALZ\x01", b"EGGA"
_ALZ_FILE, _ALZ_REST = b"BLZ\x01", (b"CLZ\x01", b"CLZ\x02", b"ELZ\x01")
_ALZ_HEAD = Struct("<4sHBIBB")
_ALZ_HEAD_END = 8
_ALZ_PACKED = Struct("<BBI")
_ALZ_METHODS = {0: "stored", 1: "bzip2", 2: "deflate"}
_ALZ_KEY = 12

_EGG_HEAD = 14
_FILE, _NAME, _BLOCK, _END = 0x0A8590E3, 0x0A8591AC, 0x02B50C13, 0x08E28222
_ENCRYPTED, _SPLIT, _SOLID = 0x08D1470F, 0x24F5A262, 0x24E5A060
_EGG_FILE = Struct("<IIQ")
_EGG_BLOCK = Struct("<IBBIIII")
_EGG_METHODS = {0: "stored", 1: "deflate", 2: "bzip2", 3: "azo", 4: "lzma"}
_LONG_FIELD, _LOCALE = 0x01, 0x08
_MOST_FIELDS = 1000


class AlzUnpacker:
    """Unpacks ALZ and EGG."""

    types = frozenset({"ALZ", "EGG"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        if data.startswith(_ALZ):
            yield from _alz(data, budget)
        elif data.startswith(_EGG):
            yield from _egg(data, budget)
        else:
            raise FormatError("neither ALZ nor EGG: another magic number")


def _content(data: bytes, start: int, end: int, method: str) -> Iterator[bytes]:
    stop = min(end, len(data))
    if method == "stored":
        yield from copy(data, start, stop)
        if end > len(data):
            raise Interrupted(Reason.DAMAGED, "truncated")
    elif method == "deflate":
        yield from decompress(DEFLATE, data, start, stop)
    elif method == "bzip2":
        yield from decompress(BZIP2, data, start, stop)
    elif method == "lzma":
        yield from _lzma(data, start, stop)
    else:
        raise Interrupted(Reason.UNSUPPORTED, f"compression method {method}")


def _lzma(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """LZMA behind a version, the size of its properties, and these."""
    size = int.from_bytes(data[start + 2 : start + 4], "little")
    header = data[start + 4 : start + 9] + b"\xff" * 8
    if size != 5 or len(header) != 13:
        raise Interrupted(Reason.DAMAGED, "damaged (LZMA properties are not 5 bytes)")

    def make() -> lzma.LZMADecompressor:
        decoder = lzma.LZMADecompressor(format=lzma.FORMAT_ALONE, memlimit=DECODER_MEMORY)
        decoder.decompress(header)
        return decoder

    codec = Codec(make=make, errors=(lzma.LZMAError, EOFError, ValueError))
    yield from decompress(codec, data, start + 9, end)


# --- ALZ ----------------------------------------------------------------------------------


def _alz(data: bytes, budget: Budget) -> Iterator[Member | Skipped]:
    at, position = _ALZ_HEAD_END, 0
    while at + _ALZ_HEAD.size <= len(data):
        budget.check_time()
        magic, name_size, _, _, descriptor, _ = _ALZ_HEAD.unpack_from(data, at)
        if magic != _ALZ_FILE:
            break
        at += _ALZ_HEAD.size
        position += 1
        width = descriptor >> 4
        method, check, packed, size = 0, None, 0, 0
        if width:
            if width not in (1, 2, 4, 8) or at + _ALZ_PACKED.size + 2 * width > len(data):
                break
            method, _, check = _ALZ_PACKED.unpack_from(data, at)
            at += _ALZ_PACKED.size
            packed = int.from_bytes(data[at : at + width], "little")
            size = int.from_bytes(data[at + width : at + 2 * width], "little")
            at += 2 * width
        name = data[at : at + name_size].decode("utf-8", "surrogateescape")
        at += name_size
        encrypted = bool(descriptor & 1)
        start = at + (_ALZ_KEY if encrypted else 0)
        at = start + packed
        if not width:
            continue
        meta = Meta(name, size, packed, position, encrypted, check)
        if encrypted:
            yield skipped(meta, Reason.ENCRYPTED, "encrypted with a password")
            continue
        budget.charge_file()
        chunks = _content(data, start, at, _ALZ_METHODS.get(method, str(method)))
        yield from report(meta, take(chunks, budget))
    if not data.startswith(_ALZ_REST, at):
        yield Skipped("", Reason.DAMAGED, "it ends without a directory")


# --- EGG ----------------------------------------------------------------------------------


class _Fields:
    """What stands before the blocks of a file.

    Attributes:
        at: position behind it.
        name: the file's name.
        marks: which other fields there were.
        whole: whether the end was met.
    """

    def __init__(self, data: bytes, at: int) -> None:
        self.at = at
        self.name = ""
        self.marks: set[int] = set()
        self.whole = False
        for _ in range(_MOST_FIELDS):
            if self._field(data):
                return

    def _field(self, data: bytes) -> bool:
        magic = int.from_bytes(data[self.at : self.at + 4], "little")
        if magic == _END or self.at + 7 > len(data):
            self.whole = magic == _END
            self.at += 4
            return True
        flags = data[self.at + 4]
        width = 4 if flags & _LONG_FIELD else 2
        start = self.at + 5 + width
        size = int.from_bytes(data[self.at + 5 : start], "little")
        self.marks.add(magic)
        if magic == _NAME:
            text = data[start : min(start + size, len(data))]
            text = text[2:] if flags & _LOCALE else text
            self.name = text.decode("utf-8", "surrogateescape")
        self.at = start + size
        return False


def _egg(data: bytes, budget: Budget) -> Iterator[Member | Skipped]:
    head = _Fields(data, _EGG_HEAD)
    at, position = head.at, 0
    if head.marks & {_SPLIT, _SOLID}:
        yield Skipped("", Reason.UNSUPPORTED, "an archive in parts, or of one solid block")
        return
    while at + _EGG_FILE.size <= len(data):
        budget.check_time()
        magic, _, size = _EGG_FILE.unpack_from(data, at)
        if magic != _FILE:
            break
        position += 1
        fields = _Fields(data, at + _EGG_FILE.size)
        blocks = list(_blocks(data, fields.at, budget))
        at = blocks[-1][2] if blocks else fields.at
        packed = sum(end - start for _, start, end in blocks)
        encrypted = _ENCRYPTED in fields.marks
        meta = Meta(fields.name, size, packed, position, encrypted)
        if not fields.whole:
            yield skipped(meta, Reason.DAMAGED, "truncated")
            return
        if encrypted:
            yield skipped(meta, Reason.ENCRYPTED, "encrypted with a password")
            continue
        if not blocks and not size:
            continue
        budget.charge_file()
        chunks = (
            chunk for method, start, end in blocks for chunk in _content(data, start, end, method)
        )
        yield from report(meta, take(chunks, budget))
    if int.from_bytes(data[at : at + 4], "little") != _END:
        yield Skipped("", Reason.DAMAGED, "it ends without its end mark")


def _blocks(data: bytes, at: int, budget: Budget) -> Iterator[tuple[str, int, int]]:
    """Method and place of each block of a file."""
    while at + _EGG_BLOCK.size <= len(data):
        budget.check_time()
        magic, method, _, _, packed, _, _ = _EGG_BLOCK.unpack_from(data, at)
        if magic != _BLOCK:
            return
        start = at + _EGG_BLOCK.size
        at = start + packed
        yield _EGG_METHODS.get(method, str(method)), start, at


UNPACKER = AlzUnpacker()

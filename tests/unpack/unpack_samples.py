"""Containers made for the tests, whole ones and ones with a defect."""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from collections.abc import Sequence
from typing import NamedTuple

TEXT = b"The quick brown fox jumps over the lazy dog.\n" * 20
MIXED = bytes(range(256)) * 8 + TEXT


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


class Entry(NamedTuple):
    """A zip member as it shall be written; None is what is true."""

    name: bytes = b"a.txt"
    data: bytes = TEXT
    method: int = 8
    flags: int = 0
    packed: bytes | None = None
    crc: int | None = None
    size: int | None = None
    packed_size: int | None = None
    local_method: int | None = None
    local_flags: int | None = None
    local_packed_size: int | None = None
    extra: bytes = b""
    listed: bool = True
    written: bool = True
    descriptor: bytes = b""


def _body(entry: Entry) -> bytes:
    if entry.packed is not None:
        return entry.packed
    return deflate(entry.data) if entry.method == 8 else entry.data


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def make_zip(
    entries: Sequence[Entry], *, prefix: bytes = b"", directory: bool = True, shift: int = 0
) -> bytes:
    """Write a zip file; an entry that is not `written` shares the place of the one before."""
    out = bytearray(prefix)
    central = bytearray()
    offset = 0
    for entry in entries:
        body = _body(entry)
        crc = _or(entry.crc, zlib.crc32(entry.data))
        size = _or(entry.size, len(entry.data))
        packed_size = _or(entry.packed_size, len(body))
        if entry.written:
            offset = len(out) - len(prefix)
            flags = _or(entry.local_flags, entry.flags)
            later = bool(flags & 8)
            out += b"PK\x03\x04" + struct.pack(
                "<5H3I2H", 20, flags, _or(entry.local_method, entry.method), 0, 33,
                0 if later else crc,
                0 if later else _or(entry.local_packed_size, packed_size),
                0 if later else size, len(entry.name), 0,
            )  # fmt: skip
            out += entry.name + body + entry.descriptor
        if entry.listed:
            central += b"PK\x01\x02" + struct.pack(
                "<6H3I5H2I", 20, 20, entry.flags, entry.method, 0, 33, crc, packed_size, size,
                len(entry.name), len(entry.extra), 0, 0, 0, 0, offset + shift,
            )  # fmt: skip
            central += entry.name + entry.extra
    if directory:
        count = sum(entry.listed for entry in entries)
        at = len(out) - len(prefix) + shift
        out += central + b"PK\x05\x06"
        out += struct.pack("<4H2IH", 0, 0, count, count, len(central), at, 0)
    return bytes(out)


def zip_encrypt(data: bytes, password: bytes, check: int) -> bytes:
    """Encrypt as APPNOTE 6.1 says, independently of the code under test."""
    keys = [0x12345678, 0x23456789, 0x34567890]

    def crc(key: int, byte: int) -> int:
        return zlib.crc32(bytes([byte]), key ^ 0xFFFFFFFF) ^ 0xFFFFFFFF

    def update(byte: int) -> None:
        keys[0] = crc(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = crc(keys[2], keys[1] >> 24)

    for byte in password:
        update(byte)
    out = bytearray()
    for byte in bytes(range(11)) + bytes([check]) + data:
        key = keys[2] | 2
        out.append(byte ^ ((key * (key ^ 1)) >> 8 & 0xFF))
        update(byte)
    return bytes(out)


def encrypted_entry(password: bytes = b"infected", method: int = 8) -> Entry:
    packed = deflate(TEXT) if method == 8 else TEXT
    check = zlib.crc32(TEXT) >> 24
    return Entry(flags=1, method=method, packed=zip_encrypt(packed, password, check))


class File(NamedTuple):
    """A tar entry as it shall be written; None is what is true."""

    name: bytes = b"a.txt"
    data: bytes = TEXT
    kind: bytes = b"0"
    size_field: bytes | None = None
    magic: bytes = b"ustar\x0000"
    checksum: int | None = None
    prefix: bytes = b""
    tail: bytes = b""
    """Bytes from 345 on, in place of the prefix."""


def tar_entry(file: File) -> bytes:
    size = b"%011o\0" % len(file.data) if file.size_field is None else file.size_field
    block = bytearray(
        file.name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + size.ljust(12, b"\0")
        + b"%011o\0" % 0 + b" " * 8 + file.kind + bytes(100) + file.magic.ljust(8, b"\0")
    )  # fmt: skip
    block += bytes(345 - len(block)) + (file.tail or file.prefix)
    block += bytes(512 - len(block))
    total = sum(block) if file.checksum is None else file.checksum
    block[148:156] = b"%06o\0 " % total
    return bytes(block) + file.data + bytes(-len(file.data) % 512)


def make_tar(files: Sequence[File], end: bytes = bytes(1024)) -> bytes:
    return b"".join(tar_entry(file) for file in files) + end


def pax(*pairs: tuple[str, str], **records: str) -> File:
    """An extended header; two underlines in a key stand for a dot."""
    payload = b""
    for key, value in [*pairs, *records.items()]:
        body = f" {key.replace('__', '.')}={value}\n".encode()
        length = len(body) + 1
        while len(str(length)) + len(body) != length:
            length += 1
        payload += str(length).encode() + body
    return File(name=b"pax", data=payload, kind=b"x")


def python_tar(fmt: int, name: str = "a.txt") -> bytes:
    """A tar written by another program than ours."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=fmt) as archive:
        info = tarfile.TarInfo(name)
        info.size = len(TEXT)
        archive.addfile(info, io.BytesIO(TEXT))
    return out.getvalue()

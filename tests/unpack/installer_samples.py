"""Installers, compiled scripts and files with objects hidden in them, made for the tests."""

from __future__ import annotations

import bz2
import lzma
import marshal
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tocsin.unpack.autoit_cipher import decrypt_ea05, decrypt_ea06

TESTFILES = Path("/usr/share/clamav-testfiles")
CLAM_EXE_SHA256 = "71e7b604d18aefd839e51a39c88df8383bb4c071dc31f87f00a2b5df580d4495"

PAYLOAD = b"MZ is how a program begins; this is none. " * 12


def debian_sample(name: str) -> bytes:
    """A file of Debian's clamav-testfiles."""
    path = TESTFILES / name
    if not path.exists():
        pytest.skip(f"needs {path} (Debian package clamav-testfiles)")
    return path.read_bytes()


# --- AutoIt -------------------------------------------------------------------------------

AUTOIT_MARK = bytes.fromhex("a3484bbe986c4aa9994c530a86d6487d41553321")


def veiled(text: str) -> bytes:
    """A text as the tokens of a script hold it."""
    units = text.encode("utf-16-le")
    count = len(units) // 2
    words = struct.unpack(f"<{count}H", units)
    return struct.pack(f"<I{count}H", count, *(word ^ count & 0xFFFF for word in words))


def lzss(data: bytes, *, wide: bool) -> bytes:
    """Compress with AutoIt's method; runs of one byte become matches."""
    bits = []
    at = 0
    while at < len(data):
        run = 0
        while at and at + run < len(data) and run < 900 and data[at + run] == data[at - 1]:
            run += 1
        if run < 3:
            bits.append(f"{int(wide)}{data[at]:08b}")
            at += 1
            continue
        bits.append(f"{int(not wide)}{1:015b}")
        left = run - 3
        for width in (2, 3, 5, 8, 8, 8, 8, 8):
            most = (1 << width) - 1
            bits.append(f"{min(left, most):0{width}b}")
            if left < most:
                break
            left -= most
        at += run
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    packed = int(text or "0", 2).to_bytes(len(text) // 8, "big")
    return (b"EA06" if wide else b"EA05") + struct.pack(">I", len(data)) + packed


def make_autoit(
    files: list[tuple[str, str, bytes]], *, wide: bool = True, packed: bool = True
) -> bytes:
    """Write a script archive of EA06 (`wide`) or EA05."""
    if wide:
        mark, kind_key, kind_add, name_key, name_add = 0x18EE, 0xADBC, 0xB33F, 0xF820, 0xF479
        sizes, check, body_key, code, cipher = 0x87BC, 0xA685, 0x2477, "utf-16-le", decrypt_ea06
    else:
        mark, kind_key, kind_add, name_key, name_add = 0x16FA, 0x29BC, 0xA25E, 0x29AC, 0xF25E
        sizes, check, body_key, code, cipher = 0x45AA, 0xC3D2, 0x22AF, "latin-1", decrypt_ea05
    salt = bytes(range(16))
    if not wide:
        body_key += sum(salt)
    out = bytearray(AUTOIT_MARK + (b"EA06" if wide else b"EA05") + salt)
    for kind, name, data in files:
        body = lzss(data, wide=wide) if packed else data
        out += cipher(b"FILE", mark)
        for text, key, add in ((kind, kind_key, kind_add), (name, name_key, name_add)):
            out += struct.pack("<I", len(text) ^ key) + cipher(text.encode(code), add + len(text))
        out += struct.pack(
            "<BIII",
            packed,
            len(body) ^ sizes,
            len(data) ^ sizes,
            zlib.adler32(body) ^ check,
        )
        out += bytes(16) + cipher(body, body_key)
    return bytes(out + cipher(b"END.", mark))


# --- programs -----------------------------------------------------------------------------


def make_pe(code: bytes = b"\xc3", *, signature: bytes = b"", machine: int = 0x14C) -> bytes:
    """A Windows program of one section, with a signature behind it if there is one."""
    raw = code + bytes(-len(code) % 0x200)
    optional = bytearray(0xE0)
    struct.pack_into("<HBBIII", optional, 0, 0x10B, 9, 0, len(raw), 0, 0)
    struct.pack_into("<IIIIII", optional, 16, 0x1000, 0x1000, 0x2000, 0x400000, 0x1000, 0x200)
    struct.pack_into("<I", optional, 56, 0x2000)
    struct.pack_into("<I", optional, 60, 0x200)
    struct.pack_into("<I", optional, 92, 16)
    if signature:
        struct.pack_into("<II", optional, 96 + 32, 0x200 + len(raw), len(signature))
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", machine, 1, 0, 0, 0, len(optional), 0x102)
    section = struct.pack("<8sIIIIIIHHI", b".text", 0x1000, 0x1000, len(raw), 0x200, 0, 0, 0, 0, 0)
    head = b"MZ" + bytes(58) + struct.pack("<I", 64) + coff + bytes(optional) + section
    return head + bytes(0x200 - len(head)) + raw + signature


def make_elf(code: bytes = b"\xc3") -> bytes:
    """A Linux program of one segment that covers the file."""
    size = 64 + 56 + len(code)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x78, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, size, size, 0x1000) + code


def make_universal(slices: list[bytes]) -> bytes:
    """A universal binary."""
    out = bytearray(struct.pack(">II", 0xCAFEBABE, len(slices)))
    at = 0x100
    for content in slices:
        out += struct.pack(">IIIII", 7, 3, at, len(content), 2)
        at += len(content)
    return bytes(out + bytes(0x100 - len(out)) + b"".join(slices))


# --- InstallShield ------------------------------------------------------------------------


def make_installshield_list(files: list[tuple[str, bytes]], *, wide: bool = False) -> bytes:
    """A program with a list in text before each file."""
    out = bytearray(make_pe())
    if wide:
        out += struct.pack("<I", len(files))
    for name, data in files:
        for text in (name, f"Disk1\\{name}", "1.2.3.4", str(len(data))):
            out += text.encode("utf-16-le") + b"\0\0" if wide else text.encode() + b"\0"
        out += data
    return bytes(out)


def _veil(data: bytes, name: str, *, in_blocks: bool) -> bytes:
    key = [byte ^ b"\x13\x35\x86\x07"[place % 4] for place, byte in enumerate(name.encode())]
    out = bytearray()
    for place, byte in enumerate(data):
        changed = ~byte & 0xFF ^ key[(place % 1024 if in_blocks else place) % len(key)]
        out.append(changed << 4 & 0xF0 | changed >> 4)
    return bytes(out)


def make_installshield_veiled(
    files: list[tuple[str, bytes]], *, stream: bool = False, flags: int = 6, packed: bool = True
) -> bytes:
    """A program with veiled files: `InstallShield` or `ISSetupStream` behind it."""
    out = bytearray(make_pe())
    out += b"ISSetupStream\0" if stream else b"InstallShield\0"
    out += struct.pack("<HI26x", len(files), 4 if stream else 0)
    for name, data in files:
        body = zlib.compress(data) if packed else data
        body = _veil(body, name, in_blocks=bool(flags & 4)) if flags & 6 else body
        if stream:
            text = name.encode("utf-16-le")
            out += struct.pack("<II2xI8xH24x", len(text), flags, len(body), packed) + text + body
        else:
            out += name.encode().ljust(260, b"\0")
            out += struct.pack("<III8xH30x", flags, 0, len(body), packed) + body
    return bytes(out)


def _cab_pieces(data: bytes) -> bytes:
    out = b""
    for at in range(0, len(data), 0x8000):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        piece = packer.compress(data[at : at + 0x8000]) + packer.flush()
        out += struct.pack("<H", len(piece)) + piece
    return out


def _cab_veil(data: bytes) -> bytes:
    out = bytearray()
    for place, byte in enumerate(data):
        value = byte + place % 0x47 & 0xFF
        out.append((value << 2 & 0xFF | value >> 6) ^ 0xD5)
    return bytes(out)


def make_installshield_cab(
    files: list[tuple[str, bytes]], *, veiled: bool = False, split: int = 0, listed: bool = True
) -> list[tuple[str, bytes]]:
    """The cabinet of an installer, with its list inside or without one; `split` cuts it in two.

    Returns:
        Names and contents; one, or two where it is split.
    """
    version, head = 0x01009500, 20 + 64
    rows, names, body = b"", b"", b""
    table_size = 4 + 4
    for number, (name, data) in enumerate(files):
        packed = _cab_pieces(data)
        flags = 4 | (2 if veiled else 0) | (1 if split and number == len(files) - 1 else 0)
        place = table_size + 0x57 * len(files) + len(names)
        rows += struct.pack("<HQQQ", flags, len(data), len(packed), head + len(body))
        rows += struct.pack("<16x16xIH12xIIBH", place, 0, 0, 0, 0, 1)
        names += name.encode() + b"\0"
        body += _cab_veil(packed) if veiled else packed
    folder = table_size + len(rows) + len(names)
    table = struct.pack("<II", folder, 0) + rows + names + b"Program\0"
    descriptor = bytearray(0x300)
    struct.pack_into("<I", descriptor, 0x0C, len(descriptor))
    struct.pack_into("<I", descriptor, 0x1C, 1)
    struct.pack_into("<II", descriptor, 0x28, len(files), table_size)
    last = len(files) - 1

    def volume(content: bytes, first: tuple[int, int], end: tuple[int, int]) -> bytes:
        described = listed and content is not second
        at = head + len(content) if described else 0
        out = struct.pack("<4sIIII", b"ISc(", version, 0, at, 1 if described else 0)
        out += struct.pack("<QIIQQQQQQ", head, 0, last, first[0], 0, first[1], end[0], 0, end[1])
        return out + content + (bytes(descriptor) + table if described else b"")

    second = body[len(body) - split // 2 :] if split else b"-"
    if not split:
        return [("data1.cab", volume(body, (0, 0), (0, 0)))]
    whole = len(second)
    start = struct.unpack_from("<Q", rows, 0x57 * last + 18)[0]
    first_part = volume(body[:-whole], (0, 0), (start, head + len(body) - whole - start))
    second_part = struct.pack("<4sIIII", b"ISc(", version, 0, 0, 0)
    second_part += struct.pack("<QIIQQQQQQ", head, last, last, head, 0, whole, 0, 0, 0) + second
    return [("data1.cab", first_part), ("data2.cab", second_part)]


# --- PyInstaller --------------------------------------------------------------------------

PYC_MAGIC = b"\xa7\r\r\n"


def make_pyz(modules: dict[str, bytes], *, key: int = 0) -> bytes:
    """The archive of modules; `key` veils them as an encrypted one would be."""
    out = bytearray(b"PYZ\0" + PYC_MAGIC + bytes(4))
    table = []
    for name, code in modules.items():
        body = bytes(byte ^ key for byte in zlib.compress(code))
        table.append((name, (0, len(out), len(body))))
        out += body
    struct.pack_into(">I", out, 8, len(out))
    return bytes(out) + marshal.dumps(table)


def make_pyinstaller(files: list[tuple[str, bytes, bytes]], *, prefix: bytes) -> bytes:
    """A program with an archive: type, name and content of each file."""
    body, table = b"", b""
    for kind, name, data in files:
        packed = zlib.compress(data) if kind != b"z" else data
        text = name + bytes(16 - len(name) % 16)
        row = (18 + len(text), len(body), len(packed), len(data), kind != b"z", kind)
        table += struct.pack(">IIIIBc", *row) + text
        body += packed
    size = len(body) + len(table) + 88
    mark = b"MEI\014\013\012\013\016"
    cookie = struct.pack(">8sIIII64s", mark, size, len(body), len(table), 311, b"libpython")
    return prefix + body + table + cookie


# --- Inno Setup ---------------------------------------------------------------------------


class InnoFile(NamedTuple):
    """A file as it shall be stored in an Inno Setup program."""

    name: str = "{app}\\a.txt"
    data: bytes = PAYLOAD
    filtered: bool = False


def _inno_stream(data: bytes) -> bytes:
    lzma1 = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16}]
    packed = b"\x5d" + struct.pack("<I", 1 << 16)
    packed += lzma.compress(data, lzma.FORMAT_RAW, filters=lzma1)
    blocks = b""
    for at in range(0, len(packed), 4096):
        block = packed[at : at + 4096]
        blocks += struct.pack("<I", zlib.crc32(block)) + block
    head = struct.pack("<IB", len(blocks), 1)
    return struct.pack("<I", zlib.crc32(head)) + head + blocks


def call_filter(data: bytes) -> bytes:
    """What Inno Setup makes of calls before it compresses a program."""
    out = bytearray(data)
    for start in range(0, len(data), 0x10000):
        size = min(0x10000, len(data) - start)
        at = 0
        while at < size - 4:
            if out[start + at] not in (0xE8, 0xE9):
                at += 1
                continue
            at += 1
            field = out[start + at : start + at + 4]
            if field[3] in (0, 0xFF):
                distance = int.from_bytes(field[:3], "little")
                if distance & 0x800000:
                    out[start + at + 3] ^= 0xFF
                place = distance + start + at + 4 & 0xFFFFFF
                out[start + at : start + at + 3] = place.to_bytes(3, "little")
            at += 4
    return bytes(out)


def _inno_chunk(data: bytes, method: str) -> bytes:
    if method == "lzma2":
        chain = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}]
        return b"\x08" + lzma.compress(data, lzma.FORMAT_RAW, filters=chain)
    if method == "lzma":
        chain = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16}]
        head = b"\x5d" + struct.pack("<I", 1 << 16)
        return head + lzma.compress(data, lzma.FORMAT_RAW, filters=chain)
    return {"zip": zlib.compress, "bzip": bz2.compress, "stored": bytes}[method](data)


INNO_VERSIONS = {
    (5, 5, 0): (39 + 5 + 2 + 1, 20, 2),
    (5, 5, 7): (39 + 5 + 2 + 1 + 1, 20, 2),
    (5, 6, 1): (39 + 5 + 1 + 1, 20, 2),
    (6, 0, 0): (39 + 5 + 1 + 1 + 3, 20, 2),
    (6, 3, 0): (39 + 5 + 1 + 1 + 3 + 1, 20, 3),
    (6, 4, 0): (39 + 1 + 1 + 3 + 1, 32, 3),
    (6, 4, 3): (39 + 1 + 1 + 3 + 1, 32, 1),
    (6, 5, 2): (39 + 1 + 3 + 1, 32, 1),
}
"""Versions that are written: flags of the head, bytes of a check value, of a location's flags."""


def _texts(count: int) -> bytes:
    return struct.pack("<I", 4) + "ab".encode("utf-16-le") + bytes(4 * (count - 1))


def _inno_description(files: list[InnoFile], version: tuple[int, int, int]) -> bytes:
    """The first stream: one record of each kind before the files."""
    since = ((5, 5, 6), 1), ((5, 6, 1), 2), ((6, 3, 0), 2), ((6, 4, 2), 1), ((6, 5, 0), 1)
    out = _texts(31 + sum(added for first, added in since if version >= first))
    new = version >= (6, 5, 0)
    counts = [1] * (8 if new else 7) + [len(files), len(files)] + [0] * 7
    out += struct.pack(f"<{len(counts)}I", *counts)
    size = 20 + 12 + 3 + 2 + 1 + 2 + 8
    size += (8 if version < (6, 4, 1) else 0) + (4 if version < (5, 5, 7) else 1)
    size += (9 if version >= (6, 0, 0) else 0) + (1 if version >= (5, 7, 0) else 0)
    size += (8 if version >= (6, 5, 2) else 0) + (2 if version < (6, 3, 0) else 0)
    size += 28 if version < (6, 4, 0) else 48 if version < (6, 5, 0) else 0
    flags = INNO_VERSIONS[version][0]
    out += b"\1" * (size + (flags + 7) // 8)
    records = [(10, 21), (2, 4), (1, 0), (4, 30), (5, 42), (6, 26), (7, 27)]
    for texts, other in [*records, (3, 0)][: 8 if new else 7]:
        out += _texts(texts) + b"\2" * other
    for number, file in enumerate(files):
        name = file.name.encode("utf-16-le")
        out += struct.pack("<II", 0, len(name)) + name + _texts(8)
        if new:
            out += _texts(6) + bytes(33)
        out += bytes(20) + struct.pack("<IIQH", number, 0x20, 0, 0)
        out += bytes(5 if new else 4) + b"\0"
    return out


def make_inno(
    files: list[InnoFile],
    *,
    version: tuple[int, int, int] = (6, 0, 0),
    method: str = "lzma2",
    solid: bool = True,
    encrypted: bool = False,
    loader: bool = True,
    external: bool = False,
) -> bytes:
    """Write a program of Inno Setup: loader, data, description."""
    _, check, flag_bytes = INNO_VERSIONS[version]
    chunks, rows = b"", b""
    content = b"".join(call_filter(file.data) if file.filtered else file.data for file in files)
    offset = 0
    for file in files:
        if not solid:
            content, offset = file.data, 0
        if not solid or not rows:
            start = len(chunks)
            body = _inno_chunk(content, method)
            chunks += b"zlb\x1a" + (bytes(8) if encrypted else b"") + body
        place = "Q" if version >= (6, 5, 2) else "I"
        rows += struct.pack(f"<II{place}", external, external, start)
        rows += struct.pack("<QQQ", offset, len(file.data), len(body)) + bytes(check + 16)
        bits = (4, 8, 16) if flag_bytes == 1 else (16, 64, 128)
        flags = bits[0] * file.filtered + bits[1] * encrypted + bits[2] * (method != "stored")
        rows += flags.to_bytes(min(flag_bytes, 2), "little") + bytes(max(0, flag_bytes - 2))
        offset += len(file.data)
    number = ".".join(map(str, version))
    wide = " (u)" if version < (6, 3, 0) else ""
    out = bytearray(make_pe(bytes(0x400)))
    base = len(out)
    out += b"" if external else chunks
    described = len(out)
    out += f"Inno Setup Setup Data ({number}){wide}".encode().ljust(64, b"\0")
    if version >= (6, 5, 0):
        out += struct.pack("<I", zlib.crc32(bytes(49))) + bytes(49)
    out += _inno_stream(_inno_description(files, version)) + _inno_stream(rows)
    if loader:
        table = b"rDlPtS\xcd\xe6\xd7\x7b\x0b\x2a"
        table += struct.pack("<IIIIIII", 1, len(out), 0, 0, 0, described, base)
        out[0x210 : 0x210 + len(table) + 4] = table + struct.pack("<I", zlib.crc32(table))
    return bytes(out)


# --- all of them --------------------------------------------------------------------------


def _script() -> bytes:
    tokens = b"\x33" + veiled("NAME") + b"\x41\x36" + veiled("a text") + b"\x7f"
    tokens += b"\x31" + veiled("RUN") + b"\x47\x33" + veiled("NAME") + b"\x48\x7f"
    script = (">>>AUTOIT SCRIPT<<<", "C:\\s.au3", struct.pack("<I", 2) + tokens)
    return make_pe() + make_autoit([script, ("C:\\a.txt", "C:\\a.txt", PAYLOAD)])


SAMPLES: dict[str, Callable[[], bytes]] = {
    "autoit": _script,
    "installshield": lambda: make_installshield_list([("a.txt", PAYLOAD), ("b.txt", b"b" * 99)]),
    "installshield_cab": lambda: make_installshield_cab([("a.txt", PAYLOAD)])[0][1],
    "inno": lambda: make_inno([InnoFile(), InnoFile("{app}\\b.txt", b"b" * 3000)]),
    "pyinstaller": lambda: make_pyinstaller(
        [(b"s", b"main", marshal.dumps((1, 2))), (b"z", b"PYZ.pyz", make_pyz({"a": PAYLOAD}))],
        prefix=make_pe(),
    ),
    "pyz": lambda: make_pyz({"a.b": PAYLOAD, "c": b"c" * 50}),
    "embedded": lambda: b"GIF89a" + bytes(200) + make_pe() + bytes(30) + make_elf() + b"more",
    "universal": lambda: make_universal([make_elf(), make_elf(b"\x90\xc3")]),
}


# --- ALZ and EGG --------------------------------------------------------------------------


def _packed(data: bytes, method: str) -> bytes:
    if method == "deflate":
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return packer.compress(data) + packer.flush()
    if method == "lzma":
        alone = lzma.compress(data, lzma.FORMAT_ALONE)
        return b"\x09\x14\x05\0" + alone[:5] + alone[13:]
    return bz2.compress(data) if method == "bzip2" else data


def make_alz(
    files: list[tuple[str, bytes]], *, method: str = "deflate", width: int = 4, key: bool = False
) -> bytes:
    """Write an ALZ archive."""
    out = bytearray(b"ALZ\1\x0a\0\0\0")
    for name, data in files:
        body = _packed(data, method)
        number = ("stored", "bzip2", "deflate").index(method)
        out += struct.pack("<4sHBIBB", b"BLZ\1", len(name), 0x20, 0, width << 4 | key, 0)
        out += struct.pack("<BBI", number, 0, zlib.crc32(data))
        out += len(body).to_bytes(width, "little") + len(data).to_bytes(width, "little")
        out += name.encode() + (bytes(12) if key else b"") + body
    return bytes(out + b"CLZ\1" + bytes(8) + b"CLZ\2")


def make_egg(
    files: list[tuple[str, bytes]], *, method: str = "deflate", key: bool = False
) -> bytes:
    """Write an EGG archive, each file in two blocks."""
    end = struct.pack("<I", 0x08E28222)
    out = bytearray(b"EGGA" + struct.pack("<HII", 0x100, 1, 0) + end)
    for number, (name, data) in enumerate(files):
        out += struct.pack("<IIQ", 0x0A8590E3, number, len(data))
        out += struct.pack("<IBH", 0x0A8591AC, 0, len(name)) + name.encode()
        out += struct.pack("<IBH", 0x08D1470F, 0, 17) + bytes(17) if key else b""
        out += end
        for piece in (data[: len(data) // 2], data[len(data) // 2 :]):
            body = _packed(piece, method)
            code = ("stored", "deflate", "bzip2", "azo", "lzma").index(method)
            out += struct.pack(
                "<IBBIII", 0x02B50C13, code, 0, len(piece), len(body), zlib.crc32(piece)
            )
            out += end + body
    return bytes(out + end)


SAMPLES |= {
    "alz": lambda: make_alz([("a.txt", PAYLOAD), ("b.txt", b"b" * 300)]),
    "egg": lambda: make_egg([("a.txt", PAYLOAD), ("b.txt", b"b" * 300)]),
}

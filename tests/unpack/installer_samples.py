"""Installers, compiled scripts and files with objects hidden in them, made for the tests."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

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

"""A sample of each archive and image: written here where the format is simple, else unfolded."""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import io
import json
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence

import brotli
import lz4.frame
import pytest
import zstandard
from archive_blobs import unfold
from installer_samples import PAYLOAD, debian_sample

TEXT = b"The quick brown fox jumps over the lazy dog.\n" * 20
FILES = (("a.exe", PAYLOAD), ("b.txt", TEXT))
SECTOR = 512


def program_in_front(archive: bytes) -> bytes:
    """An archive behind a program that does nothing: a PE file with one empty section."""
    header = bytearray(512)
    header[:2] = b"MZ"
    header[60:64] = (64).to_bytes(4, "little")
    header[64:88] = b"PE\0\0" + struct.pack("<HHIIIHH", 0x14C, 1, 0, 0, 0, 224, 0x102)
    header[88:90] = b"\x0b\x01"
    section = b".text\0\0\0" + struct.pack("<6I2HI", 512, 4096, 512, 512, 0, 0, 0, 0, 0x60000020)
    header[312 : 312 + len(section)] = section
    return bytes(header) + bytes(512) + archive


def tar(files: Sequence[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_of(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


# --- archives ------------------------------------------------------------------------------


def _newc(name: bytes, data: bytes, mode: int = 0o100644) -> bytes:
    fields = (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name + b"\0"
    head += bytes(-len(head) % 4)
    return head + data + bytes(-len(data) % 4)


def cpio() -> bytes:
    members = [_newc(name.encode(), data) for name, data in FILES]
    return b"".join([*members, _newc(b"link", b"a.exe", 0o120777), _newc(b"TRAILER!!!", b"", 0)])


def cpio_odc() -> bytes:
    out = b""
    for name, data in (*FILES, ("TRAILER!!!", b"")):
        size = len(name) + 1
        head = b"070707" + b"%06o" % 0 * 2 + b"%06o" % 0o100644 + b"%06o" % 0 * 3 + b"%06o" % 0
        out += head + b"%011o%06o%011o" % (0, size, len(data)) + name.encode() + b"\0" + data
    return out


def ar() -> bytes:
    out = b"!<arch>\n"
    for name, data in FILES:
        out += b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (name.encode() + b"/", 0, 0, 0, 0o644, len(data))
        out += data + b"\n" * (len(data) % 2)
    return out


def xar() -> bytes:
    """Source: xar, `doc/xar.html`; checksums left out, as its readers allow."""
    heap, entries = b"", ""
    for number, (name, data) in enumerate(FILES, start=1):
        packed = zlib.compress(data)
        entries += (
            f'<file id="{number}"><name>{name}</name><type>file</type><data>'
            f"<length>{len(packed)}</length><offset>{len(heap)}</offset><size>{len(data)}</size>"
            '<encoding style="application/x-gzip"/></data></file>'
        )
        heap += packed
    toc = f'<?xml version="1.0" encoding="UTF-8"?><xar><toc>{entries}</toc></xar>'.encode()
    packed = zlib.compress(toc)
    return b"xar!" + struct.pack(">HHQQI", 28, 1, len(packed), len(toc), 0) + packed + heap


def asar() -> bytes:
    inside = {
        "a.exe": {"size": len(PAYLOAD), "offset": "0"},
        "link": {"link": "dir/a.exe"},
    }
    index = {
        "files": {
            "dir": {"files": inside},
            "b.txt": {"size": len(TEXT), "offset": str(len(PAYLOAD))},
            "beside.node": {"size": 9, "unpacked": True},
        }
    }
    text = json.dumps(index, separators=(",", ":")).encode()
    padded = text + bytes(-len(text) % 4)
    head = struct.pack("<4I", 4, len(padded) + 8, len(padded) + 4, len(text))
    return head + padded + PAYLOAD + TEXT


def crx() -> bytes:
    return b"Cr24" + struct.pack("<II", 3, 5) + b"proof" + zip_of(("manifest.json", b"{}"), *FILES)


def apk() -> bytes:
    """A package with a block of signatures between its files and its directory."""
    plain = zip_of(("AndroidManifest.xml", b"\x03\0\x08\0"), ("classes.dex", PAYLOAD))
    at = plain.index(b"PK\x01\x02")
    block = struct.pack("<Q", 24 + 12) + struct.pack("<QI", 4, 0x7109871A)
    block += struct.pack("<Q", 24 + 12) + b"APK Sig Block 42"
    end = plain.rindex(b"PK\x05\x06")
    moved = (at + len(block)).to_bytes(4, "little")
    return plain[:at] + block + plain[at : end + 16] + moved + plain[end + 20 :]


LOWER = (("etc/a", b"hello" * 10), ("bin/a.exe", PAYLOAD))
UPPER = (("bin/.wh.a.exe", b""), ("etc/.wh..wh..opq", b""), ("etc/b.txt", TEXT))


def docker_image() -> bytes:
    layers = ["1" * 64 + "/layer.tar", "2" * 64 + "/layer.tar"]
    index = [{"Config": "c.json", "RepoTags": ["x:1"], "Layers": layers}]
    return tar(
        [
            (layers[1], tar(UPPER)),
            (layers[0], tar(LOWER)),
            ("c.json", b'{"config":{}}'),
            ("manifest.json", json.dumps(index).encode()),
        ]
    )


def oci_image() -> bytes:
    blobs: dict[str, bytes] = {}

    def add(data: bytes) -> dict[str, str]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"digest": f"sha256:{digest}"}

    layers = [add(gzip.compress(tar(LOWER), mtime=0)), add(zstandard.compress(tar(UPPER)))]
    manifest = add(json.dumps({"layers": layers}).encode())
    files = [
        *reversed(blobs.items()),
        ("index.json", json.dumps({"manifests": [manifest]}).encode()),
    ]
    return tar([*files, ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')])


# --- packed files --------------------------------------------------------------------------


def framed_brotli() -> bytes:
    packed = brotli.compress(PAYLOAD)
    return b"\x50\x2a\x4d\x18\x08\0\0\0" + struct.pack("<I2sH", len(packed), b"BR", 1) + packed


def swf(packer: str = "C") -> bytes:
    head = b"\x0a" + (len(TEXT) + 8).to_bytes(4, "little")
    if packer == "C":
        return b"CWS" + head + zlib.compress(TEXT)
    packed = lzma.compress(TEXT, format=lzma.FORMAT_ALONE)
    return b"ZWS" + head + (len(packed) - 13).to_bytes(4, "little") + packed[:5] + packed[13:]


# --- images --------------------------------------------------------------------------------


def mbr() -> bytes:
    """A disk with one FAT partition behind its first 63 sectors."""
    volume = unfold("fat")
    entry = struct.pack("<B3sB3sII", 0x80, b"\1\1\0", 6, b"\1\1\1", 63, len(volume) // SECTOR)
    return bytes(446) + entry + bytes(48) + b"\x55\xaa" + bytes(62 * SECTOR) + volume


def gpt() -> bytes:
    """A disk with one FAT partition. Source: UEFI specification 2.10, 5.3."""
    volume = unfold("fat")
    count = len(volume) // SECTOR
    guid = bytes.fromhex("a2a0d0ebe5b9334487c068b6b72699c7")
    entry = guid + bytes(range(16)) + struct.pack("<QQQ", 34, 33 + count, 0) + bytes(72)
    entries = entry + bytes(127 * 128)
    last = 34 + count + 33 - 1

    def header(here: int, other: int, table: int) -> bytes:
        def pack(check: int) -> bytes:
            fixed = struct.pack("<8sIIII", b"EFI PART", 0x10000, 92, check, 0)
            places = struct.pack("<QQQQ16s", here, other, 34, 33 + count, bytes(16))
            return fixed + places + struct.pack("<QIII", table, 128, 128, zlib.crc32(entries))

        return pack(zlib.crc32(pack(0))).ljust(SECTOR, b"\0")

    protective = bytes(446) + struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff" * 3, 1, last)
    protective += bytes(48) + b"\x55\xaa"
    front = protective + header(1, last, 2) + entries + volume
    return front + entries + header(last, 1, last - 32)


def apm() -> bytes:
    """A disk with a map and one partition. Source: Inside Macintosh: Devices, chapter 3."""
    volume = unfold("fat")
    count = len(volume) // SECTOR

    def part(start: int, blocks: int, name: bytes, kind: bytes) -> bytes:
        head = struct.pack(">HHIII", 0x504D, 0, 2, start, blocks)
        return (head + name.ljust(32, b"\0") + kind.ljust(32, b"\0")).ljust(SECTOR, b"\0")

    driver = (b"ER" + struct.pack(">HI", SECTOR, count + 3)).ljust(SECTOR, b"\0")
    table = part(1, 2, b"Apple", b"Apple_partition_map") + part(3, count, b"disk", b"DOS_FAT_12")
    return driver + table + volume


def android_sparse() -> bytes:
    """Source: AOSP, `libsparse/sparse_format.h`."""
    volume = unfold("fat")
    blocks = len(volume) // 4096
    head = struct.pack("<IHHHHIIII", 0xED26FF3A, 1, 0, 28, 12, 4096, blocks, 1, 0)
    return head + struct.pack("<HHII", 0xCAC1, 0, blocks, 12 + len(volume)) + volume


def dmg() -> bytes:
    """A FAT volume as it is, with Apple's list and trailer. Source: 7-Zip's reader's fields."""
    volume = unfold("fat")
    count = len(volume) // SECTOR
    checksum = struct.pack(">II", 2, 32) + zlib.crc32(volume).to_bytes(4, "big") + bytes(124)
    table = b"mish" + struct.pack(">IQQQII", 1, 0, count, 0, 0x208, 0) + bytes(24) + checksum
    table += struct.pack(">I", 2)
    table += struct.pack(">IIQQQQ", 1, 0, 0, count, 0, len(volume))
    table += struct.pack(">IIQQQQ", 0xFFFFFFFF, 0, count, 0, len(volume), 0)
    plist = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0"><dict>'
        b"<key>resource-fork</key><dict><key>blkx</key><array><dict>"
        b"<key>Attributes</key><string>0x0050</string><key>Data</key><data>"
        + base64.b64encode(table)
        + b"</data><key>ID</key><string>0</string><key>Name</key><string>disk</string>"
        b"</dict></array></dict></dict></plist>"
    )
    trailer = b"koly" + struct.pack(">III", 4, 512, 1)
    trailer += struct.pack(">QQQQQII", 0, 0, len(volume), 0, 0, 1, 1) + bytes(16)
    trailer += checksum + struct.pack(">QQ", len(volume), len(plist)) + bytes(120)
    trailer += checksum + struct.pack(">IQ", 1, count) + bytes(12)
    return volume + plist + trailer.ljust(SECTOR, b"\0")


def uefi() -> bytes:
    """A firmware volume with one raw file. Source: UEFI PI specification 1.7, volume 3."""
    body = PAYLOAD
    size = (24 + len(body)).to_bytes(3, "little")
    head = bytearray(bytes(range(16)) + b"\0\xaa\x01\0" + size + b"\0")
    head[16] = -sum(head) & 0xFF
    head[16] = -(sum(head) - head[16] - head[17]) & 0xFF
    file = bytes(head) + b""
    file = file[:23] + b"\xf8" + body
    file += b"\xff" * (-len(file) % 8)
    length = 72 + len(file) + 512
    length += -length % 512
    volume = bytes(16) + bytes.fromhex("78e58c8c3d8a1c4f9935896185c32dd3")
    volume += struct.pack("<Q4sI", length, b"_FVH", 0x000FFEFF)
    volume += struct.pack("<HHHBB", 72, 0, 0, 0, 2) + struct.pack("<IIII", length // 512, 512, 0, 0)
    total = sum(struct.unpack("<36H", volume)) & 0xFFFF
    volume = volume[:50] + (-total & 0xFFFF).to_bytes(2, "little") + volume[52:]
    return (volume + file).ljust(length, b"\xff")


_HFS_BLOCK = 4096


def _fork(size: int = 0, start: int = 0) -> bytes:
    blocks = -(-size // _HFS_BLOCK)
    return struct.pack(">QIIII", size, 0, blocks, start, blocks) + bytes(56)


def _node(kind: int, records: Sequence[bytes], height: int) -> bytes:
    out = struct.pack(">IIbBHH", 0, 0, kind, height, len(records), 0)
    offsets = [len(out)]
    for record in records:
        out += record
        offsets.append(len(out))
    table = b"".join(struct.pack(">H", offset) for offset in reversed(offsets))
    return out + bytes(_HFS_BLOCK - len(out) - len(table)) + table


def _tree(nodes: Sequence[bytes], records: int, longest_key: int) -> bytes:
    """A B-tree: its header node, and one leaf at most."""
    leaf = len(nodes)
    head = struct.pack(">HIIII", leaf, leaf, records, leaf, leaf)
    head += struct.pack(
        ">HHIIHIBBI", _HFS_BLOCK, longest_key, 1 + leaf, 0, 0, _HFS_BLOCK, 0, 0xCF, 6
    )
    room = bytes(_HFS_BLOCK - 14 - 106 - 128 - 8)
    return b"".join([_node(1, (head + bytes(64), bytes(128), room), 0), *nodes])


def hfs_plus() -> bytes:
    """A volume with one file. Source: Apple Technical Note 1150, "HFS Plus Volume Format"."""

    def named(name: str) -> bytes:
        return struct.pack(">H", len(name)) + name.encode("utf-16-be")

    def record(parent: int, name: str, data: bytes) -> bytes:
        key = struct.pack(">I", parent) + named(name)
        return struct.pack(">H", len(key)) + key + data

    folder = struct.pack(">HHII", 1, 0, 1, 2) + bytes(76)
    file = struct.pack(">HHII", 2, 2, 0, 16) + bytes(76) + _fork(len(PAYLOAD), 5) + _fork()
    leaves = (
        record(1, "disk", folder),
        record(2, "", struct.pack(">HHI", 3, 0, 1) + named("disk")),
        record(2, "a.exe", file),
        record(16, "", struct.pack(">HHI", 4, 0, 2) + named("a.exe")),
    )
    catalog = _tree([_node(-1, leaves, 1)], len(leaves), 516)
    header = struct.pack(">2sHI4sI", b"H+", 4, 0x100, b"10.0", 0) + bytes(16)
    header += struct.pack(">11I", 1, 0, _HFS_BLOCK, 8, 1, 6, 0, 0, 17, 1, 0) + bytes(36)
    header += _fork(_HFS_BLOCK, 1) + _fork(_HFS_BLOCK, 2) + _fork(len(catalog), 3) + _fork() * 2
    blocks = [
        (bytes(1024) + header).ljust(_HFS_BLOCK, b"\0"),
        b"\xff".ljust(_HFS_BLOCK, b"\0"),
        _tree([], 0, 10),
        catalog,
        PAYLOAD.ljust(_HFS_BLOCK, b"\0"),
        bytes(_HFS_BLOCK),
        bytes(_HFS_BLOCK - 1024) + header + bytes(512),
    ]
    return b"".join(blocks)


def no_sample() -> bytes:
    pytest.skip("nothing that runs here writes this format")


SAMPLES: dict[str, Callable[[], bytes]] = {
    **{
        name: lambda name=name: unfold(name)
        for name in (
            *("7z", "rar", "cab", "arj", "lzh", "rpm", "compress_z", "wim", "iso", "udf"),
            *("vhd", "vhdx", "vmdk", "qcow", "vdi", "squashfs", "cramfs", "ext", "fat", "ntfs"),
        )
    },
    "zip": lambda: zip_of(*FILES),
    "ooxml": lambda: zip_of(
        ("[Content_Types].xml", b"<Types/>"), ("_rels/.rels", b"<x/>"), ("word/a.xml", TEXT)
    ),
    "gzip": lambda: gzip.compress(PAYLOAD, mtime=0),
    "bzip2": lambda: bz2.compress(PAYLOAD),
    "xz": lambda: lzma.compress(PAYLOAD),
    "tar": lambda: tar(FILES),
    "7z_sfx": lambda: program_in_front(unfold("7z")),
    "rar_sfx": lambda: program_in_front(unfold("rar4")),
    "cab_sfx": lambda: program_in_front(unfold("cab")),
    "arj_sfx": lambda: program_in_front(unfold("arj")),
    "nsis": lambda: debian_sample("clam-nsis.exe"),
    "chm": lambda: debian_sample("clam.chm"),
    "szdd": lambda: debian_sample("clam.exe.szdd"),
    "cpio": cpio,
    "ar": ar,
    "xar": xar,
    "lzma_alone": lambda: lzma.compress(PAYLOAD, format=lzma.FORMAT_ALONE),
    "dmg": dmg,
    "hfs": hfs_plus,
    "apfs": no_sample,
    "android_sparse": android_sparse,
    "gpt": gpt,
    "apm": apm,
    "mbr": mbr,
    "uefi": uefi,
    "jar": lambda: zip_of(
        ("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n"), ("A.class", PAYLOAD)
    ),
    "apk": apk,
    "wheel": lambda: zip_of(
        ("x/__init__.py", TEXT), ("x-1.dist-info/WHEEL", b"Wheel-Version: 1.0")
    ),
    "crx": crx,
    "asar": asar,
    "docker_image": docker_image,
    "zstd": lambda: zstandard.compress(PAYLOAD),
    "lz4": lambda: lz4.frame.compress(PAYLOAD),
    "brotli": framed_brotli,
    "swf": swf,
}
"""Builders by the names of the rows of the table of formats."""

"""Images of disks and file systems, and packed files, that are known by more than a mark.

Where a mark is short or stands at a place that anything may stand at, the fields around it
are asked too: an image is looked for in every object, and few are one.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

_BOOT = Struct("<11xHBHBHHBHHHII")
VOLUME_DESCRIPTORS = 32768
SECTOR = 2048
_FIRST_DESCRIPTOR = 16
_JOLIET = (b"%/@", b"%/C", b"%/E")
_MOST_DESCRIPTORS = 32
_BOOT_AREA = 16 * 1024
"""Bytes that a volume begins with; NTFS holds them as a file, and loaders bring them along."""

_EXT_SUPERBLOCK = 1024
_LARGEST_LZMA_SIZE = 1 << 40
_PROBABLE_LZMA = frozenset({0x5D, 0x5E, 0x66})
"""Properties that writers use: lc 3, lp 0, pb 2, and what some firmware is packed with."""

_FRAMES = {b"\x28\xb5\x2f\xfd": "ZSTD", b"\x04\x22\x4d\x18": "LZ4"}

_CAPSULE = bytes.fromhex("bd86663b760d3040b70eb5519e2fc5a0")
_FIRMWARE_FILE_SYSTEMS = (
    bytes.fromhex("d954937a68044a4481ce0bf617d890df"),
    bytes.fromhex("78e58c8c3d8a1c4f9935896185c32dd3"),
    bytes.fromhex("7ac09a54daac1d4a9b0d4fb5a2bd7d7f"),
)


def find_images(data: bytes) -> Iterator[str]:
    """Kinds of image and packed file an object is.

    Args:
        data: the object. Of a disc for both PCs and old Macintoshes, HFS before HFS+ is left
            out: it leads to the same files.
    """
    is_disc = data.startswith(b"CD001", VOLUME_DESCRIPTORS + 1)
    if len(data) > VOLUME_DESCRIPTORS:
        if is_disc:
            yield "ISO9660"
            if _has_joliet(data):
                yield "ISO9660_PRIMARY"
        if _is_udf(data):
            yield "UDF"
    if len(data) > _BOOT_AREA:
        if data.startswith(b"NTFS    \0", 3):
            yield "NTFS"
        if data[510:512] == b"\x55\xaa" and _is_fat(data):
            yield "FAT"
    if data[1080:1082] == b"\x53\xef" and _is_ext(data):
        yield "EXT"
    marks = (b"H+", b"HX") if is_disc else (b"H+", b"HX", b"BD")
    if data[1024:1026] in marks and _is_hfs(data):
        yield "PART_HFSPLUS"
    if data[1:4] == b"\x2a\x4d\x18" and (behind := _behind_skippable(data)) is not None:
        yield behind
    if data[:1] and data[0] in _PROBABLE_LZMA and _is_lzma(data):
        yield "LZMA_ALONE"
    is_volume = data.startswith(b"_FVH", 40) and data[16:32] in _FIRMWARE_FILE_SYSTEMS
    if is_volume or data.startswith(_CAPSULE):
        yield "UEFI"


def _behind_skippable(data: bytes) -> str | None:
    """What follows a frame that Zstandard and LZ4 pass over. Source: RFC 8878, 3.1.2."""
    if data[0] >> 4 != 5:
        return None
    if data.startswith(b"\x08\0\0\0", 4) and data.startswith(b"BR", 12):
        return "BROTLI"
    behind = 8 + int.from_bytes(data[4:8], "little")
    return _FRAMES.get(data[behind : behind + 4])


def _is_udf(data: bytes) -> bool:
    """Whether a sequence of descriptors names UDF. Source: ECMA-167 2/8.3, 3/9.1."""
    for number in range(_MOST_DESCRIPTORS):
        at = VOLUME_DESCRIPTORS + number * SECTOR
        name = data[at + 1 : at + 6]
        if name in (b"NSR02", b"NSR03"):
            return True
        if name not in (b"CD001", b"BEA01"):
            return False
    return False


def _has_joliet(data: bytes) -> bool:
    places = range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + _MOST_DESCRIPTORS)
    return any(is_joliet(data, number * SECTOR) for number in places)


def is_joliet(data: bytes, at: int) -> bool:
    """Whether a volume descriptor leads to a Joliet tree. Source: Joliet specification 1.0."""
    return data.startswith(b"\2CD001", at) and data[at + 88 : at + 91] in _JOLIET


def _is_fat(data: bytes) -> bool:
    """Whether the parameters of a FAT volume hold. Source: Microsoft FAT specification 3.1."""
    sector, cluster, reserved, copies, roots, small, media, fat16, *_, large = _BOOT.unpack_from(
        data
    )
    return (
        data[0] in (0xEB, 0xE9)
        and sector in (512, 1024, 2048, 4096)
        and cluster > 0
        and cluster & (cluster - 1) == 0
        and reserved > 0
        and copies in (1, 2)
        and (media == 0xF0 or media >= 0xF8)
        and bool(small or large)
        and bool(roots) == bool(fat16)
    )


def _is_ext(data: bytes) -> bool:
    """Whether a superblock's numbers hold. Source: Linux, `Documentation/filesystems/ext4`."""
    superblock = data[_EXT_SUPERBLOCK : _EXT_SUPERBLOCK + 128]
    if len(superblock) < 128:
        return False
    inodes, blocks = (int.from_bytes(superblock[at : at + 4], "little") for at in (0, 4))
    block_size, per_group = (int.from_bytes(superblock[at : at + 4], "little") for at in (24, 32))
    return bool(inodes and blocks and per_group) and block_size <= 6


def _is_hfs(data: bytes) -> bool:
    """Whether a volume header's numbers hold. Source: Apple TN1150, Inside Macintosh: Files."""
    header = data[1024 : 1024 + 128]
    if len(header) < 128:
        return False
    if header[:2] == b"BD":
        size = int.from_bytes(header[20:24], "big")
        return size > 0 and size % 512 == 0
    version, size = int.from_bytes(header[2:4], "big"), int.from_bytes(header[40:44], "big")
    return version in (4, 5) and size >= 512 and size & (size - 1) == 0


def _is_lzma(data: bytes) -> bool:
    """Whether a header of LZMA alone holds. Source: LZMA SDK, `lzma.txt`."""
    dictionary = int.from_bytes(data[1:5], "little")
    size = int.from_bytes(data[5:13], "little")
    if len(data) < 18 or data[13] or not dictionary:
        return False
    low = dictionary & -dictionary
    plausible = dictionary in (low, low * 3) or dictionary == 0xFFFFFFFF
    return plausible and dictionary >= 4096 and (size < _LARGEST_LZMA_SIZE or size == (1 << 64) - 1)

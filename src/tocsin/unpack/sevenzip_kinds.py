"""Which of 7-Zip's readers opens which kind, and where in an object it begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tocsin.formats.archives import arj_places, cab_places, nsis_places, rar_places, sevenz_places


def _start(data: bytes) -> Iterator[int]:
    """At the object's beginning."""
    del data
    yield 0


class Reader(NamedTuple):
    """How a kind is opened.

    Attributes:
        classes: 7-Zip's numbers of formats (`DOC/7zFormats`), tried in this order.
        places: where it begins in an object.
        strict: whether its mark alone proves it, so that what cannot be opened is damaged;
            otherwise an object that happens to begin alike is passed over.
        sized: whether members have packed sizes of their own.
        backslashes: whether names are stored with backslashes.
        image: whether its one or few members are disks or file systems, which are opened
            where they are when they are too big to come out.
    """

    classes: tuple[int, ...]
    places: Callable[[bytes], Iterator[int]] = _start
    strict: bool = True
    sized: bool = True
    backslashes: bool = False
    image: bool = False


RAR4, RAR5 = 0x03, 0xCC
SEVENZ = 0x07

READERS: dict[str, Reader] = {
    "7Z": Reader((SEVENZ,), sized=False),
    "7ZSFX": Reader((SEVENZ,), sevenz_places, sized=False),
    "RAR": Reader((RAR5, RAR4)),
    "RARSFX": Reader((RAR5, RAR4), rar_places),
    "ARJ": Reader((0x04,), strict=False),
    "ARJSFX": Reader((0x04,), arj_places),
    "MSCAB": Reader((0x08,), backslashes=True),
    "CABSFX": Reader((0x08,), cab_places, backslashes=True),
    "NULSFT": Reader((0x09,), nsis_places),
    "LHA_LZH": Reader((0x06,), strict=False),
    "CPIO_NEWC": Reader((0xED,)),
    "CPIO_CRC": Reader((0xED,)),
    "CPIO_ODC": Reader((0xED,)),
    "CPIO_OLD": Reader((0xED,), strict=False),
    "AR": Reader((0xEC,)),
    "RPM": Reader((0xEB,)),
    "MSCHM": Reader((0xE9,)),
    "MSSZDD": Reader((0xD5,)),
    "COMPRESS_Z": Reader((0x05,), strict=False),
    "LZMA_ALONE": Reader((0x0A,), strict=False),
    "XAR": Reader((0xE1,)),
    "WIM": Reader((0xE6,)),
    "ISO9660": Reader((0xE7,)),
    "UDF": Reader((0xE0,), strict=False),
    "DMG": Reader((0xE4,), image=True),
    "PART_HFSPLUS": Reader((0xE3,)),
    "APFS": Reader((0xC3,)),
    "VHD": Reader((0xDC,), image=True),
    "VHDX": Reader((0xC4,), image=True),
    "VMDK": Reader((0xC8,), image=True),
    "QCOW": Reader((0xCA,), image=True),
    "VDI": Reader((0xC9,), image=True),
    "ANDROID_SPARSE": Reader((0xC2,), image=True),
    "GPT": Reader((0xCB,), image=True),
    "APM": Reader((0xD4,), strict=False, image=True),
    "MBR": Reader((0xDB,), strict=False, image=True),
    "SQUASHFS": Reader((0xD2,)),
    "CRAMFS": Reader((0xD3,)),
    "EXT": Reader((0xC7,)),
    "FAT": Reader((0xDA,), strict=False),
    "NTFS": Reader((0xD9,)),
    "UEFI": Reader((0xD1, 0xD0), strict=False),
}
"""Kinds that 7-Zip's library opens."""

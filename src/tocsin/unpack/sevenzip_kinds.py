"""Which of 7-Zip's readers opens which kind, and where in an object it begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tocsin.formats.archives import (
    arj_places,
    begins_as_arj,
    cab_places,
    nsis_places,
    rar_places,
    sevenz_places,
)


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
            otherwise an object that happens to begin alike is passed over. A function asks
            more than the mark.
        blocks: whether packed sizes and dictionaries are those of blocks of members.
        backslashes: whether names are stored with backslashes.
        ends: whether the reader knows where it ends, and nothing stands behind a whole one.
        header: fewest bytes of a member; as few behind the end are one that is cut off.
        image: whether its one or few members are disks or file systems, which are opened
            where they are when they are too big to come out.
    """

    classes: tuple[int, ...]
    places: Callable[[bytes], Iterator[int]] = _start
    strict: bool | Callable[[bytes], bool] = True
    blocks: bool = False
    backslashes: bool = False
    ends: bool = False
    header: int = 0
    image: bool = False

    @property
    def at_start(self) -> bool:
        """Whether it begins where the object begins."""
        return self.places is _start

    def is_proved(self, data: bytes) -> bool:
        """Whether an object that cannot be opened is a damaged one of this kind."""
        return self.strict if isinstance(self.strict, bool) else self.strict(data)


RAR4, RAR5 = 0x03, 0xCC
SEVENZ = 0x07

READERS: dict[str, Reader] = {
    "7Z": Reader((SEVENZ,), blocks=True, ends=True),
    "7ZSFX": Reader((SEVENZ,), sevenz_places, blocks=True),
    "RAR": Reader((RAR5, RAR4), ends=True),
    "RARSFX": Reader((RAR5, RAR4), rar_places),
    "ARJ": Reader((0x04,), strict=begins_as_arj, ends=True, header=4),
    "ARJSFX": Reader((0x04,), arj_places),
    "MSCAB": Reader((0x08,), backslashes=True, ends=True),
    "CABSFX": Reader((0x08,), cab_places, backslashes=True),
    "NULSFT": Reader((0x09,), nsis_places),
    "LHA_LZH": Reader((0x06,)),
    "CPIO_NEWC": Reader((0xED,), ends=True),
    "CPIO_CRC": Reader((0xED,), ends=True),
    "CPIO_ODC": Reader((0xED,), ends=True),
    "CPIO_OLD": Reader((0xED,), strict=False),
    "AR": Reader((0xEC,), ends=True, header=60),
    "RPM": Reader((0xEB,), ends=True),
    "MSCHM": Reader((0xE9,)),
    "MSSZDD": Reader((0xD5,)),
    "COMPRESS_Z": Reader((0x05,), strict=False),
    "LZMA_ALONE": Reader((0x0A,), strict=False),
    "XAR": Reader((0xE1,), ends=True),
    "WIM": Reader((0xE6,), ends=True),
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
    "FAT": Reader((0xDA,)),
    "NTFS": Reader((0xD9,)),
    "UEFI": Reader((0xD1, 0xD0), strict=False, ends=True),
}
"""Kinds that 7-Zip's library opens."""

"""Files to plant patterns in: raw binary, PE and ELF, and containers around them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile
from typing import NamedTuple

from formats.images import elf, pe

HEAD = bytes.fromhex("0001000200030004")
"""Sixteen-bit control characters: neither ClamAV nor we take what follows for text."""

_QUIET = b"\x00\x01\xfe\xf0\x81"


class Host(NamedTuple):
    """Something to plant in.

    Attributes:
        data: its bytes.
        target: number of the target type that sees it.
        room: bytes before this stay as they are, for the header's sake.
        anchors: places that relative offsets stand for.
        sections: as the header says; 0 when there is no such thing.
    """

    data: bytes
    target: int
    room: int
    anchors: dict[str, int]
    sections: int = 0


def noise(rng: random.Random, size: int) -> bytes:
    """Bytes in which no pattern of letters stands by chance."""
    return bytes(rng.choice(_QUIET) for _ in range(size))


def make_host(rng: random.Random, target: int) -> Host:
    """A host for a target: 0 and 14 binary, 1 PE, 6 ELF."""
    if target == 1:
        unit = rng.choice((0x200, 0x200, 0x10))
        first = (0x1000, 0x200, 0x400, rng.choice((0x200, 0x1F0)))
        data = pe((first, (0x2000, 0x200, 0x600, 0x200)), 0xA00, file_unit=unit)
        ends = first[2] + (first[3] + unit - 1) // unit * unit
        places = {"EP": 0x400, "S0": 0x400, "S1": 0x600, "SL": 0x600, "SE0": ends, "SE1": 0x800}
        return Host(data, 1, 0x400, places, 2)
    if target == 6:
        places = {"EP": 0x310, "S0": 0, "S1": 0x300, "S2": 0x400, "SL": 0x400, "SE1": 0x380}
        # The section table stands at 0x600.
        return Host(elf(size=0x900), 6, 0x2C0, places, 3)
    data = HEAD + noise(rng, rng.randint(60, 400))
    return Host(data, target, len(HEAD), {})


def plant(host: Host, place: int, planted: bytes) -> bytes:
    """Write over the host's bytes; a raw one grows when that is needed."""
    place = max(place, 0)
    data = host.data
    if place > len(data):
        data += b"\xf0" * (place - len(data))
    return data[:place] + planted + data[place + len(planted) :]


class Container(NamedTuple):
    """A way to wrap bytes: its type's name and the function that does it."""

    type_name: str
    method: str


CONTAINERS = (
    Container("ZIP", "stored"),
    Container("ZIP", "deflated"),
    Container("POSIX_TAR", "ustar"),
    Container("GZ", ""),
    Container("BZ", ""),
    Container("XZ", ""),
)


def wrap(container: Container, data: bytes, name: str = "inner.bin") -> bytes:
    """Put bytes into a container, always with the same result."""
    if container.type_name == "ZIP":
        out = io.BytesIO()
        packed = zipfile.ZIP_STORED if container.method == "stored" else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(out, "w", packed) as archive:
            archive.writestr(zipfile.ZipInfo(name), data, packed)
        return out.getvalue()
    if container.type_name == "POSIX_TAR":
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        return out.getvalue()
    if container.type_name == "GZ":
        return gzip.compress(data, mtime=0)
    if container.type_name == "BZ":
        return bz2.compress(data)
    return lzma.compress(data)


def maybe_wrapped(data: bytes, rng: random.Random) -> tuple[bytes, tuple[str, ...]]:
    """The bytes as they are, or in one to three containers, whose types are given too."""
    types: list[str] = []
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 3))):
        container = rng.choice(CONTAINERS)
        data = wrap(container, data)
        types.insert(0, container.type_name)
    return data, tuple(types)

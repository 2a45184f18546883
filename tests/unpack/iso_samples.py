"""ISO 9660 images with two trees, one of which leads to more files than the other.

Source: ECMA-119 8.4, 9.1; Joliet specification 1.0.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from installer_samples import PAYLOAD

SECTOR = 2048
_FIRST_FREE = 20
TEXT = b"hello, this file stands in both trees\n"


def _both(value: int, size: int = 4) -> bytes:
    return value.to_bytes(size, "little") + value.to_bytes(size, "big")


def _record(name: bytes, sector: int, size: int, flags: int = 0, behind: bytes = b"") -> bytes:
    body = struct.pack("B", 0) + _both(sector) + _both(size) + bytes(7)
    body += bytes([flags, 0, 0]) + _both(1, 2) + bytes([len(name)]) + name
    body += bytes(1 - len(name) % 2) + behind
    return bytes([len(body) + 1]) + body


def _folder(sector: int, records: list[bytes]) -> bytes:
    own = [_record(b"\0", sector, SECTOR, 2), _record(b"\1", sector, SECTOR, 2)]
    return b"".join([*own, *records]).ljust(SECTOR, b"\0")


def _descriptor(kind: int, root: int, blocks: int, escape: bytes = b"") -> bytes:
    out = bytearray(SECTOR)
    out[:7] = bytes([kind]) + b"CD001\1"
    out[80:88] = _both(blocks)
    out[88:91] = escape.ljust(3, b"\0")
    out[120:132] = _both(1, 2) * 3
    out[128:132] = _both(SECTOR, 2)
    out[156:190] = _record(b"\0", root, SECTOR, 2)
    out[881] = 1
    return bytes(out)


def two_trees(primary: Mapping[str, bytes], joliet: Mapping[str, bytes]) -> bytes:
    """An image; equal contents lie in one place."""
    places: dict[bytes, int] = {}
    after = _FIRST_FREE + 2
    for data in (*primary.values(), *joliet.values()):
        if data not in places:
            places[data] = after
            after += -(-len(data) // SECTOR)
    first, second = _FIRST_FREE, _FIRST_FREE + 1
    long_names = [
        _record(b"F%d.;1" % number, places[data], len(data), 0, _rock_ridge(name))
        for number, (name, data) in enumerate(primary.items())
    ]
    wide = [
        _record(name.encode("utf-16-be"), places[d], len(d)) for name, d in sorted(joliet.items())
    ]
    out = bytes(16 * SECTOR)
    out += _descriptor(1, first, after) + _descriptor(2, second, after, b"%/E")
    out += (b"\xffCD001\1").ljust(2 * SECTOR, b"\0")
    out += _folder(first, long_names) + _folder(second, wide)
    return out + b"".join(data.ljust(-(-len(data) // SECTOR) * SECTOR, b"\0") for data in places)


def _rock_ridge(name: str) -> bytes:
    raw = name.encode()
    return b"NM" + bytes([len(raw) + 5, 1, 0]) + raw


SAMPLES: dict[str, Callable[[], bytes]] = {
    "iso_primary": lambda: two_trees({"r.txt": TEXT, "a.exe": PAYLOAD}, {"r.txt": TEXT}),
}

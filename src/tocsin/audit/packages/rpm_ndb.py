"""rpm's own database: `Packages.db` (rpm's lib/backend/ndb; openSUSE)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tocsin.audit.model import Skipped
from tocsin.audit.packages.rpm_header import component
from tocsin.audit.source import Found, Source, Unreadable, content, reader

HEADER = b"RpmP"
_SLOT, _BLOB = b"Slot", b"BlbS"
_PAGE, _BLOCK = 4096, 16
_MOST_PAGES = 1 << 16


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read the installed packages: slots at the beginning say where each header lies."""
    data = content(source)
    if len(data) < 32 or data[:4] != HEADER:
        raise Unreadable("no database of rpm's own kind")
    version, _, pages = struct.unpack_from("<3I", data, 4)
    if version != 0 or not 0 < pages <= _MOST_PAGES:
        raise Unreadable("a database of rpm's own kind in a version that is not known")
    for at in range(32, min(pages * _PAGE, len(data) - 15), 16):
        magic, number, block, _ = struct.unpack_from("<4s3I", data, at)
        if magic != _SLOT or not number:
            continue
        start = block * _BLOCK
        if start + 16 > len(data):
            yield Skipped(place, f"package {number:,} lies behind the end; have the file whole")
            continue
        magic, same, _, length = struct.unpack_from("<4s3I", data, start)
        if magic != _BLOB or same != number:
            yield Skipped(place, f"package {number:,} is not where it should be")
            continue
        yield component(data[start + 16 : start + 16 + length], place)

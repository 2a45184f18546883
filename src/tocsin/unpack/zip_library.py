"""Methods of zip that 7-Zip's library alone knows: shrink and PPMd.

The member is wrapped into a zip file of its own, because what surrounds it may be damaged.

Source: APPNOTE 6.3, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import struct

from tocsin.errors import LimitReached
from tocsin.unpack.interface import Budget, Reason
from tocsin.unpack.sevenzip_batch import Batch, TooBig
from tocsin.unpack.sevenzip_library import Archive, LibraryError, Result
from tocsin.unpack.stream import Taken
from tocsin.unpack.zip_directory import Entry

_ZIP = 0x01
_ROOM = 1
_NAME = b"a"
_LARGEST = 0xFFFFFFFE


def take_by_library(data: bytes, start: int, entry: Entry, budget: Budget) -> Taken:
    """Take out one member that is not encrypted.

    Args:
        data: bytes that hold it.
        start: where its packed data begin.
        entry: its header.
        budget: what is charged.
    """
    end = min(start + entry.packed_size, len(data))
    if end - start > _LARGEST or entry.size > _LARGEST:
        return Taken(b"", Reason.UNSUPPORTED, "too big for its method")
    alone = _wrapped(data[start:end], entry)
    batch = Batch(budget, _ROOM, (), charge_file=False)
    try:
        archive = Archive(_ZIP, alone, 0, None, budget.check_time)
    except LibraryError as error:
        return Taken(b"", Reason.DAMAGED, str(error))
    try:
        archive.extract([0], batch)
    except TooBig:
        batch.stop(Reason.LIMIT, "")
    except LimitReached as error:
        batch.stop(Reason.LIMIT, f"cut short: {error}", error)
        if not batch.done:
            raise
    except LibraryError as error:
        batch.stop(Reason.DAMAGED, str(error))
    finally:
        archive.close()
    if not batch.done:
        return Taken(b"", Reason.DAMAGED, "damaged")
    _number, taken, result = batch.done[0]
    if result == Result.CHECKSUM:
        taken = Taken(taken.data)  # what the headers state is compared, and remarked, later
    if taken.reason is None and end - start < entry.packed_size:
        return taken._replace(reason=Reason.DAMAGED, note="truncated")
    return taken


def _wrapped(packed: bytes, entry: Entry) -> bytes:
    """A zip file with this one member."""
    flags = entry.flags & 0x0006  # what the methods themselves define
    common = struct.pack(
        "<5H3I2H",
        *(63, flags, entry.method, 0, 0),
        *(entry.crc, len(packed), entry.size, len(_NAME), 0),
    )
    local = b"PK\x03\x04" + common + _NAME
    central = b"PK\x01\x02" + struct.pack("<H", 63) + common + bytes(14) + _NAME
    at = len(local) + len(packed)
    return b"".join(
        (
            local,
            packed,
            central,
            b"PK\x05\x06",
            struct.pack("<4H2IH", 0, 0, 1, 1, len(central), at, 0),
        )
    )

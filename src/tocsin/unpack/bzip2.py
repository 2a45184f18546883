"""bzip2 files: all streams of a file, joined to one object.

clamscan takes out the first stream only, while `bzip2 -d` writes them all; what a user gets
out of the file is what must be scanned.
"""

from __future__ import annotations

import bz2
from collections.abc import Iterator, Sequence

from tocsin.errors import FormatError
from tocsin.unpack.interface import Budget, Member, Skipped
from tocsin.unpack.stream import Codec, Meta, behind, decompress, report, take

_MAGIC = b"BZh"

BZIP2 = Codec(make=bz2.BZ2Decompressor, errors=(OSError, EOFError, ValueError))


class Bzip2Unpacker:
    """Unpacks bzip2.

    A cut off or damaged stream gives what came out before. A block whose check value is wrong
    lacks its last byte: the decoder checks before it hands that out.
    """

    types = frozenset({"BZ"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`; there is one member, and what stands behind it."""
        if not _begins_stream(data, 0):
            raise FormatError("not bzip2: it does not begin with BZh and a digit")
        budget.charge_file()
        notes: list[str] = []
        ends: list[int] = []
        taken = take(_streams(data, notes, ends), budget)
        yield from report(Meta(name="", packed_size=len(data)), taken, notes)
        for end in ends:
            yield from behind(data, end, 2, budget)


def _streams(data: bytes, notes: list[str], ends: list[int]) -> Iterator[bytes]:
    at = 0
    while _begins_stream(data, at):
        at = yield from decompress(BZIP2, data, at, len(data))
    ends.append(at)
    if at < len(data):
        notes.append(f"{len(data) - at} bytes follow the last stream")


def _begins_stream(data: bytes, at: int) -> bool:
    return data.startswith(_MAGIC, at) and data[at + 3 : at + 4].isdigit()


UNPACKER = Bzip2Unpacker()

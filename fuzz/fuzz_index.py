"""The machine index on disk: an altered file is refused, by opening it or by `verify`.

The input is a list of patches of a valid index: place (4 bytes), a byte to put there; what is
left over is appended, and a first byte above 127 cuts the file at the first patch's place.
"""

from __future__ import annotations

import io
import os
import struct
import tempfile
from functools import cache

import fuzz_support
from fuzz_database import small_index_bytes

from tocsin.database.index import Index
from tocsin.database.sections import SectionFile
from tocsin.errors import DatabaseError

_PATCH = struct.Struct("<IB")
SEEDS = [
    b"\0",
    b"\x80" + _PATCH.pack(100, 0),
    *(b"\0" + _PATCH.pack(place, 255) for place in (0, 8, 12, 20, 24, 40, 64, 200, 4000)),
    b"\0" + b"x" * 3,
]


@cache
def _valid() -> bytes:
    return small_index_bytes()


def patched(data: bytes) -> bytes:
    """The valid index after what the input says."""
    image = bytearray(_valid())
    whole = (len(data) - 1) // _PATCH.size if data else 0
    for number in range(whole):
        place, value = _PATCH.unpack_from(data, 1 + number * _PATCH.size)
        if number == 0 and data[0] > 127:
            del image[place % (len(image) + 1) :]
        elif image:
            image[place % len(image)] = value
    return bytes(image) + data[1 + whole * _PATCH.size :]


def check(data: bytes) -> None:
    """Open, verify, and use what stood both."""
    content = patched(data)
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        try:
            sections = SectionFile(file.fileno(), "fuzzed")
            index = Index(sections, "0" * 40)
            sections.verify()
        except DatabaseError as error:
            fuzz_support.require_words(error)
            return
    assert content[: os.path.getsize(__file__)] is not None
    assert index.counts
    assert all(True for _ in index.signatures())
    assert io.BytesIO(content).read(8) == b"tocsinIX"


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)

"""Programs made by PyInstaller: what the bootloader finds in the archive behind itself.

Modules are stored without the header that makes a `.pyc` of them; they get it back, so that
they are recognised as what they are.

Source: PyInstaller's documentation, "Advanced topics: Executable archives", and its
`archive/readers.py` and `writers.py` as the description of the layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import NamedTuple

from tocsin.errors import FormatError
from tocsin.formats.installers import Cookie, pyinstaller_cookie
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.marshal_subset import Unreadable, read_table
from tocsin.unpack.stream import Meta, copy, report, skipped, take
from tocsin.unpack.zlib_codec import inflate

_ROW = Struct(">IIIIBc")
_MODULES = b"PYZ\0"
_CODE = b"smM"
_WITHOUT_DATA = b"odn"


class PyInstallerUnpacker:
    """Unpacks PyInstaller's archives: the outer one and the one of modules in it."""

    types = frozenset({"PYINSTALLER", "PYZ"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        if data.startswith(_MODULES):
            yield from _modules(data, budget)
            return
        cookie = pyinstaller_cookie(data)
        if cookie is None:
            raise FormatError("not PyInstaller: no end record fits the file")
        yield from _outer(data, cookie, budget)


class _Entry(NamedTuple):
    """One row of the outer table of contents."""

    name: str
    start: int
    packed_size: int
    size: int
    packed: bool
    kind: bytes


def _rows(data: bytes, cookie: Cookie) -> Iterator[_Entry]:
    at = cookie.table
    while at + _ROW.size <= cookie.table_end:
        length, offset, packed_size, size, packed, kind = _ROW.unpack_from(data, at)
        if length < _ROW.size:
            return
        name = data[at + _ROW.size : min(at + length, cookie.table_end)].rstrip(b"\0")
        text = name.decode("utf-8", "surrogateescape")
        yield _Entry(text, cookie.start + offset, packed_size, size, bool(packed), kind)
        at += length


def _outer(data: bytes, cookie: Cookie, budget: Budget) -> Iterator[Member | Skipped]:
    header = b""
    for entry in _rows(data, cookie):
        budget.check_time()
        if entry.kind in (b"z", b"Z") and data.startswith(_MODULES, entry.start):
            header = _pyc_header(data[entry.start + 4 : entry.start + 8], cookie.python)
    position = 0
    for entry in _rows(data, cookie):
        budget.check_time()
        if entry.kind in _WITHOUT_DATA:
            continue
        position += 1
        meta = Meta(entry.name, entry.size, entry.packed_size, position)
        end = entry.start + entry.packed_size
        if end > cookie.end:
            yield skipped(meta, Reason.DAMAGED, "it does not lie in the archive")
            continue
        budget.charge_file()
        is_code = entry.kind in _CODE
        chunks = inflate(data, entry.start, end) if entry.packed else copy(data, entry.start, end)
        yield from report(meta, take(_headed(chunks, header if is_code else b""), budget))


def _headed(chunks: Iterator[bytes], header: bytes) -> Iterator[bytes]:
    """Put the header of a `.pyc` before what is a bare code object."""
    for number, chunk in enumerate(chunks):
        bare = not number and header and not chunk.startswith(header[:4])
        yield header + chunk if bare else chunk


def _pyc_header(magic: bytes, python: int) -> bytes:
    """The header of a `.pyc` (PEP 552; before 3.7 and before 3.3 shorter)."""
    major, minor = divmod(python, 100) if python >= 100 else divmod(python, 10)
    if (major, minor) >= (3, 7):
        return magic + bytes(12)
    return magic + bytes(8 if (major, minor) >= (3, 3) else 4)


def _modules(data: bytes, budget: Budget) -> Iterator[Member | Skipped]:
    """The archive of modules: magic, that of `.pyc` files, and where its table stands."""
    magic, place = data[4:8], int.from_bytes(data[8:12], "big")
    if not 12 <= place < len(data):
        raise FormatError("its table of contents does not lie in the file")
    try:
        table = read_table(data, place, budget.check_time)
    except Unreadable as error:
        raise FormatError(f"its table of contents cannot be read ({error})") from None
    header = magic + bytes(12)
    for position, (name, start, size) in enumerate(table, start=1):
        budget.check_time()
        meta = Meta(name, 0, size, position)
        if start + size > len(data):
            yield skipped(meta, Reason.DAMAGED, "it does not lie in the archive")
            continue
        if not size:
            continue
        if data[start] & 0x0F != 8:
            detail = "encrypted with the key of its program"
            yield skipped(meta._replace(encrypted=True), Reason.ENCRYPTED, detail)
            continue
        budget.charge_file()
        yield from report(meta, take(_headed(inflate(data, start, start + size), header), budget))


UNPACKER = PyInstallerUnpacker()

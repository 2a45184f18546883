"""Documents in compound files: every stream, and what Office hides inside of streams.

One walk over the streams; each is handed out, and looked at once more where its name says
that there is something to take out of it: a file dropped into the document, a presentation's
objects, macros of both kinds, a message's attachments, an encrypted document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tocsin.errors import FormatError
from tocsin.unpack import blips, hwp, msg, ppt, xlm
from tocsin.unpack.cfb import MAGIC, CompoundFile, Entry
from tocsin.unpack.interface import Budget, Item, Member, Reason, Remark, Trait
from tocsin.unpack.msi import decode_name
from tocsin.unpack.office_crypto import Decryption
from tocsin.unpack.ole1 import read_native
from tocsin.unpack.parts import Parts
from tocsin.unpack.stream import copy
from tocsin.unpack.vba_project import projects

_HWP_HEADER = 4
_NATIVE = "\1Ole10Native"
_IN_XML = re.compile(r"_\d{1,12}")
"""Names of objects in the `oledata.mso` of a document in XML: deflated compound files."""
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")


class CompoundUnpacker:
    """Unpacks compound files.

    A member of type `MSOLE2` that is none is the source of a macro, which clamscan matches
    as of this type; there is nothing inside it.
    """

    types = frozenset({"MSOLE2", "HWPOLE2"})

    def members(self, data: bytes, budget: Budget, passwords: Sequence[bytes]) -> Iterator[Item]:
        """See `Unpacker.members`."""
        if data.startswith(MAGIC, _HWP_HEADER):
            data = data[_HWP_HEADER:]
        elif not data.startswith(MAGIC):
            if data and _is_source(data):
                return
            raise FormatError("not a compound file")
        yield from _Document(data, budget, passwords).members()


def _is_source(data: bytes) -> bool:
    return b"\0" not in data[:512]


class _Document:
    """One compound file while its parts are taken out."""

    def __init__(self, data: bytes, budget: Budget, passwords: Sequence[bytes]) -> None:
        self._data = data
        self._file = CompoundFile(data, budget)
        self._budget = budget
        self._parts = Parts(budget)
        self._decryption = Decryption(self._file, passwords, self._parts)
        self._hwp = hwp.flags(self._file)

    def members(self) -> Iterator[Item]:
        file = self._file
        orphans = 0
        for entry in file.streams:
            orphans += entry.storage < 0
            yield from self._stream(entry)
        if self._hwp is not None:
            yield from hwp.remarks(self._hwp)
        yield from projects(file, self._parts)
        yield from msg.bodies(file, self._parts)
        yield from self._rest()
        if orphans:
            yield Remark(Trait.NOTE, f"{orphans} streams are held by no storage")
        if file.damage:
            yield self._parts.skip("", Reason.DAMAGED, file.damage)

    def _rest(self) -> Iterator[Item]:
        """What somebody put behind the document."""
        start = self._file.end()
        end = len(self._data)
        if start < end and not self._file.damage and self._data.count(0, start) < end - start:
            yield from self._parts.member("behind the document", copy(self._data, start, end))

    def _stream(self, entry: Entry) -> Iterator[Item]:
        file, parts = self._file, self._parts
        name = file.folder(entry.storage) + decode_name(entry.name)
        name = msg.attachment_name(file, entry) or name
        data = b""
        for item in parts.member(name, file.chunks(entry), entry.size, size=entry.size):
            if isinstance(item, Member):
                data = item.data
            yield item
        if not data:
            return
        if self._hwp is not None:
            yield from hwp.inflated(file, entry, data, self._hwp, name, parts)
        if entry.name in blips.STREAMS:
            yield from blips.pictures(data, entry.name, parts)
        if entry.name == _NATIVE:
            yield from self._native(data, name)
        elif _IN_XML.fullmatch(entry.name) and _ZLIB.match(data, 4):
            size = int.from_bytes(data[:4], "little")
            chunks = ppt.inflate(data, 4, len(data), size)
            yield from parts.member(f"{name}/inflated", chunks, len(data))
        elif entry.name == "PowerPoint Document":
            yield from ppt.objects(data, parts)
        elif entry.name in ("Workbook", "Book"):
            plain = yield from self._decryption.workbook(data, name)
            yield from xlm.macros(plain, name, parts)
        else:
            yield from self._decryption.stream(entry, data)

    def _native(self, data: bytes, name: str) -> Iterator[Item]:
        package = read_native(data)
        if package is None:
            return
        end = min(package.end, len(data))
        yield from self._parts.member(
            package.name or f"{name}/native", copy(data, package.start, end)
        )


UNPACKER = CompoundUnpacker()

"""Compiled AutoIt scripts: the script as text, and the files it carries.

Scripts of EA06 are stored as tokens. They are written out the way clamscan 1.4.6 writes them,
because that is the text that signatures were made from.

Source: the descriptions of EA05 and EA06 in public decompilers (AutoIt-Ripper, myAut2Exe);
the form of the text: measured with clamscan.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from tocsin.errors import FormatError
from tocsin.formats.installers import AUTOIT_MARK, autoit_places
from tocsin.unpack.autoit_cipher import decrypt_ea05, decrypt_ea06
from tocsin.unpack.autoit_lzss import expand
from tocsin.unpack.autoit_script import write_script
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.stream import Interrupted, Meta, copy, report, skipped, take

_VERSION = len(AUTOIT_MARK)
_PASSWORD_SUM = slice(_VERSION + 4, _VERSION + 20)
_FIRST_ENTRY = _VERSION + 20
_FIELDS_BYTES = 29
_LONGEST_NAME = 32 * 1024
_NO_DATA = ">>>AUTOIT NO CMDEXECUTE<<<"
_TOKENS = ">>>AUTOIT SCRIPT<<<"


class _Version(NamedTuple):
    """What differs between the two formats: constants, character width and cipher."""

    mark_key: int
    kind_length: int
    kind_key: int
    name_length: int
    name_key: int
    sizes: int
    checksum: int
    data_key: int
    width: int
    literal_bit: int
    magic: bytes


_EA05 = _Version(0x16FA, 0x29BC, 0xA25E, 0x29AC, 0xF25E, 0x45AA, 0xC3D2, 0x22AF, 1, 0, b"EA05")
_EA06 = _Version(0x18EE, 0xADBC, 0xB33F, 0xF820, 0xF479, 0x87BC, 0xA685, 0x2477, 2, 1, b"EA06")


class AutoItUnpacker:
    """Unpacks AutoIt's scripts, whether they stand alone or behind a program."""

    types = frozenset({"AUTOIT"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        position = 0
        found = False
        for start in autoit_places(data):
            found = True
            budget.check_time()
            archive = _Archive(data, start, budget, position)
            yield from archive.members()
            position = archive.position
        if not found:
            raise FormatError("not AutoIt: no script follows the mark")


class _Archive:
    """One script with its files while they are taken out.

    Attributes:
        position: number of the last member.
    """

    def __init__(self, data: bytes, start: int, budget: Budget, position: int) -> None:
        self._data = data
        self._budget = budget
        self._at = start + _FIRST_ENTRY
        self.position = position
        wide = data[start + _VERSION : start + _VERSION + 4] == b"EA06"
        self._version = _EA06 if wide else _EA05
        self._decrypt: Callable[[bytes, int], bytes] = (
            partial(decrypt_ea06, alive=budget.check_time) if wide else decrypt_ea05
        )
        sums = b"" if wide else data[start:][_PASSWORD_SUM]
        self._data_key = self._version.data_key + sum(sums)

    def members(self) -> Iterator[Member | Skipped]:
        """Go from entry to entry; what is no entry ends the archive."""
        version = self._version
        while self._decrypt(self._data[self._at : self._at + 4], version.mark_key) == b"FILE":
            self._budget.check_time()
            self._at += 4
            kind = self._text(version.kind_length, version.kind_key)
            name = self._text(version.name_length, version.name_key)
            if kind is None or name is None or self._at + _FIELDS_BYTES > len(self._data):
                self.position += 1
                yield Skipped("", Reason.DAMAGED, "truncated entry", position=self.position)
                return
            yield from self._entry(kind, name)

    def _number(self, at: int) -> int:
        return int.from_bytes(self._data[at : at + 4], "little")

    def _text(self, length_key: int, key: int) -> str | None:
        """Read a text behind its length, or None when it does not lie in the file."""
        length = self._number(self._at) ^ length_key
        size = length * self._version.width
        start = self._at + 4
        if length > _LONGEST_NAME or start + size > len(self._data):
            return None
        self._at = start + size
        text = self._decrypt(self._data[start : self._at], key + length)
        if self._version.width == 2:
            return text.decode("utf-16-le", "replace")
        return text.decode("utf-8", "surrogateescape")

    def _entry(self, kind: str, name: str) -> Iterator[Member | Skipped]:
        version, at = self._version, self._at
        packed = self._data[at] == 1
        packed_size = self._number(at + 1) ^ version.sizes
        if kind == _NO_DATA:
            self._at = at + 5 + packed_size + 24
            return
        self.position += 1
        size = self._number(at + 5) ^ version.sizes
        checksum = self._number(at + 9) ^ version.checksum
        start = at + _FIELDS_BYTES
        end = min(start + packed_size, len(self._data))
        self._at = start + packed_size
        meta = Meta(name or kind, size, end - start, self.position)
        if not self._budget.fits_file(end - start):
            bound = self._budget.limits.max_file_size
            yield skipped(meta, Reason.LIMIT, f"more than {bound} bytes (--max-file-size)")
            return
        self._budget.charge_file()
        plain = self._decrypt(self._data[start:end], self._data_key)
        notes = []
        if start + packed_size > len(self._data):
            chunks = self._cut(self._content(plain, kind, packed=packed))
        else:
            chunks = self._content(plain, kind, packed=packed)
            if zlib.adler32(plain) != checksum:
                notes.append("checksum does not match")
        yield from report(meta, take(chunks, self._budget), notes)

    def _cut(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        yield from chunks
        raise Interrupted(Reason.DAMAGED, "truncated")

    def _content(self, plain: bytes, kind: str, *, packed: bool) -> Iterator[bytes]:
        if not packed:
            chunks = copy(plain, 0, len(plain))
        elif plain[:4] != self._version.magic or len(plain) < 8:
            yield plain
            raise Interrupted(Reason.DAMAGED, "not compressed as its entry says")
        else:
            size = int.from_bytes(plain[4:8], "big")
            chunks = expand(plain, 8, size, self._version.literal_bit)
        if kind != _TOKENS:
            yield from chunks
            return
        yield from write_script(self._joined(chunks))

    def _joined(self, chunks: Iterator[bytes]) -> bytes:
        """The tokens of a script in one piece: they are charged when they become text."""
        tokens = bytearray()
        for chunk in chunks:
            self._budget.check_time()
            tokens += chunk
            if not self._budget.fits_file(len(tokens)):
                bound = self._budget.limits.max_file_size
                raise Interrupted(Reason.LIMIT, f"more than {bound} bytes (--max-file-size)")
        return bytes(tokens)


UNPACKER = AutoItUnpacker()

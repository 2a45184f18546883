"""Encrypted documents in compound files: opened where a password fits.

Excel opens workbooks encrypted with its own fixed password without asking, which is why
malware is sent so; that password is tried first.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeVar

from tocsin.unpack.cfb import CompoundFile, Entry
from tocsin.unpack.interface import Item, Reason, Remark, Trait
from tocsin.unpack.office_ciphers import (
    StreamCipher,
    Unreadable,
    XorMask,
    package_cipher,
    rc4,
    stream_cipher,
)
from tocsin.unpack.parts import Parts

_FIXED = (b"VelvetSweatshop", b"/01Hannes Ruescher/01")
"""Passwords of Excel's and PowerPoint's own. Source: MS-XLS 2.2.10, measured."""

_INFO_BYTES = 65536
_FILE_PASS = 0x2F
_FIRST_RECORDS = 16
_PLAIN_RECORDS = frozenset({0x809, _FILE_PASS, 0x194, 0x195, 0xE1, 0x196, 0x138})
"""BOF, FilePass, UsrExcl, FileLock, InterfaceHdr, RRDInfo, RRDHead. Source: MS-XLS 2.2.10."""
_SHEET = 0x85

_WORD_PLAIN = 68
"""Bytes of a Word document that stay plain. Source: MS-DOC 2.2.6.2."""

_ENCRYPTED_PRESENTATION = b"\xdf\xc4\xd1\xf3"

_Lock = TypeVar("_Lock", bound="XorMask | StreamCipher")


class Decryption:
    """Decrypts the streams of one compound file.

    Args:
        file: the compound file.
        passwords: to be tried, after Office's own.
        parts: hands out.
    """

    def __init__(self, file: CompoundFile, passwords: Sequence[bytes], parts: Parts) -> None:
        self._file = file
        self._passwords = tuple(dict.fromkeys((*_FIXED, *passwords)))
        self._parts = parts

    def stream(self, entry: Entry, data: bytes) -> Iterator[Item]:
        """Look at a stream other than a workbook: is it an encrypted document?"""
        if entry.name == "EncryptedPackage":
            yield from self._package(entry, data)
        elif entry.name == "WordDocument" and len(data) >= _WORD_PLAIN and data[11] & 1:
            yield from self._word(entry, data)
        elif entry.name == "Current User" and data[12:16] == _ENCRYPTED_PRESENTATION:
            yield self._remark("presentation")
            detail = "an encrypted presentation of PowerPoint 97 to 2003"
            yield self._parts.skip("PowerPoint Document/decrypted", Reason.ENCRYPTED, detail)

    def _remark(self, what: str) -> Remark:
        return Remark(Trait.ENCRYPTED_DOCUMENT, f"encrypted {what}")

    def _opens(self, unlock: Callable[[str], bool]) -> bool:
        for password in self._passwords:
            self._parts.budget.check_time()
            if unlock(password.decode("utf-8", "replace")):
                return True
        return False

    def _package(self, entry: Entry, data: bytes) -> Iterator[Item]:
        """An Office Open XML package: its cipher is described in a stream beside it."""
        yield self._remark("document")
        name = f"{self._file.folder(entry.storage)}decrypted package"
        described = self._file.streams_of(entry.storage).get("EncryptionInfo")
        if described is None:
            detail = "under rights management"
            yield self._parts.skip(name, Reason.ENCRYPTED, detail, entry.size)
            return
        try:
            cipher = package_cipher(self._file.read(described, _INFO_BYTES))
            if self._opens(cipher.unlock):
                yield from self._parts.member(name, cipher.decrypt(data), len(data), encrypted=True)
                return
            detail = "no password fits"
        except Unreadable as error:
            detail = str(error)
        yield self._parts.skip(name, Reason.ENCRYPTED, detail, entry.size)

    def _word(self, entry: Entry, data: bytes) -> Iterator[Item]:
        """A document of Word 97 to 2003: three streams, each decrypted from its beginning."""
        yield self._remark("document")
        siblings = self._file.streams_of(entry.storage)
        table = siblings.get("1Table" if data[11] & 2 else "0Table")
        try:
            if data[11] & 0x80 or table is None:
                raise Unreadable("obfuscated by a mask")
            cipher = stream_cipher(self._file.read(table, _INFO_BYTES))
            if not self._opens(cipher.unlock):
                raise Unreadable("no password fits")
        except Unreadable as error:
            name = f"{entry.name}/decrypted"
            yield self._parts.skip(name, Reason.ENCRYPTED, str(error), entry.size)
            return
        for sibling in (entry, table, siblings.get("Data")):
            if sibling is None:
                continue
            raw = self._file.read(sibling, sibling.size)
            plain = rc4(cipher, raw, 512)
            if sibling is entry:
                plain = raw[:_WORD_PLAIN] + plain[_WORD_PLAIN:]
            yield from self._parts.member(
                f"{sibling.name}/decrypted", plain, len(raw), encrypted=True
            )

    def workbook(self, data: bytes, name: str) -> Generator[Item, None, bytes]:
        """Decrypt a workbook of Excel 97 to 2003.

        Yields:
            The decrypted stream, or what there is to say.

        Returns:
            The stream to look for macros in.
        """
        description = _file_pass(data)
        if description is None:
            return data
        yield self._remark("workbook")
        try:
            plain = self._decrypted(description, data)
        except Unreadable as error:
            detail = str(error)
            yield self._parts.skip(f"{name}/decrypted", Reason.ENCRYPTED, detail, len(data))
            return data
        yield from self._parts.member(f"{name}/decrypted", plain, len(data), encrypted=True)
        return plain

    def _decrypted(self, description: bytes, data: bytes) -> bytes:
        if description[:2] == b"\1\0":
            cipher = self._unlocked(stream_cipher(description[2:]))
            plain = rc4(cipher, data, 1024)
            return b"".join(
                data[at : at + fixed] + plain[at + fixed : end] for at, fixed, end in _spans(data)
            )
        mask = self._unlocked(XorMask(description[2:]))
        return b"".join(
            data[at : at + fixed] + mask.decrypt(data[at + fixed : end], end + fixed - 4)
            for at, fixed, end in _spans(data)
        )

    def _unlocked(self, lock: _Lock) -> _Lock:
        if not self._opens(lock.unlock):
            raise Unreadable("no password fits")
        return lock


def _file_pass(data: bytes) -> bytes | None:
    """The record that describes a workbook's cipher; None in one that is not encrypted."""
    at = 0
    for _ in range(_FIRST_RECORDS):
        kind = int.from_bytes(data[at : at + 2], "little")
        size = int.from_bytes(data[at + 2 : at + 4], "little")
        if kind == _FILE_PASS:
            return data[at + 4 : at + 4 + size]
        at += 4 + size
    return None


def _spans(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each record: where it begins, how many of its bytes stay plain, where it ends."""
    at = 0
    while at < len(data):
        kind = int.from_bytes(data[at : at + 2], "little")
        size = int.from_bytes(data[at + 2 : at + 4], "little")
        plain = 4 + size if kind in _PLAIN_RECORDS else 8 if kind == _SHEET else 4
        end = min(at + 4 + size, len(data))
        yield at, min(plain, 4 + size), end
        at += 4 + size

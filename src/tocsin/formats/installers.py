"""Installers and compiled scripts, found by the marks their makers left in a program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from tocsin.formats.archives import crc32
from tocsin.formats.pe_extent import Extent, pe_extent

AUTOIT_MARK = bytes.fromhex("a3484bbe986c4aa9994c530a86d6487d41553321")
"""What stands before `EA05` or `EA06`."""

_AUTOIT_FILE = {b"EA05": bytes.fromhex("ff6db0ce"), b"EA06": bytes.fromhex("6b43ca52")}
"""The word FILE as either cipher writes it at the head of the first entry."""


def autoit_places(data: bytes) -> Iterator[int]:
    """Where AutoIt scripts begin: marks that an entry follows.

    Args:
        data: the object. A program that merely knows the mark has no entry behind it.
    """
    at = data.find(AUTOIT_MARK)
    while at >= 0:
        version = data[at + 20 : at + 24]
        if version in _AUTOIT_FILE and data.startswith(_AUTOIT_FILE[version], at + 40):
            yield at
        at = data.find(AUTOIT_MARK, at + 20)


INSTALLSHIELD = b"InstallShield\0"
INSTALLSHIELD_STREAM = b"ISSetupStream\0"
_LISTED_FILE = re.compile(rb"[^\0]{1,512}\0[^\0]{1,512}\0[0-9.]{1,64}\0[0-9]{1,10}\0")
_WIDE_LISTED_FILE = re.compile(
    rb".{2}\0\0(?:[^\0]\0){1,512}\0\0(?:[^\0]\0){1,512}\0\0(?:[0-9.]\0){1,64}\0\0(?:[0-9]\0){1,10}\0\0",
    re.DOTALL,
)
_DEBUG_RECORD = b"NB10"
_LONGEST_DEBUG_RECORD = 512
_LIST_REACH = 2048
"""A list of files that begins with a name begins with so many bytes of text at most."""


def installshield_place(data: bytes) -> int | None:
    """Where the files of an InstallShield program begin: behind its last section.

    Args:
        data: the object.
    """
    extent = pe_extent(data)
    return None if extent is None else _installshield_behind(data, extent)


def _installshield_behind(data: bytes, extent: Extent) -> int | None:
    start = extent.sections_end
    if data.startswith(_DEBUG_RECORD, start):
        marked = data.find(INSTALLSHIELD, start, start + _LONGEST_DEBUG_RECORD)
        start = marked if marked >= 0 else start
    if data.startswith((INSTALLSHIELD, INSTALLSHIELD_STREAM), start):
        return start
    head = data[start : start + _LIST_REACH]
    if _LISTED_FILE.match(head) or _WIDE_LISTED_FILE.match(head):
        return start
    return None


def installshield_kind(data: bytes) -> str | None:
    """Which kind of InstallShield program an object is, or None.

    Args:
        data: the object.
    """
    extent = pe_extent(data)
    if extent is None or extent.sections_end >= len(data):
        return None
    start = _installshield_behind(data, extent)
    if start is None:
        return None
    return "ISHIELD_MSI" if data.startswith(INSTALLSHIELD, start) else "INSTALLSHIELD"


# --- PyInstaller --------------------------------------------------------------------------

PYINSTALLER_MARK = b"MEI\014\013\012\013\016"
_COOKIE = Struct(">8sIIII")
_OLD_COOKIE = 24
_COOKIE_WITH_NAME = 88


class Cookie(NamedTuple):
    """The end record of a PyInstaller archive.

    Attributes:
        start: where the archive begins in the object, likewise `end`.
        table: where its table of contents begins.
        table_end: where the table ends.
        python: the version of Python it was made for, as 311 for 3.11.
    """

    start: int
    end: int
    table: int
    table_end: int
    python: int


def pyinstaller_cookie(data: bytes) -> Cookie | None:
    """Find the end record: the last mark whose numbers fit the object.

    Args:
        data: the object. A bootloader knows the mark, but no archive lies before its copy.
    """
    at = data.rfind(PYINSTALLER_MARK)
    for _ in range(_MOST_COOKIES):
        if at < 0:
            return None
        if at + _COOKIE.size <= len(data):
            _, length, table, table_size, python = _COOKIE.unpack_from(data, at)
            for size in (_COOKIE_WITH_NAME, _OLD_COOKIE):
                start = at + size - length
                table_start = start + table
                if start >= 0 and table_size and table_start + table_size == at:
                    return Cookie(start, at, table_start, at, python)
        at = data.rfind(PYINSTALLER_MARK, 0, at)
    return None


_MOST_COOKIES = 64


def has_pyinstaller(data: bytes) -> bool:
    """Whether there is a PyInstaller archive in an object."""
    return pyinstaller_cookie(data) is not None


# --- Inno Setup ---------------------------------------------------------------------------

_INNO_MARK = b"Inno Setup Setup Data ("
INNO_ID_BYTES = 64
_INNO_VERSION = re.compile(rb"Inno Setup Setup Data \(([0-9]+)\.([0-9]+)\.([0-9]+)(?:\.([0-9]+))?")
_MOST_INNO_MARKS = 64


class InnoPlace(NamedTuple):
    """Where the description of an Inno Setup program begins, and of which version it is."""

    start: int
    version: tuple[int, int, int, int]
    wide: bool


def inno_place(data: bytes) -> InnoPlace | None:
    """Find the description: a mark with a block behind it whose check value fits.

    Args:
        data: the object.
    """
    at = data.find(_INNO_MARK)
    for _ in range(_MOST_INNO_MARKS):
        if at < 0:
            return None
        name = data[at : at + INNO_ID_BYTES]
        found = _INNO_VERSION.match(name)
        if found is not None:
            version = tuple(int(part or 0) for part in found.groups())
            block = at + INNO_ID_BYTES
            if version >= _INNO_WITH_ENCRYPTION_HEADER:
                block += 4 + INNO_ENCRYPTION_BYTES
            check = int.from_bytes(data[block : block + 4], "little")
            head = data[block + 4 : block + 9]
            if len(head) == 5 and crc32(head) == check:
                wide = version >= (6, 3, 0, 0) or b"(u)" in name.lower()
                return InnoPlace(at, (version[0], version[1], version[2], version[3]), wide)
        at = data.find(_INNO_MARK, at + 1)
    return None


_INNO_WITH_ENCRYPTION_HEADER = (6, 5, 0, 0)
INNO_ENCRYPTION_BYTES = 1 + 16 + 4 + 24 + 4
"""Scope, salt, rounds, nonce and test of a password (TSetupEncryptionHeader of 6.5)."""


def has_inno(data: bytes) -> bool:
    """Whether an object is an Inno Setup program."""
    return inno_place(data) is not None

"""Installers and compiled scripts, found by the marks their makers left in a program."""

from __future__ import annotations

import re
from collections.abc import Iterator

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


def find_installers(data: bytes) -> Iterator[str]:
    """Kinds of installer a program is."""
    if next(autoit_places(data), None) is not None:
        yield "AUTOIT"
    extent = pe_extent(data)
    if extent is None or extent.sections_end >= len(data):
        return
    start = _installshield_behind(data, extent)
    if start is not None:
        yield "ISHIELD_MSI" if data.startswith(INSTALLSHIELD, start) else "INSTALLSHIELD"

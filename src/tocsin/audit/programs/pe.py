"""Windows programs: who signed them, what their version resource says, words in them.

Source: "PE Format", Microsoft: optional header, section table, attribute certificate table; and
"Windows Authenticode Portable Executable Signature Format" (2008), "Calculating the PE Image
Hash"; VERSIONINFO resource, String.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from tocsin.audit.model import Trace
from tocsin.audit.programs.facts import Facts, trace
from tocsin.audit.programs.signatures import INDIRECT, Signature, read_signatures
from tocsin.audit.programs.signers import day_signed, signer_traces
from tocsin.audit.programs.words import Words
from tocsin.errors import FormatError
from tocsin.formats.pe import version_info_offsets
from tocsin.jurisdiction.vocabulary import MarkerKind

_SECURITY = 4
_DIRECTORIES = {0x10B: 96, 0x20B: 112}
_CHECKSUM = 64
_ROW = 40
_MOST_SECTIONS = 96
_SIGNED_DATA = 2
_MOST_ENTRIES = 16
_MOST_STRINGS = 200
_LONGEST_STRING = 1024

_CLAIMS = {"CompanyName": MarkerKind.COMPANY, "LegalCopyright": MarkerKind.COMPANY}
_TEXTS = ("LegalTrademarks", "ProductName", "FileDescription", "Comments")


class _Headers(NamedTuple):
    """Where things stand in a file.

    Attributes:
        checksum: the field.
        security: entry of the certificate table in the optional header; 0: there is none.
        table: where the certificate table begins.
        table_end: where it ends, as far as the file goes.
        sections: name, begin and end of each in the file.
    """

    checksum: int
    security: int
    table: int
    table_end: int
    sections: tuple[tuple[str, int, int], ...]


def read_pe(data: bytes, words: Words) -> Facts:
    """Read a program.

    Args:
        data: the whole file.
        words: what to look for in its strings.

    Raises:
        FormatError: it has no headers.
    """
    headers = _headers(data)
    strings = version_strings(data)
    trouble: list[str] = []
    signatures: list[Signature] = []
    for envelope in _envelopes(data, headers):
        try:
            signatures += read_signatures(envelope)
        except FormatError as error:
            trouble.append(f"its signature cannot be read: {error}")
    cover = _Cover(data, headers)
    return Facts(
        kind="program",
        name=strings.get("ProductName", ""),
        version=strings.get("ProductVersion") or strings.get("FileVersion") or "",
        traces=(
            *signer_traces(signatures, "Authenticode", cover.covers),
            *_version_traces(strings),
            *words.traces(_without_signature(data, headers), lambda at: _where(headers, at)),
        ),
        made=day_signed(signatures),
        trouble=tuple(trouble),
    )


def _headers(data: bytes) -> _Headers:
    start = int.from_bytes(data[60:64], "little")
    optional = start + 24
    before = _DIRECTORIES.get(int.from_bytes(data[optional : optional + 2], "little"))
    if data[:2] != b"MZ" or data[start : start + 4] != b"PE\0\0" or before is None:
        raise FormatError("not a Windows program: it has no headers")
    count = int.from_bytes(data[start + 6 : start + 8], "little")
    table = optional + int.from_bytes(data[start + 20 : start + 22], "little")
    sections: list[tuple[str, int, int]] = []
    for at in range(table, table + _ROW * min(count, _MOST_SECTIONS), _ROW):
        name = data[at : at + 8].rstrip(b"\0").decode("latin-1")
        size = int.from_bytes(data[at + 16 : at + 20], "little")
        raw = int.from_bytes(data[at + 20 : at + 24], "little")
        sections.append((name, raw, raw + size))
    security = optional + before + 8 * _SECURITY
    if int.from_bytes(data[optional + before - 4 : optional + before], "little") <= _SECURITY:
        security = 0
    at = size = 0
    if security and security + 8 <= table:
        at = int.from_bytes(data[security : security + 4], "little")
        size = int.from_bytes(data[security + 4 : security + 8], "little")
    if not 0 < at < len(data):
        at = size = 0
    end = min(at + size, len(data))
    return _Headers(optional + _CHECKSUM, security, at, end, tuple(sections))


def _envelopes(data: bytes, headers: _Headers) -> Iterator[bytes]:
    """The entries of the certificate table that are signatures."""
    at, end = headers.table, headers.table_end
    for _ in range(_MOST_ENTRIES):
        if at + 8 >= end:
            return
        length = int.from_bytes(data[at : at + 4], "little")
        if length < 8:
            return
        if int.from_bytes(data[at + 6 : at + 8], "little") == _SIGNED_DATA:
            yield data[at + 8 : min(at + length, end)]
        at += length + 7 & ~7


class _Cover:
    """Tells whether signatures are about this file; each digest is taken once, if asked for."""

    def __init__(self, data: bytes, headers: _Headers) -> None:
        self._data = data
        self._headers = headers
        self._digests: dict[str, bytes] = {}

    def covers(self, signature: Signature) -> bool | None:
        """Whether a signature is about the file; None: its digest is of an unknown kind."""
        if signature.content_type != INDIRECT:
            return False
        if signature.digest is None:
            return None
        name, stated = signature.digest
        if name not in self._digests:
            self._digests[name] = self._taken(name)
        return self._digests[name] == stated

    def _taken(self, name: str) -> bytes:
        headers, view = self._headers, memoryview(self._data)
        state = hashlib.new(name, usedforsecurity=False)
        state.update(view[: headers.checksum])
        state.update(view[headers.checksum + 4 : headers.security])
        state.update(view[headers.security + 8 : headers.table])
        state.update(view[headers.table_end :])
        return state.digest()


def version_strings(data: bytes) -> dict[str, str]:
    """The strings of a program's version resource, by their names; the first of each.

    Args:
        data: the whole file.
    """
    found: dict[str, str] = {}
    for at in version_info_offsets(data)[:_MOST_STRINGS]:
        end = at - 6 + int.from_bytes(data[at - 6 : at - 4], "little")
        key, behind = _wide(data, at, end)
        value, _ = _wide(data, behind + 3 & ~3, end)
        if value.strip():
            found.setdefault(key, value.strip())
    return found


def _wide(data: bytes, at: int, end: int) -> tuple[str, int]:
    """Text in UTF-16 up to its NUL, and where what follows begins."""
    end = min(end, at + 2 * _LONGEST_STRING, len(data))
    stop = at
    while stop + 2 <= end and data[stop : stop + 2] != b"\0\0":
        stop += 2
    return data[at:stop].decode("utf-16-le", "replace"), stop + 2


def _version_traces(strings: dict[str, str]) -> Iterator[Trace]:
    for name, kind in _CLAIMS.items():
        yield from trace(kind, strings.get(name, ""), f"version resource: {name}")
    for name in _TEXTS:
        yield from trace(MarkerKind.TEXT, strings.get(name, ""), f"version resource: {name}")


def _without_signature(data: bytes, headers: _Headers) -> bytes:
    """A program up to its signature, whose names are told as what they are."""
    is_last = headers.table and headers.table_end + 8 >= len(data)
    return data[: headers.table] if is_last else data


def _where(headers: _Headers, at: int) -> str:
    for name, start, end in headers.sections:
        if start <= at < end:
            return f"text in section {name}"
    return "text outside of all sections"

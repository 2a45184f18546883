"""Binary parts inside documents that are one XML file: Word 2003, flat OPC, HWPML.

The XML is not parsed: parts are found by their tags, so that neither entities nor depth can
cost anything, and damage elsewhere hides nothing.

Source: Office 2003 XML Reference Schemas; ISO/IEC 29500-2 (flat OPC); HWPML 2.x.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64
from collections.abc import Iterator, Sequence

from tocsin.errors import FormatError
from tocsin.unpack.deflate import DEFLATE
from tocsin.unpack.interface import Budget, Item, Reason, Remark, Trait
from tocsin.unpack.parts import Parts
from tocsin.unpack.stream import Interrupted, decompress

_PART = re.compile(
    rb"<(?:\w{1,16}:)?(?P<tag>binData|binaryData|BINDATA|docOleData|docSuppData)(?P<attributes>[^<>]{0,4096})>"
    rb"(?P<text>[A-Za-z0-9+/=\s]{16,}+)<"
)
_NAME = re.compile(rb'(?:name|Id)\s*=\s*"([^"<>]{1,512})"')
_PACKAGE_PART = re.compile(rb'<pkg:part\s[^<>]{0,1024}?pkg:name\s*=\s*"([^"<>]{1,512})"')
_REACH = 2048
"""How far before the data of a flat package the head of its part stands."""

_GROUP = 64 * 1024
_BLANKS = b" \t\r\n\f\v"
_MACROS = (b"editdata.mso", b"vbaProject")


class OfficeXmlUnpacker:
    """Unpacks documents in XML."""

    types = frozenset({"XML_WORD", "XML_XL", "XML_HWP", "FLAT_OPC"})

    def members(self, data: bytes, budget: Budget, passwords: Sequence[bytes]) -> Iterator[Item]:
        """See `Unpacker.members`."""
        if b"<" not in data[:1024]:
            raise FormatError("no XML")
        parts = Parts(budget)
        for found in _PART.finditer(data):
            name = _name(data, found)
            if any(mark in name for mark in _MACROS):
                yield Remark(Trait.MACROS, "macros", name.decode("utf-8", "surrogateescape"))
            start, end = found.span("text")
            packed = b'Compress="true"' in found["attributes"]
            chunks = _inflated(data, start, end) if packed else _decoded(data, start, end)
            title = name.decode("utf-8", "surrogateescape") or f"part {parts.position + 1}"
            yield from parts.member(title, chunks, end - start)


def _name(data: bytes, found: re.Match[bytes]) -> bytes:
    named = _NAME.search(found["attributes"])
    if named is not None:
        return named[1]
    if found["tag"] != b"binaryData":
        return b""
    heads = list(_PACKAGE_PART.finditer(data, max(0, found.start() - _REACH), found.start()))
    return heads[-1][1] if heads else b""


def _decoded(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """Decode base64 in pieces whose letters make whole groups of four."""
    rest = b""
    for at in range(start, end, _GROUP):
        letters = rest + data[at : min(at + _GROUP, end)].translate(None, _BLANKS)
        whole = len(letters) & ~3 if at + _GROUP < end else len(letters)
        rest = letters[whole:]
        try:
            yield a2b_base64(letters[:whole])
        except Error as error:
            raise Interrupted(Reason.DAMAGED, f"not base64 ({error})") from error


def _inflated(data: bytes, start: int, end: int) -> Iterator[bytes]:
    packed = b"".join(_decoded(data, start, end))
    yield from decompress(DEFLATE, packed, 0, len(packed))


UNPACKER = OfficeXmlUnpacker()

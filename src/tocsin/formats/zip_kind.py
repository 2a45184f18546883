"""What kind of document a zip archive holds.

Office Open XML and HWPX documents are zip archives that only the names of their members
tell apart (ECMA-376 part 2; KS X 6101). The names are looked for where clamscan 1.4.6
looks: in the first local headers, and, if one of those is typical of a document, in the
central directory (APPNOTE.TXT, 4.3.7, 4.3.12 and 4.3.16).
"""

from __future__ import annotations

from struct import Struct

_LOCAL = b"PK\x03\x04"
_CENTRAL = b"PK\x01\x02"
_END = b"PK\x05\x06"
_CENTRAL_NAME = Struct("<28xHHH12x")
_LOCAL_SIZE = 30
_CENTRAL_SIZE = 46

# How far the second and third header may lie in the file, and how many are looked at.
_REACH = 30720
_HEADERS = 3

_KINDS = (
    (b"xl/", "OOXML_XL"),
    (b"ppt/", "OOXML_PPT"),
    (b"word/", "OOXML_WORD"),
    (b"Contents/content.hpf", "OOXML_HWP"),
)
_TYPICAL = (
    b"mimetype",
    b"docProps/",
    b"customXml/",
    b"[Content_Types].xml",
    b"version.xml",
    b"settings.xml",
    b"META-INF/container.xml",
    b"BinData/",
    b"Contents/",
)
_LONGEST = 24


def zip_kind(data: bytes) -> str:
    """Tells a document from another zip archive.

    Args:
        data: the archive, as far as it is known.

    Returns:
        ZIP or one of the OOXML types.
    """
    start = 4 if data.startswith(b"PK00") else 0
    typical = False
    for _ in range(_HEADERS):
        name = data[start + _LOCAL_SIZE : start + _LOCAL_SIZE + _LONGEST]
        kind = _kind(name)
        if kind is not None:
            return kind
        typical = typical or name.startswith(_TYPICAL)
        start = data.find(_LOCAL, start + _LOCAL_SIZE, _REACH)
        if start < 0:
            break
    return (_by_directory(data) if typical else None) or "ZIP"


def _kind(name: bytes) -> str | None:
    for start, kind in _KINDS:
        if name.startswith(start):
            return kind
    return None


def _by_directory(data: bytes) -> str | None:
    """Asks the central directory for the first name that tells."""
    end = data.rfind(_END)
    if end < 0 or end + 22 > len(data):
        return None
    place = int.from_bytes(data[end + 16 : end + 20], "little")
    while data.startswith(_CENTRAL, place) and place + _CENTRAL_SIZE <= len(data):
        kind = _kind(data[place + _CENTRAL_SIZE : place + _CENTRAL_SIZE + _LONGEST])
        if kind is not None:
            return kind
        place += _CENTRAL_SIZE + sum(_CENTRAL_NAME.unpack_from(data, place))
    return None

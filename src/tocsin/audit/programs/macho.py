"""Mach-O programs: who signed them, the list of properties they carry, words in them.

Source: Apple, `mach-o/loader.h` and `kern/cs_blobs.h` (SuperBlob 0xfade0cc0, CodeDirectory
0xfade0c02, CMS 0xfade0b01), whose fields are in network order.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from tocsin.audit.model import Trace
from tocsin.audit.programs.facts import Facts, trace
from tocsin.audit.programs.plists import read_plist
from tocsin.audit.programs.signatures import Signature, read_signatures
from tocsin.audit.programs.signers import day_signed, signer_traces
from tocsin.audit.programs.words import Words
from tocsin.errors import FormatError
from tocsin.formats.macho import fat_slices
from tocsin.jurisdiction.vocabulary import MarkerKind

_MAGICS = {
    b"\xce\xfa\xed\xfe": ("<", False),
    b"\xcf\xfa\xed\xfe": ("<", True),
    b"\xfe\xed\xfa\xce": (">", False),
    b"\xfe\xed\xfa\xcf": (">", True),
}
FAT = b"\xca\xfe\xba\xbe"
MAGICS = frozenset(_MAGICS)
_SEGMENTS = {0x1, 0x19}
_CODE_SIGNATURE = 0x1D
_LOADED = {0xC, 0x18 | 1 << 31, 0x1F | 1 << 31}
_OWN_NAME = 0xD
_SUPER_BLOB, _DIRECTORY, _CMS = 0xFADE0CC0, 0xFADE0C02, 0xFADE0B01
_WITH_TEAM = 0x20200
_MOST_COMMANDS = 4096
_MOST_BLOBS = 64
_MOST_SECTIONS = 255
_LONGEST_PLIST = 1 << 20


class _Parts(NamedTuple):
    """What load commands lead to: ranges of the file, and names."""

    signature: tuple[int, int] | None
    plist: tuple[int, int] | None
    own: str
    loaded: tuple[str, ...]


def read_macho(data: bytes, words: Words) -> Facts:
    """Read a program, of one processor or of several.

    Args:
        data: the whole file.
        words: what to look for in its strings.

    Raises:
        FormatError: it has no headers.
    """
    if data.startswith(FAT):
        slices = [data[each.offset : each.offset + each.size] for each in fat_slices(data)]
        read = [_read_one(each, words) for each in slices if each[:4] in _MAGICS]
        if not read:
            raise FormatError("Mach-O: no programs in a universal one")
        joined = tuple(each for facts in read for each in facts.traces)
        return read[0]._replace(traces=joined)
    return _read_one(data, words)


def _read_one(data: bytes, words: Words) -> Facts:
    parts = _parts(data)
    traces: list[Trace] = []
    trouble: list[str] = []
    signatures: list[Signature] = []
    name, version = parts.own, ""
    if parts.signature is not None:
        for team, identifier, cms in _blobs(data, *parts.signature):
            name = name or identifier
            traces += trace(MarkerKind.SIGNER, team, "team of the code signature")
            traces += trace(
                MarkerKind.ANDROID_PACKAGE, identifier, "identifier in the code signature"
            )
            if len(cms) > 16:
                try:
                    signatures += read_signatures(cms)
                except FormatError as error:
                    trouble.append(f"its code signature cannot be read: {error}")
    if parts.plist is not None:
        start, size = parts.plist
        own = read_plist(data[start : start + min(size, _LONGEST_PLIST)])
        if own is not None:
            name, version = own.name or name, own.version
            traces += own.traces
    for library in parts.loaded:
        traces += trace(MarkerKind.TEXT, library, "library that it loads")
    return Facts(
        "program",
        name,
        version,
        (
            *signer_traces(signatures, "code signature's"),
            *traces,
            *words.traces(data, lambda _at: "text in the program"),
        ),
        day_signed(signatures),
        trouble=tuple(trouble),
    )


def _parts(data: bytes) -> _Parts:
    if data[:4] not in _MAGICS or len(data) < 28:
        raise FormatError("not a Mach-O file")
    order, wide = _MAGICS[data[:4]]
    (count,) = Struct(order + "I").unpack_from(data, 16)
    command = Struct(order + "IIII")
    at = 32 if wide else 28
    signature = plist = None
    own, loaded = "", []
    for _ in range(min(count, _MOST_COMMANDS)):
        if at + 16 > len(data):
            break
        kind, size, one, other = command.unpack_from(data, at)
        if kind == _CODE_SIGNATURE:
            signature = (one, other)
        elif kind in _LOADED or kind == _OWN_NAME:
            path = data[at + one : at + min(size, one + 1024)].partition(b"\0")[0]
            text = path.decode("utf-8", "replace")
            if kind == _OWN_NAME:
                own = text.rpartition("/")[2]
            else:
                loaded.append(text)
        elif kind in _SEGMENTS and data[at + 8 : at + 16].rstrip(b"\0") == b"__TEXT":
            plist = _info_plist(data, at, order, wide=kind == 0x19) or plist
        at += max(size, 8)
    return _Parts(signature, plist, own, tuple(loaded[:100]))


def _info_plist(data: bytes, at: int, order: str, *, wide: bool) -> tuple[int, int] | None:
    """Range of the section `__info_plist` of a segment."""
    fixed, row = (72, 80) if wide else (56, 68)
    count = data[at + fixed - 8 : at + fixed - 4]
    number = int.from_bytes(count, "little" if order == "<" else "big")
    fields = Struct(order + ("QI" if wide else "II"))
    for index in range(min(number, _MOST_SECTIONS)):
        place = at + fixed + index * row
        if data[place : place + 16].rstrip(b"\0") == b"__info_plist":
            start = place + (40 if wide else 36)
            if start + fields.size <= len(data):
                size, offset = fields.unpack_from(data, start)
                return offset, size
    return None


def _blobs(data: bytes, start: int, size: int) -> Iterator[tuple[str, str, bytes]]:
    """Team and identifier of each code directory, and each envelope, of a signature."""
    blob = data[start : start + size]
    if len(blob) < 12 or int.from_bytes(blob[:4], "big") != _SUPER_BLOB:
        return
    for index in range(min(int.from_bytes(blob[8:12], "big"), _MOST_BLOBS)):
        at = int.from_bytes(blob[16 + 8 * index : 20 + 8 * index], "big")
        magic = int.from_bytes(blob[at : at + 4], "big")
        length = int.from_bytes(blob[at + 4 : at + 8], "big")
        part = blob[at : at + length]
        if magic == _CMS:
            yield "", "", part[8:]
        elif magic == _DIRECTORY and len(part) >= 44:
            identifier = _string(part, int.from_bytes(part[20:24], "big"))
            team = ""
            if int.from_bytes(part[8:12], "big") >= _WITH_TEAM:
                place = int.from_bytes(part[48:52], "big")
                team = _string(part, place) if place else ""
            yield team, identifier, b""


def _string(data: bytes, at: int) -> str:
    return data[at : at + 300].partition(b"\0")[0].decode("utf-8", "replace")

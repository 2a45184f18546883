"""What single parts of Office and OpenDocument packages say: links outwards, macros as XML.

The parts come out of their zip as they are; here is only what does not stand in them plainly.

Source: ISO/IEC 29500-2 9.3 (relationships); ISO/IEC 29500-4 (macro sheets); OpenOffice.org's
`module.dtd` for Basic.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import unescape

from tocsin.errors import FormatError
from tocsin.formats.office_kinds import BASIC, LINKS, MACRO_SHEET, part_kinds
from tocsin.unpack.interface import Budget, Item, Remark, Trait
from tocsin.unpack.parts import Parts

_LINK = re.compile(rb"<Relationship\s[^<>]{1,8192}>")
_TYPE = re.compile(rb"Type\s*=\s*[\"'][^\"'<>]{0,512}/([A-Za-z]{1,64})[\"']")
_TARGET = re.compile(rb"Target\s*=\s*[\"']([^\"'<>]{1,4096})[\"']")
_LOADED = frozenset({b"attachedTemplate", b"oleObject", b"frame", b"subDocument", b"externalLink"})
"""Kinds of links that are followed when a document is opened."""
_MOST_LINKS = 64

_MODULE = re.compile(rb"<script:module\s[^<>]{0,4096}>([^<]*+)<")
_MODULE_NAME = re.compile(rb"script:name\s*=\s*\"([^\"<>]{1,256})\"")


class PartUnpacker:
    """Reads parts of packages."""

    types = frozenset({LINKS, MACRO_SHEET, BASIC})

    def members(self, data: bytes, budget: Budget, passwords: Sequence[bytes]) -> Iterator[Item]:
        """See `Unpacker.members`; sources of Basic and targets of links are members."""
        (kind,) = tuple(part_kinds(data)) or ("",)
        if kind == LINKS:
            yield from _links(data, Parts(budget))
        elif kind == MACRO_SHEET:
            yield Remark(Trait.MACROS, "Excel 4 macro sheet")
        elif kind == BASIC:
            yield from _basic(data, Parts(budget))
        else:
            raise FormatError("not a part of this kind")


def _links(data: bytes, parts: Parts) -> Iterator[Item]:
    """Tell of each link that is followed at once; their targets come out as a text."""
    targets: list[bytes] = []
    for found in _LINK.finditer(data):
        if b"External" not in found[0] or len(targets) == _MOST_LINKS:
            continue
        kind, target = _TYPE.search(found[0]), _TARGET.search(found[0])
        if kind is not None and target is not None and kind[1] in _LOADED:
            targets.append(target[1])
            what = kind[1].decode("ascii")
            yield Remark(Trait.NOTE, f"{what} from elsewhere: {target[1].decode('latin-1')}")
    if targets:
        text = b"".join(target + b"\n" for target in targets)
        yield from parts.member("links.txt", text, type_name="TEXT_ASCII")


def _basic(data: bytes, parts: Parts) -> Iterator[Item]:
    found = _MODULE.search(data)
    if found is None:
        raise FormatError("a Basic module without source")
    named = _MODULE_NAME.search(found[0][:4096])
    name = named[1].decode("utf-8", "surrogateescape") if named is not None else "module"
    source = unescape(found[1].decode("utf-8", "surrogateescape"))
    if source.strip():
        yield Remark(Trait.MACROS, "OpenDocument Basic module", name)
        text = source.encode("utf-8", "surrogateescape")
        yield from parts.member(f"{name}.bas", text, len(found[1]), type_name="TEXT_ASCII")


UNPACKER = PartUnpacker()

"""VBA projects: the source of macros, and whether it is the source of what runs.

Office keeps each module twice: compressed source, and *p-code* that is run instead where the
version fits. Source that was replaced after the p-code was written ("stomped") says nothing
about what the macro does.

Source: MS-OVBA 2.3.4.2 (dir stream), 2.4.1 (compression).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from tocsin.unpack.interface import Budget, Reason
from tocsin.unpack.stream import Interrupted

_CHUNK = 4096
_CONTAINER = 1
_CHUNK_MARK = 0b011

_BARE_SOURCE = re.compile(rb"\x01..\x00Attribut", re.DOTALL)
"""How the compressed source of a module begins."""

_CODE_PAGE, _NAME, _NAME_WIDE, _STREAM, _STREAM_WIDE = 0x03, 0x19, 0x47, 0x1A, 0x32
_OFFSET, _MODULE_END, _PROJECT_VERSION = 0x31, 0x2B, 0x09

_LITERAL = re.compile(rb"[\xad\xae\xb6\xb9]\x00([\x06-\xff]\x00)")
"""P-code: push a string of so many bytes; shorter ones are met by chance.

Source: the number of the instruction in VBA 3, 5, 6 and 7, as the tables of instructions that
were published give it; the last two measured.
"""
_MOST_LITERALS = 256
_PRINTABLE = bytes(range(32, 127))
_CODE_LINE = re.compile(rb"^[ \t]*(?!Attribute |Option |'|\r?$)\S", re.MULTILINE | re.IGNORECASE)

_BLANKS = re.compile(rb"[ \t]+(?:_\r?\n[ \t]*)?")
"""Blanks, with the continuation of a line that may follow them."""


class Module(NamedTuple):
    """A module as the dir stream names it.

    Attributes:
        name: name of the module.
        stream: name of the stream that holds it.
        offset: where in the stream the compressed source begins; p-code stands before it.
        encoding: of the source.
    """

    name: str
    stream: str
    offset: int
    encoding: str = "latin-1"


def decompress(data: bytes, at: int) -> Iterator[bytes]:
    """Decompress a container.

    Args:
        data: bytes that hold it.
        at: where it begins.

    Yields:
        The bytes of one chunk after the other, at most 4096 each.

    Raises:
        Interrupted: it is damaged.

    Source: MS-OVBA 2.4.1.3.
    """
    if at >= len(data) or data[at] != _CONTAINER:
        raise Interrupted(Reason.DAMAGED, "no compressed source where it should be")
    at += 1
    end = len(data)
    first = at
    while at + 2 < end:
        header = data[at] | data[at + 1] << 8
        if header >> 12 & 7 != _CHUNK_MARK:
            if at == first:
                raise Interrupted(Reason.DAMAGED, "no compressed source where it should be")
            return
        stop = min(at + (header & 0xFFF) + 3, end)
        if header & 0x8000:
            yield _chunk(data, at + 2, stop)
        else:
            yield data[at + 2 : min(at + 2 + _CHUNK, end)]
        at = stop


def _chunk(data: bytes, at: int, stop: int) -> bytes:
    """Decompress one chunk; what refers to bytes before it ends it."""
    out = bytearray()
    while at < stop and len(out) < _CHUNK:
        flags = data[at]
        at += 1
        if not flags:
            out += data[at : min(at + 8, stop)]
            at += 8
            continue
        for bit in range(8):
            if at >= stop:
                break
            if not flags >> bit & 1:
                out.append(data[at])
                at += 1
                continue
            if at + 2 > stop:
                break
            token = data[at] | data[at + 1] << 8
            at += 2
            size = len(out)
            bits = 16 - max((size - 1).bit_length(), 4)
            back = (token >> bits) + 1
            length = (token & (1 << bits) - 1) + 3
            if back > size:
                return bytes(out)
            if back >= length:
                out += out[size - back : size - back + length]
            else:
                out += (out[size - back :] * (length // back + 1))[:length]
    return bytes(out[:_CHUNK])


def read_whole(data: bytes, at: int, most: int, budget: Budget) -> bytes:
    """Decompress what is needed for reading; charged, and as far as it goes."""
    parts: list[bytes] = []
    size = 0
    try:
        for chunk in decompress(data, at):
            budget.charge_bytes(len(chunk))
            parts.append(chunk)
            size += len(chunk)
            if size >= most:
                break
    except Interrupted:
        pass
    return b"".join(parts)


def read_dir(blob: bytes) -> list[Module]:
    """Read the modules out of a decompressed dir stream.

    Source: MS-OVBA 2.3.4.2.
    """
    modules: list[Module] = []
    encoding = "latin-1"
    at, name, stream, offset = 0, "", "", -1
    while at + 6 <= len(blob):
        record = int.from_bytes(blob[at : at + 2], "little")
        size = int.from_bytes(blob[at + 2 : at + 6], "little")
        value = blob[at + 6 : at + 6 + size]
        at += 6 + size
        if record == _PROJECT_VERSION:
            at += 2  # the size stated leaves out the minor version
        elif record == _CODE_PAGE:
            encoding = code_page(int.from_bytes(value, "little"))
        elif record == _NAME:
            name = value.decode(encoding, "replace")
        elif record == _NAME_WIDE:
            name = value.decode("utf-16-le", "replace") or name
        elif record == _STREAM:
            stream = value.decode(encoding, "replace")
        elif record == _STREAM_WIDE:
            stream = value.decode("utf-16-le", "replace") or stream
        elif record == _OFFSET:
            offset = int.from_bytes(value, "little")
        elif record == _MODULE_END:
            modules.append(Module(name or stream, stream or name, offset, encoding))
            name, stream, offset = "", "", -1
    return modules


def code_page(number: int) -> str:
    """Python's name of a Windows code page; Latin-1 where it has none."""
    name = {10000: "mac_roman", 65001: "utf-8", 1200: "utf-16-le"}.get(number, f"cp{number}")
    try:
        codecs.lookup(name)
    except LookupError:
        return "latin-1"
    return name


def is_source(stream: bytes, at: int) -> bool:
    """Whether compressed source begins at a place in a stream."""
    return (
        stream[at : at + 1] == b"\1"
        and stream[at + 2 : at + 3] != b""
        and (stream[at + 2] >> 4 & 7 == _CHUNK_MARK)
    )


def find_source(stream: bytes) -> int:
    """Where compressed source seems to begin in a stream that no dir describes, or -1."""
    place = -1
    for found in _BARE_SOURCE.finditer(stream):
        place = found.start()
    return place


def is_stomped(p_code: bytes, source: bytes) -> bool:
    """Whether the source cannot be what the p-code was made from.

    Constants in the p-code stand literally in the source it was compiled from. The source
    counts as replaced when it lacks most of at least three constants, or when it has no line
    of code at all and the p-code has two. Documents as Office saves them lack none.

    Args:
        p_code: what stands before the source in the module's stream.
        source: the module's source.
    """
    literals = set(islice(_literals(p_code), _MOST_LITERALS))
    if not literals:
        return False
    if len(literals) >= 2 and _CODE_LINE.search(source) is None:
        return True
    plain = source.replace(b'""', b'"')
    missing = sum(literal not in plain for literal in literals)
    return len(literals) >= 3 and missing * 2 > len(literals)


def _literals(p_code: bytes) -> Iterator[bytes]:
    for found in _LITERAL.finditer(p_code):
        length = int.from_bytes(found[1], "little")
        literal = p_code[found.end() : found.end() + length]
        if len(literal) == length and not literal.translate(None, _PRINTABLE):
            yield literal


def project_text(sources: list[tuple[Module, bytes]]) -> Iterator[bytes]:
    """All modules of a project as one text, normalised as clamscan 1.4.6 does it.

    Args:
        sources: modules and their sources.
    """
    for module, source in sources:
        yield b"REM MODULENAME: " + module.name.encode("utf-8", "replace") + b"\n"
        yield normalise(source.decode(module.encoding, "replace").encode("utf-8"))
        yield b"\n\n"


def normalise(source: bytes) -> bytes:
    """Write VBA in small letters, blanks collapsed and continued lines joined.

    What stands between quotation marks stays. As in clamscan, a comment's single mark turns
    inside and outside round up to the next one, over the end of its line.
    """
    parts = source.split(b'"')
    parts[::2] = [_BLANKS.sub(b" ", part).lower() for part in parts[::2]]
    return b'"'.join(parts)

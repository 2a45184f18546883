"""Compressed RTF, as Outlook keeps the bodies of messages.

Source: MS-OXRTFCP.
"""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.unpack.interface import Reason
from tocsin.unpack.stream import Interrupted

_HEADER_BYTES = 16
_WINDOW = 4096
_CHUNK = 65536
_PRELOADED = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern "
    b"\\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0"
    b"\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
"""What the window holds at the beginning. Source: MS-OXRTFCP 2.2.2.1.2."""


def decompress(data: bytes) -> Iterator[bytes]:
    """Decompress a body, or hand on one that is stored as it is.

    Raises:
        Interrupted: it ends before its end mark, or is of neither kind.
    """
    kind = data[8:12]
    if kind == b"MELA":
        yield data[_HEADER_BYTES:]
        return
    if kind != b"LZFu":
        raise Interrupted(Reason.DAMAGED, "not compressed RTF")
    window = bytearray(_PRELOADED) + bytes(_WINDOW - len(_PRELOADED))
    write = len(_PRELOADED)
    out = bytearray()
    at, end = _HEADER_BYTES, len(data)
    while at < end:
        flags = data[at]
        at += 1
        for bit in range(8):
            if at >= end:
                break
            if not flags >> bit & 1:
                out.append(data[at])
                window[write] = data[at]
                write = (write + 1) % _WINDOW
                at += 1
                continue
            if at + 2 > end:
                break
            token = data[at] << 8 | data[at + 1]
            at += 2
            read = token >> 4
            if read == write:
                yield bytes(out)
                return
            for place in range(read, read + (token & 15) + 2):
                byte = window[place % _WINDOW]
                out.append(byte)
                window[write] = byte
                write = (write + 1) % _WINDOW
        if len(out) >= _CHUNK:
            yield bytes(out)
            out.clear()
    yield bytes(out)
    raise Interrupted(Reason.DAMAGED, "truncated")

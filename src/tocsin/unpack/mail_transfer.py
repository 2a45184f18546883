"""Transfer encodings of mail: what stands in a body becomes bytes, a bounded piece at a time.

Decoders here take what mail programs take: characters that do not belong are passed over,
and base64 that goes on behind its padding is decoded on.

Source: RFC 2045, 6.7 (quoted-printable), 6.8 (base64).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator

_PIECE = 1024 * 1024
"""Bytes of encoded data that are decoded at once."""

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_ALPHABET = bytes(set(range(256)) - set(_ALPHABET) - set(b"="))
_WHITE = b" \t\r\n"
_SOFT_BREAK = re.compile(rb"=[ \t]*(?:\r\n|\n|\r)")
_TYPICAL = 4096
_SMALLEST_HIDDEN = 64
_SHORTEST_LINE = 40


def base64_chunks(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """Decode base64.

    Padding ends a group of four; if characters follow, a new group begins.
    """
    rest = b""
    for at in range(start, end, _PIECE):
        characters = rest + data[at : min(at + _PIECE, end)].translate(None, _NOT_ALPHABET)
        if b"=" in characters:
            chunk, rest = _with_padding(characters)
        else:
            whole = len(characters) & ~3
            chunk, rest = binascii.a2b_base64(characters[:whole]), characters[whole:]
        yield chunk
    yield _last_group(rest)


def _with_padding(characters: bytes) -> tuple[bytes, bytes]:
    """Decode characters among which there is padding; what is left has none."""
    out = []
    at = 0
    while (stop := characters.find(b"=", at)) >= 0:
        whole = at + ((stop - at) & ~3)
        out.append(binascii.a2b_base64(characters[at:whole]))
        out.append(_last_group(characters[whole:stop]))
        at = stop + 1
    whole = at + ((len(characters) - at) & ~3)
    out.append(binascii.a2b_base64(characters[at:whole]))
    return b"".join(out), characters[whole:]


def _last_group(characters: bytes) -> bytes:
    if len(characters) < 2:
        return b""
    return binascii.a2b_base64(characters + b"=" * (4 - len(characters)))


def quoted_chunks(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """Decode quoted-printable; what is no escape stands for itself."""
    at = start
    while at < end:
        stop = min(at + _PIECE, end)
        if stop < end:
            line_end = data.rfind(b"\n", at, stop)
            stop = line_end + 1 if line_end > at else _before_escape(data, at, stop)
        piece = data[at:stop]
        if b"= " in piece or b"=\t" in piece or b"=\r" in piece:
            piece = _SOFT_BREAK.sub(b"=\n", piece)
        yield binascii.a2b_qp(piece)
        at = stop


def _before_escape(data: bytes, at: int, stop: int) -> int:
    """Where to end a piece without a line end, so that no escape is cut in two."""
    escape = data.rfind(b"=", at + 1, stop)
    if escape < 0 or (stop - escape > 2 and data[escape + 1 : stop].strip(b" \t\r")):
        return stop
    return escape


def line_chunks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a text as clamscan hands them on: every line ended by one LF."""
    cut = False
    last = b""
    for chunk in chunks:
        piece = chunk[1:] if cut and chunk.startswith(b"\n") else chunk
        cut = chunk.endswith(b"\r") if chunk else cut
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        last = piece or last
        yield piece
    if last and not last.endswith(b"\n"):
        yield b"\n"


def looks_like_base64(data: bytes, start: int, end: int) -> bool:
    """Whether a body has next to nothing but base64 in it."""
    head = data[start : min(end, start + _TYPICAL)].translate(None, _WHITE)
    foreign = len(head.translate(None, _ALPHABET)) - head.count(b"=")
    return foreign * 50 <= len(head)


def is_bare_base64(data: bytes, start: int, end: int) -> bool:
    """Whether nothing but lines of base64 stands in a body that does not say so."""
    words = data[start : min(end, start + _TYPICAL)].split()
    if not words or len(words[0]) < (_SHORTEST_LINE if len(words) > 1 else _SMALLEST_HIDDEN):
        return False
    if not looks_like_base64(data, start, end):
        return False
    return not data[start:end].translate(None, _ALPHABET + _WHITE + b"=")

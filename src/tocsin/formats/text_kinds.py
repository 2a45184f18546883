"""Encoded data inside text: uuencode, yEnc, BinHex, runs of base64 and of hex digits.

Only recognition, and cheap, since it runs on every text: `bytes.find` and `bytes.translate`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

TEXT_TYPES = frozenset(
    {"TEXT_ASCII", "TEXT_UTF8", "TEXT_UTF16LE", "TEXT_UTF16BE", "HTML", "HTML_UTF16", "SCRIPT"}
)
"""Types in whose objects such data is looked for."""

UU_BEGIN = re.compile(
    rb"begin(?<![^\r\n]begin)(-base64)? [0-7]{3,6} +([^\r\n]{0,1000})(?:\r\n|\n|\r)"
)
"""The first line of uuencoded data: whether in base64, and the name."""

_UU_INDENTED = re.compile(rb"begin(?<=[ \t]begin) [0-7]{3,6} +[^\r\n]{0,1000}(?:\r\n|\n|\r)")
_LONGEST_MARGIN = 16

BINHEX_MARK = b"(This file must be converted with BinHex"

SHORTEST_RUN = 64
"""Characters of base64 in one line that are worth a look."""

SHORTEST_LINE = 40
"""Characters of base64 in each of two lines that are worth a look."""

_RUN_START = re.compile(
    b"A{%d}|A{%d,}={0,2} {0,4}\n {0,16}A{%d}" % (SHORTEST_RUN, SHORTEST_LINE, SHORTEST_LINE)
)
_LINE = b"A" * SHORTEST_LINE
_NOT_RUN = re.compile(rb"[^A]")

SHORTEST_HEX = 200
"""Digits of a program written in hex that are worth a look."""

HEX_STARTS = (b"4d5a", b"4D5A", b"7f454c46", b"7F454C46", b"504b0304", b"504B0304")
"""How programs and archives begin, written in digits; a run of these is one of base64 too."""

ESCAPED_STARTS = (
    *(b"\\x4d\\x5a", b"\\x4D\\x5A"),
    *(b"0x4d,0x5a", b"0x4D,0x5A", b"0x4d, 0x5a", b"0x4D, 0x5A"),
)
"""How programs begin, written as escapes or as a list of numbers."""

_HEAD = 4096
_LETTERS_SEEN = 64
_YENC_REACH = 64 * 1024
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_AS_RUN = bytes(
    0x41 if byte in _ALPHABET else byte if byte in b"\n=" else 0x20 for byte in range(256)
)
_WIDE_STARTS = (b"\xff\xfe", b"\xfe\xff")


def is_wide(data: bytes) -> bool:
    """Whether a text is in 16-bit characters, which it says or its first letters show."""
    if data.startswith(_WIDE_STARTS):
        return True
    head = data[:_LETTERS_SEEN]
    return len(head) == _LETTERS_SEEN and not (any(head[1::2]) and any(head[::2]))


def narrow(data: bytes) -> bytes:
    """A text in 16-bit characters as 8-bit characters; another as it is."""
    if not is_wide(data):
        return data
    return data.translate(None, b"\0").removeprefix(_WIDE_STARTS[0]).removeprefix(_WIDE_STARTS[1])


def runs_marked(data: bytes) -> bytes:
    """The text with each character of base64 written as `A`; other lines' ends and `=` stay."""
    return data.translate(_AS_RUN)


def uu_margin(text: bytes) -> bytes:
    """The blanks by which uuencoded data are set off, as in a quotation; empty if none are."""
    for found in _UU_INDENTED.finditer(text):
        before = text[max(0, found.start() - _LONGEST_MARGIN - 1) : found.start()]
        margin = before[len(before.rstrip(b" \t")) :]
        if len(margin) <= _LONGEST_MARGIN and text.startswith(margin, found.end()):
            ahead = before[: -len(margin)]
            if ahead.endswith((b"\r", b"\n")) or found.start() == len(margin):
                return margin
    return b""


def run_start(marked: bytes, at: int) -> int:
    """Where the next run of base64 begins, or the first of lines of it; -1 when none does.

    Args:
        marked: a text in which runs are marked.
        at: where to look from; no run stands across it.
    """
    while (at := marked.find(_LINE, at)) >= 0:
        if _RUN_START.match(marked, at) is not None:
            return at
        behind = _NOT_RUN.search(marked, at)
        if behind is None:
            return -1
        at = behind.end()
    return -1


def yenc_kinds(data: bytes) -> Iterator[str]:
    """yEnc, which makes its text look like binary data: the first line says it."""
    if b"=ybegin " in data[:_YENC_REACH]:
        yield "YENC"


def encoded_kinds(data: bytes) -> Iterator[str]:
    """What is encoded inside a text."""
    text = narrow(data)
    if b"\0" in text[:_HEAD]:
        return
    if b"begin" in text and (UU_BEGIN.search(text) or uu_margin(text)):
        yield "UUENCODED"
    if BINHEX_MARK in text:
        yield "BINHEX"
    if run_start(runs_marked(text), 0) >= 0 or _has_escapes(text):
        yield "BASE64_RUNS"


def _has_escapes(text: bytes) -> bool:
    return any(
        prefix in text and any(start in text for start in ESCAPED_STARTS if prefix in start)
        for prefix in (b"\\x4", b"0x4")
    )

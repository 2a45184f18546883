"""Programs, archives and scripts that stand inside a text as base64 or as hex digits.

Only what decodes to something worth a look is handed out: what begins like a program, an
archive or a document, or reads as text. Digests, keys, certificates and pictures stay where
they are; they are matched as part of the text.
"""

from __future__ import annotations

import binascii
import itertools
from collections.abc import Iterator, Sequence

from tocsin.formats.text_kinds import (
    ESCAPED_STARTS,
    HEX_STARTS,
    SHORTEST_HEX,
    SHORTEST_RUN,
    narrow,
    run_start,
    runs_marked,
)
from tocsin.patterns import compile_pattern
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.mail_transfer import base64_chunks
from tocsin.unpack.stream import Meta, report, take

MOST_RUNS = 1000
"""Runs of one text that are handed out."""

_CHECK_EVERY = 256
_BETWEEN = rb"(?:\\[rnt]|[\s\"'&,_`\\]){1,16}+(?:\+[\s\"'`]{1,8}+)?"
_RUN = compile_pattern(
    rb"[A-Za-z0-9+/]++={0,2}(?:" + _BETWEEN + rb"[A-Za-z0-9+/]{16,}+={0,2})*+"
    rb"(?:" + _BETWEEN + rb"(?:[A-Za-z0-9+/]{4}){0,4}"
    rb"(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})(?=[\s\"'`<)]|\Z))?"
)
"""A run and what it goes on with: further lines, or further strings that are joined to it."""

_JOINTS = compile_pattern(_BETWEEN)

_HEX = compile_pattern(rb"(?:[0-9a-fA-F]{2}[\s\"'+&,_:-]{0,8}){64,}")
_ESCAPES = compile_pattern(rb"(?:(?:\\x|0x)[0-9a-fA-F]{2}[\s\"'+&,_]{0,8}){64,}")
_NOT_HEX = bytes(set(range(256)) - set(b"0123456789abcdefABCDEF"))
_ESCAPE_PREFIX = compile_pattern(rb"\\x|0x")
_HEAD = 512
_PIECE = 256 * 1024

_WORTHWHILE = (
    *(b"MZ", b"\x7fELF", b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b\x08", b"BZh"),
    *(b"%PDF", b"\xd0\xcf\x11\xe0", b"MSCF", b"{\\rt", b"\xca\xfe\xba\xbe", b"#!", b"\xfd7zXZ"),
    *(b"\xfe\xed\xfa", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe", b"CWS", b"FWS", b"ZWS"),
    *(b"L\x00\x00\x00\x01\x14\x02\x00", b"ITSF", b"\x00asm", b"dex\n", b"\x60\xea", b"!<arch>"),
)
_PRINTABLE = bytes(range(32, 127)) + b"\t\r\n\f"


class RunsUnpacker:
    """Hands out the runs of a text that hold something, as `base64 at N` or `hex at N`."""

    types = frozenset({"BASE64_RUNS"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        data = narrow(data)
        for position, (name, start, end, kind) in enumerate(_runs(data, budget), 1):
            if position > MOST_RUNS:
                detail = f"more than {MOST_RUNS} encoded runs in one text"
                yield Skipped("", Reason.LIMIT, detail)
                return
            budget.charge_file()
            chunks = _chunks(data, start, end, kind)
            meta = Meta(name, packed_size=end - start, position=position)
            yield from report(meta, take(chunks, budget))


def _runs(data: bytes, budget: Budget) -> Iterator[tuple[str, int, int, str]]:
    """Name, extent and kind of each run that holds something."""
    marked = runs_marked(data)
    at = 0
    for count in itertools.count():
        if count % _CHECK_EVERY == 0:
            budget.check_time()
        at = start = run_start(marked, at)  # the first of so many, so none stands before it
        if start < 0:
            break
        run = _RUN.match(data, start)
        end = at + SHORTEST_RUN if run is None else run.end()
        if is_worthwhile(b"".join(base64_chunks(data, start, min(end, start + _HEAD)))):
            yield f"base64 at {start}", start, end, "base64"
        at = max(end, at + SHORTEST_RUN)
    yield from _hex_runs(data, budget)


def _hex_runs(data: bytes, budget: Budget) -> Iterator[tuple[str, int, int, str]]:
    for begin in (*HEX_STARTS, *ESCAPED_STARTS):
        pattern = _ESCAPES if begin in ESCAPED_STARTS else _HEX
        at = data.find(begin)
        count = 0
        while at >= 0:
            count += 1
            if count % _CHECK_EVERY == 0:
                budget.check_time()
            run = pattern.match(data, at)
            end = at + len(begin)
            if run is not None:
                end = max(end, run.end())
                if end - at >= SHORTEST_HEX:
                    yield f"hex at {at}", at, end, "hex"
            at = data.find(begin, end)


def is_worthwhile(head: bytes) -> bool:
    """Whether data that begins so deserve to be looked at on their own."""
    if len(head) < 24:
        return False
    if head.startswith(_WORTHWHILE):
        return True
    head = head[:256]
    if head.count(0) * 3 > len(head):
        head = head[1::2] if head[0] == 0 else head[::2]
        if b"\0" in head:
            return False
    return len(head.translate(None, _PRINTABLE)) * 20 < len(head)


def _chunks(data: bytes, start: int, end: int, kind: str) -> Iterator[bytes]:
    text = data[start:end]
    if kind == "base64":
        if b"\\" in text or b'"' in text or b"'" in text:
            text = _JOINTS.sub(b"", text)  # their letters and `+` are no digits
        yield from base64_chunks(text, 0, len(text))
        return
    digits = (_ESCAPE_PREFIX.sub(b"", text) if b"x" in text else text).translate(None, _NOT_HEX)
    for at in range(0, len(digits) & ~1, _PIECE):
        yield binascii.a2b_hex(digits[at : min(at + _PIECE, len(digits) & ~1)])


UNPACKER = RunsUnpacker()

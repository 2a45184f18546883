"""What scripts in plain text hide: PowerShell, batch, VBScript and JavaScript.

The script is handed out once more with its strings put together, and each command that is
encoded in it by itself. Only strings and characters are folded, nothing is run; what comes out
is a text that is looked at in the same way, so several layers come off one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain

from tocsin.formats.text_kinds import narrow
from tocsin.unpack.deflate import DEFLATE
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.mail_transfer import base64_chunks
from tocsin.unpack.parts import Parts
from tocsin.unpack.script_folding import ROUNDS, folded
from tocsin.unpack.script_lists import byte_lists
from tocsin.unpack.script_marks import DASH, script_marks
from tocsin.unpack.stream import Interrupted, decompress

MOST_BYTES = 8 * 1024 * 1024
"""Bytes of a text in which scripts are looked for at a time."""

OVERLAP = 256 * 1024
"""Bytes that are looked at twice in a longer text, lest a command be cut in two."""

MOST_WHOLE = 256 * 1024
"""Bytes of a text that is handed out as a whole when folding changed it; of a larger one, lest it
be matched twice for a word in it, only what was changed is."""

LINES_AROUND = 8
"""Lines before and behind a changed one that are handed out with it."""

MOST_PARTS = 200
"""Encoded commands and lists of one script that are handed out."""

_COMMAND = re.compile(
    DASH + rb"e(?:c|nc?[a-z]{0,14})?[\"'^]?(?:\s{1,8}|:\s{0,8})[\"']?([A-Za-z0-9+/]{16,}={0,2})",
    re.IGNORECASE,
)
_LITERAL = re.compile(
    rb"frombase64string\s{0,8}\(\s{0,8}[\"']([A-Za-z0-9+/=\s]{8,}+)[\"']", re.IGNORECASE
)
_LONG = re.compile(rb"[\"']([A-Za-z0-9+/]{64,}+={0,2})[\"']")
_HEAD = 4096
_FROM_OTHERS = 64
"""Characters from which on the runs of base64 of any text are looked at anyway."""


def script_items(data: bytes, low: bytes, budget: Budget) -> Iterator[Member | Skipped]:
    """What a script hides.

    Args:
        data: the text.
        low: its normal form, in which marks are looked for.
        budget: what may be used up.
    """
    text = narrow(data)
    if b"\0" in text[:_HEAD]:
        return  # binary data, most of which `identify` takes for text as clamscan does
    if len(text) <= MOST_BYTES:
        yield from _items(text, low, budget)
        return
    for start in range(0, len(text) - OVERLAP, MOST_BYTES - OVERLAP):
        budget.check_time()
        piece = text[start : start + MOST_BYTES]
        yield from _items(piece, piece.lower(), budget)


def _items(text: bytes, low: bytes, budget: Budget) -> Iterator[Member | Skipped]:
    marks = script_marks(text, low)
    if not marks:
        return
    parts = Parts(budget)
    for name, content in _hidden(text, marks, budget):
        if parts.position >= MOST_PARTS:
            detail = f"more than {MOST_PARTS} encoded parts in one script"
            yield Skipped("", Reason.LIMIT, detail)
            return
        yield from parts.member(name, content)


def _hidden(
    text: bytes, marks: frozenset[str], budget: Budget
) -> Iterator[tuple[str, bytes | Iterable[bytes]]]:
    if "encoded" in marks:
        for found in _COMMAND.finditer(text):
            budget.check_time()
            command = _decoded(found[1])
            if command[1::2].count(0) * 4 > len(command):
                yield f"command at {found.start()}", command[::2]
    if "base64" in marks:
        for found in _LITERAL.finditer(text):
            if len(found[1]) < _FROM_OTHERS:
                yield f"base64 at {found.start(1)}", _decoded(found[1])
    if "deflate" in marks:
        for found in _LONG.finditer(text):
            inflated = _inflated(_decoded(found[1]))
            if first := next(inflated, b""):
                yield f"deflated at {found.start(1)}", chain([first], inflated)
    for number, content in enumerate(byte_lists(text), 1):
        yield f"bytes {number}", content
    large = len(text) > MOST_WHOLE
    plain = folded(text, budget.check_time, 1 if large else ROUNDS)
    if plain != text:
        yield "folded", folded(_changed(text, plain), budget.check_time) if large else plain


def _changed(text: bytes, plain: bytes) -> bytes:
    """The lines of a large text that folding changed, and some around them."""
    before = set(text.split(b"\n"))
    lines = plain.split(b"\n")
    out: list[bytes] = []
    written = 0
    for number, line in enumerate(lines):
        if line not in before:
            first = max(written, number - LINES_AROUND)
            written = max(written, number + LINES_AROUND + 1)
            out += lines[first:written]
    return b"\n".join(out)


def _decoded(text: bytes) -> bytes:
    return b"".join(base64_chunks(text, 0, len(text)))


def _inflated(data: bytes) -> Iterator[bytes]:
    """What comes out of a raw deflate stream, up to where it is damaged, if it is one at all."""
    with suppress(Interrupted):
        yield from decompress(DEFLATE, data, 0, len(data))

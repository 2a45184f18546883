"""Files and pages that stand inside a page: `data:` addresses, `srcdoc`, lists of bytes.

Source: RFC 2397; HTML Living Standard, 4.8.5 (`srcdoc`).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.mail_transfer import base64_chunks
from tocsin.unpack.parts import Parts
from tocsin.unpack.script_lists import byte_lists
from tocsin.unpack.stream import copy

MOST_PARTS = 2000
"""Parts of one page that are handed out."""

SMALLEST_PART = 16
"""Bytes; what is smaller holds nothing that its page does not show."""

_ADDRESS = re.compile(
    rb"data:([A-Za-z0-9.+/-]{0,80}(?:;[A-Za-z0-9.+/=_-]{1,60}){0,6}),", re.IGNORECASE
)
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/=_%-]++|[\r\n\t ]{1,8}(?=[A-Za-z0-9+/=]))*+")
_URL_ALPHABET = bytes.maketrans(b"-_", b"+/")
_BARE_END = re.compile(rb"[\s>\"')]")
_SRCDOC = re.compile(rb"\ssrcdoc\s{0,8}=\s{0,8}([\"'])", re.IGNORECASE)


def embedded(data: bytes, budget: Budget) -> Iterator[Member | Skipped]:
    """Everything that stands inside a page and is no script."""
    parts = Parts(budget)
    for name, content in _found(data):
        if parts.position >= MOST_PARTS:
            detail = f"more than {MOST_PARTS} parts in one page"
            yield Skipped("", Reason.LIMIT, detail)
            return
        budget.check_time()
        if len(content) >= SMALLEST_PART:
            yield from parts.member(name, copy(content, 0, len(content)), len(content))


def _found(data: bytes) -> Iterator[tuple[str, bytes]]:
    if b"data:" in data or b"DATA:" in data or b"Data:" in data:
        yield from _addresses(data)
    if b"srcdoc" in data or b"SRCDOC" in data:
        yield from _documents(data)
    for number, content in enumerate(byte_lists(data), 1):
        yield f"bytes {number}", content


def _addresses(data: bytes) -> Iterator[tuple[str, bytes]]:
    found = _ADDRESS.search(data)
    while found is not None:
        start = found.end()
        kind = found[1].lower()
        end = _end_of_address(data, found.start(), start, b";base64" in kind)
        text = data[start:end]
        name = f"data at {found.start()}"
        if b";base64" in kind:
            if b"%" in text:
                text = unquote_to_bytes(text)
            text = text.translate(_URL_ALPHABET)
            yield name, b"".join(base64_chunks(text, 0, len(text)))
        else:
            yield name, unquote_to_bytes(text)
        found = _ADDRESS.search(data, max(start, end))


def _end_of_address(data: bytes, begin: int, start: int, base64: bool) -> int:
    if base64:
        run = _BASE64.match(data, start)
        return start if run is None else run.end()
    quote = data[begin - 1 : begin] if begin else b""
    if quote in (b'"', b"'"):
        end = data.find(quote, start)
        if end >= 0:
            return end
    bare = _BARE_END.search(data, start)
    return len(data) if bare is None else bare.start()


def _documents(data: bytes) -> Iterator[tuple[str, bytes]]:
    found = _SRCDOC.search(data)
    while found is not None:
        end = data.find(found[1], found.end())
        stop = len(data) if end < 0 else end
        page = html.unescape(data[found.end() : stop].decode("utf-8", "surrogateescape"))
        yield f"srcdoc at {found.start()}", page.encode("utf-8", "surrogatepass")
        found = _SRCDOC.search(data, stop)

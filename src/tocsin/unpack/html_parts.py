"""Files and pages that stand inside a page: `data:` addresses, `srcdoc`, lists of bytes.

Source: RFC 2397; HTML Living Standard, 4.8.5 (`srcdoc`).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from tocsin.patterns import compile_pattern
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.mail_transfer import base64_chunks
from tocsin.unpack.parts import Parts
from tocsin.unpack.script_lists import byte_lists
from tocsin.unpack.stream import copy

MOST_PARTS = 2000
"""Parts of one page that are handed out."""

SMALLEST_PART = 16
"""Bytes; what is smaller holds nothing that its page does not show."""

_LEFT_OUT = (
    rb"(?:[\t\n\r]|&(?:#(?:x0{0,6}[9ad](?![0-9a-f])|0{0,6}(?:9|10|13)(?![0-9]));?|tab;|newline;))"
    rb"{0,8}+"
)
"""What a browser drops from an address."""


def _written(char: str, name: bytes = b"") -> bytes:
    """A character, or a reference to it, in either case."""
    low, high = char.lower(), char.upper()
    codes = b"|".join(b"0{0,6}%d(?![0-9])" % ord(case) for case in (low, high))
    wide = b"|".join(b"x0{0,6}%x(?![0-9a-f])" % ord(case) for case in (low, high))
    return b"(?:" + low.encode() + b"|&(?:#(?:" + codes + b"|" + wide + b");?" + name + b"))"


_START = compile_pattern(
    _LEFT_OUT.join((*map(_written, "data"), _written(":", b"|colon;"))), re.IGNORECASE
)
_HEADER = compile_pattern(
    rb"(?:[\w.+/=;\s\"'-]|&(?:\#\w{1,9}+;?|(?!comma;)[a-z]{1,10}+;)(?<!&\#44;)){0,200}?"
    + _written(",", b"|comma;"),
    re.IGNORECASE,
)
_KIND = compile_pattern(
    rb"\s*+[\w.+/-]{0,80}+\s*+(?:;\s*+[\w.+/=-]{1,60}+(?:\"[\w.+ -]{0,40}\")?+\s*+){0,6}+,"
)
_IN_BASE64 = compile_pattern(rb";\s*base64\s*[;,]")
_BASE64 = compile_pattern(rb"(?:[A-Za-z0-9+/=_%-]++|[\r\n\t ]{1,8}(?=[A-Za-z0-9+/=]))*+")
_REFERENCE = compile_pattern(rb"&(?:#\w{1,9};?|[A-Za-z]{1,10};)")
_URL_ALPHABET = bytes.maketrans(b"-_", b"+/")
_DROPPED = b"\t\n\r"
_BARE_END = compile_pattern(rb"[\s>\"')]")
_SRCDOC = compile_pattern(rb"(?<=[\s/\"'])srcdoc\s{0,8}=\s{0,8}([\"']?)", re.IGNORECASE)
_SRCDOC_END = compile_pattern(rb"[\s>]")
_BLANKS = b" \t\n\v\f\r"
_MANY_BLANKS = 16
_WIDE_SURROGATE = compile_pattern("[\ud800-\udc7f\udd00-\udfff]")


def embedded(data: bytes, budget: Budget, *, lists: bool = True) -> Iterator[Member | Skipped]:
    """Everything that stands inside a page and is no script.

    Args:
        data: the page.
        budget: what may be used up.
        lists: whether lists of numbers are among it.
    """
    parts = Parts(budget)
    for name, content in _found(data, lists):
        if parts.position >= MOST_PARTS:
            detail = f"more than {MOST_PARTS} parts in one page"
            yield Skipped("", Reason.LIMIT, detail)
            return
        budget.check_time()
        if len(content) >= SMALLEST_PART:
            yield from parts.member(name, copy(content, 0, len(content)), len(content))


def _found(data: bytes, lists: bool) -> Iterator[tuple[str, bytes]]:
    yield from _addresses(data)
    if b"srcdoc" in data.lower():
        yield from _documents(data)
    if lists:
        for number, content in enumerate(byte_lists(data), 1):
            yield f"bytes {number}", content


def _addresses(data: bytes) -> Iterator[tuple[str, bytes]]:
    found = _START.search(data)
    while found is not None:
        begin, end = found.span()
        head = _HEADER.match(data, end)
        quote = _quote_before(data, begin)
        kind = b"" if head is None else _kind(head[0], quote)
        if head is not None and kind:
            content, end = _content(data, head.end(), quote, _IN_BASE64.search(kind) is not None)
            yield f"data at {begin}", content
        found = _START.search(data, end)


def _quote_before(data: bytes, begin: int) -> bytes:
    """The quote that an address stands behind, blanks between them not counted."""
    before = data[max(0, begin - _MANY_BLANKS) : begin].rstrip(_BLANKS)[-1:]
    return before if before in (b'"', b"'") else b""


def _kind(head: bytes, quote: bytes) -> bytes:
    """What stands between `data:` and its comma, as a browser reads it; empty if that is none."""
    kind = (_unescaped(head) if b"&" in head else head).translate(None, _DROPPED).lower()
    if not quote and b" " in kind:
        return b""  # words, or an object's property
    return kind if _KIND.fullmatch(kind) is not None else b""


def _content(data: bytes, start: int, quote: bytes, base64: bool) -> tuple[bytes, int]:
    """What an address holds, and where it ends."""
    if base64:
        run = _BASE64.match(data, start)
        end = start if run is None else run.end()
        if _REFERENCE.match(data, end) is None:
            return _from_base64(data[start:end]), end
    end = _end_of_address(data, start, quote)
    text = data[start:end]
    if b"&" in text:
        text = _unescaped(text)
    if not base64:
        return unquote_to_bytes(text), end
    run = _BASE64.match(text)
    return _from_base64(text if run is None else run[0]), end


def _from_base64(text: bytes) -> bytes:
    if b"%" in text:
        text = unquote_to_bytes(text)
    text = text.translate(_URL_ALPHABET)
    return b"".join(base64_chunks(text, 0, len(text)))


def _end_of_address(data: bytes, start: int, quote: bytes) -> int:
    if quote:
        end = data.find(quote, start)
        if end >= 0:
            return end
    bare = _BARE_END.search(data, start)
    return len(data) if bare is None else bare.start()


def _documents(data: bytes) -> Iterator[tuple[str, bytes]]:
    found = _SRCDOC.search(data)
    while found is not None:
        if found[1]:
            end = data.find(found[1], found.end())
        else:
            bare = _SRCDOC_END.search(data, found.end())
            end = -1 if bare is None else bare.start()
        stop = len(data) if end < 0 else end
        yield f"srcdoc at {found.start()}", _unescaped(data[found.end() : stop])
        found = _SRCDOC.search(data, stop)


def _unescaped(text: bytes) -> bytes:
    """A text with its references resolved."""
    plain = html.unescape(text.decode("utf-8", "surrogateescape"))
    return plain.encode("utf-8", "surrogateescape" if _is_bytes(plain) else "surrogatepass")


def _is_bytes(text: str) -> bool:
    """Whether all surrogates of a text stand for bytes that are no UTF-8."""
    return _WIDE_SURROGATE.search(text) is None

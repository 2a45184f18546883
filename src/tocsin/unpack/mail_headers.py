"""Header fields of a mail or of one of its parts, read as readers do, not as writers should.

Whoever hides something writes headers that readers understand differently. Therefore a field
keeps all its values, in order, and the caller tries each.

Source: RFC 5322, 2.2; RFC 2045, 5.1 (parameters), 6.1; RFC 2047 (encoded words); RFC 2231
(continued and encoded parameters).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tocsin.unpack.mail_words import decode_words, percent_decoded, text_of

LARGEST_BLOCK = 4 * 1024 * 1024
"""Bytes of one header that are read; what follows is taken for its body."""

_MOST_FIELDS = 200
_MOST_PARAMETERS = 200
_LONGEST_VALUE = 64 * 1024

_FIELD_LINE = re.compile(rb"[!-9;-~]{1,200}[ \t]{0,20}:|[ \t]|>?From ")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_FOLD = re.compile(rb"\n[ \t]+")
_WANTED = re.compile(
    rb"^(content-(?:type|transfer-encoding|disposition|location|id)|subject|message-id)"
    rb"[ \t]*:[ \t]*([^\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
_COMMENT = re.compile(rb"\([^()]{0,1000}\)")
_PARAMETER = re.compile(
    rb";[;\s]*([^\s=;\"]{1,200})[ \t]*=[ \t]*(?:\"((?:[^\"\\]|\\.)*)(?:\"|\Z)|'([^';]*)'|([^;]*))",
    re.DOTALL,
)
_NAME_PIECES = re.compile(rb"^([^*]+)(?:\*(\d{1,4}))?(\*)?$")


class Header(NamedTuple):
    """The fields that matter here.

    Attributes:
        fields: name in lower case and value, unfolded, in their order.
        body: where the body begins.
    """

    fields: tuple[tuple[bytes, bytes], ...]
    body: int

    def values(self, name: bytes) -> list[bytes]:
        """All different values of a field, in order."""
        return list(dict.fromkeys(value for other, value in self.fields if other == name))

    def first(self, name: bytes) -> bytes:
        """The first value of a field, or nothing."""
        return next((value for other, value in self.fields if other == name), b"")

    def parameters(self, field: bytes, name: bytes) -> list[bytes]:
        """All different values that a parameter of a field has, undecoded continuations joined."""
        found: list[bytes] = []
        for value in self.values(field):
            for other, text in parameters(value):
                if other == name and text not in found:
                    found.append(text)
        return found


def read_header(data: bytes, start: int, end: int) -> Header:
    """Read a header.

    Args:
        data: the mail.
        start: where the header begins.
        end: where it ends at the latest.
    """
    end_of_block, body = _extent(data, start, min(end, start + LARGEST_BLOCK))
    block = data[start:end_of_block].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    fields = []
    for match in _WANTED.finditer(_FOLD.sub(b" ", block)):
        fields.append((match[1].lower(), match[2][:_LONGEST_VALUE].strip()))
        if len(fields) == _MOST_FIELDS:
            break
    return Header(tuple(fields), body)


def _extent(data: bytes, start: int, end: int) -> tuple[int, int]:
    """End of a header's lines, and the start of what follows.

    A line that is no field ends the header too, as mail programs take it, unless a field
    about the content still follows before the next empty line.
    """
    at = start
    while at < end:
        line_end = _LINE_END.search(data, at, end)
        stop, after = (end, end) if line_end is None else line_end.span()
        if stop == at:
            return at, after
        if _FIELD_LINE.match(data, at, stop) is None and not _content_follows(data, at, end):
            return at, at
        at = after
    return end, end


_CONTENT_FOLLOWS = re.compile(
    rb"(?:[^\r\n]{1,1000}(?:\r\n|\n|\r)){1,8}?content-[a-z-]{2,30}[ \t]*:", re.IGNORECASE
)


def _content_follows(data: bytes, at: int, end: int) -> bool:
    return _CONTENT_FOLLOWS.match(data, at, end) is not None


def parameters(value: bytes) -> list[tuple[bytes, bytes]]:
    """Name in lower case and value of each parameter of a field.

    Pieces by RFC 2231 are joined in their order and decoded; a parameter that comes both
    ways comes twice.
    """
    if b";" not in value:
        return []
    plain: list[tuple[bytes, bytes]] = []
    pieces: dict[bytes, dict[int, tuple[bytes, bool]]] = {}
    for match in _PARAMETER.finditer(b";" + value.partition(b";")[2]):
        if len(plain) + len(pieces) >= _MOST_PARAMETERS:
            break
        text = _unquoted(match)
        split = _NAME_PIECES.match(match[1].lower())
        if split is None or not (split[2] or split[3]):
            plain.append((match[1].lower(), text))
            continue
        number = int(split[2] or 0)
        if number < _MOST_PARAMETERS:
            pieces.setdefault(split[1], {}).setdefault(number, (text, bool(split[3])))
    for name, numbered in pieces.items():
        plain.append((name, _joined(numbered)))
    return plain


def _unquoted(match: re.Match[bytes]) -> bytes:
    if match[2] is not None:
        return re.sub(rb"\\(.)", rb"\1", match[2], flags=re.DOTALL)
    if match[3] is not None:
        return match[3]
    return _COMMENT.sub(b"", match[4]).strip()


def _joined(numbered: dict[int, tuple[bytes, bool]]) -> bytes:
    """Source: RFC 2231, 3 and 4."""
    out = b""
    charset = ""
    for place, number in enumerate(sorted(numbered)):
        text, encoded = numbered[number]
        if encoded:
            if not place and text.count(b"'") >= 2:
                name, _, text = text.split(b"'", 2)
                charset = name.decode("latin-1")
            text = percent_decoded(text)
        out += text
    return text_of(out, charset).encode("utf-8", "surrogateescape")


def file_name(header: Header) -> str:
    """The name of a part's file as a mail program shows it, or nothing."""
    for field, parameter in (
        (b"content-disposition", b"filename"),
        (b"content-type", b"name"),
        (b"content-disposition", b"name"),
    ):
        for value in header.parameters(field, parameter):
            name = decode_words(value).strip()
            if name:
                return name
    return ""

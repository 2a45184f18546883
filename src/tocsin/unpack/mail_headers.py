"""Header fields of a mail or of one of its parts, read as readers do, not as writers should.

Whoever hides something writes headers that readers understand differently. Therefore a field
keeps all its values, in order, and the caller tries each.

Source: RFC 5322, 2.2; RFC 2045, 5.1 (parameters), 6.1; RFC 2047 (encoded words); RFC 2231
(continued and encoded parameters).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple

from tocsin.unpack.mail_words import decode_words, percent_decoded, text_of

_LONGEST_NAME = 64 * 1024
"""Bytes of a file's name that are kept; a name is for people and for signatures over names."""

_EOL = rb"(?:\r\n|\n|\r)"
_FIELD_LINES = re.compile(rb"(?:(?:[!-9;-~]+[ \t]*:|[ \t]|>?From )[^\r\n]*" + _EOL + rb"){1,500}")
_FIELD_LINE = re.compile(rb"[!-9;-~]+[ \t]*:|[ \t]|>?From ")
_LINE_END = re.compile(_EOL)
_DASHES = re.compile(rb"[ \t]*(?=--)")
_CONTENT_FIELD = re.compile(rb"content-[a-z-]{2,30}[ \t]*:", re.IGNORECASE)
_MOST_ODD_LINES = 8
"""Lines that are no fields, in a row, which a header may have before one about the content."""
_FOLD = re.compile(_EOL + rb"[ \t]+")
_WANTED = (
    rb"(content-(?:type|transfer-encoding|disposition)|subject)[ \t]*:"
    rb"([^\r\n]*(?:" + _EOL + rb"[ \t]+[^\r\n]*)*)"
)
_FIRST_FIELD = re.compile(_WANTED, re.IGNORECASE)
_FIELD = re.compile(rb"[\r\n]" + _WANTED, re.IGNORECASE)
COMMENT = re.compile(rb"\([^()]*\)")
"""A comment that has no other inside."""

_USED = frozenset({b"boundary", b"name", b"filename", b"charset"})
_BLANKS = re.compile(rb"[;\s]*")
_PARAMETER = re.compile(
    rb"([^\s=;\"]+)[ \t]*=[ \t]*(?:\"((?:[^\"\\]|\\.)*)(?:\"|\Z)|'([^';]*)'|([^;]*))",
    re.DOTALL,
)
_NAME_PIECES = re.compile(rb"^([^*]+)(?:\*(\d{1,9}))?(\*)?$")


IsDelimiter = Callable[[int], bool]


def _is_none(_at: int) -> bool:
    return False


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
        return list(
            dict.fromkeys(
                text
                for value in self.values(field)
                for other, text in parameters(value)
                if other == name
            )
        )


def read_header(data: bytes, start: int, end: int, is_delimiter: IsDelimiter = _is_none) -> Header:
    """Read a header.

    Args:
        data: the mail.
        start: where the header begins.
        end: where it ends at the latest.
        is_delimiter: asked of lines that begin with two dashes; such a line ends the header.
    """
    end_of_block, body = _extent(data, start, end, is_delimiter)
    first = _FIRST_FIELD.match(data, start, end_of_block)
    fields: dict[tuple[bytes, bytes], None] = {}
    for match in chain([first] if first else [], _FIELD.finditer(data, start, end_of_block)):
        fields.setdefault((match[1].lower(), _FOLD.sub(b" ", match[2]).strip()))
    return Header(tuple(fields), body)


def _extent(data: bytes, start: int, end: int, is_delimiter: IsDelimiter) -> tuple[int, int]:
    """End of a header's lines, and the start of what follows.

    A line that is no field ends the header too, as mail programs take it, unless a field
    about the content still follows before the next empty line.
    """
    at = start
    while at < end:
        fields = _FIELD_LINES.match(data, at, end)
        if fields is not None:
            at = fields.end()
            continue
        stop, after = _line(data, at, end)
        if stop == at:
            return at, after
        if _delimits(data, at, stop, is_delimiter):
            return at, at
        is_field = _FIELD_LINE.match(data, at, stop) is not None
        if not is_field and not _content_follows(data, after, end, is_delimiter):
            return at, at
        at = after
    return end, end


def _line(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Where a line ends, and where the next begins."""
    line_end = _LINE_END.search(data, at, end)
    return (end, end) if line_end is None else line_end.span()


def _delimits(data: bytes, at: int, end: int, is_delimiter: IsDelimiter) -> bool:
    dashes = _DASHES.match(data, at, end)
    return dashes is not None and is_delimiter(dashes.end())


def _content_follows(data: bytes, at: int, end: int, is_delimiter: IsDelimiter) -> bool:
    for _ in range(_MOST_ODD_LINES):
        if _CONTENT_FIELD.match(data, at, end) is not None:
            return True
        stop, after = _line(data, at, end)
        if stop == at or _delimits(data, at, stop, is_delimiter):
            return False
        at = after
    return False


def parameters(value: bytes) -> list[tuple[bytes, bytes]]:
    """Name in lower case and value of each parameter of a field that is of use here.

    Pieces by RFC 2231 are joined in their order and decoded; a parameter that comes both
    ways comes twice.
    """
    plain: list[tuple[bytes, bytes]] = []
    pieces: dict[bytes, dict[int, tuple[bytes, bool]]] = {}
    for match in _each_parameter(value):
        split = _NAME_PIECES.match(match[1].lower())
        if split is None or split[1] not in _USED:
            continue
        text = _unquoted(match)
        if not (split[2] or split[3]):
            plain.append((split[1], text))
        else:
            number = int(split[2] or 0)
            pieces.setdefault(split[1], {}).setdefault(number, (text, bool(split[3])))
    for name, numbered in pieces.items():
        plain.append((name, _joined(numbered)))
    return plain


def _each_parameter(value: bytes) -> Iterator[re.Match[bytes]]:
    """What stands behind semicolons and has an equals sign; no byte is read twice."""
    at = value.find(b";")
    while at >= 0:
        blanks = _BLANKS.match(value, at)
        at = blanks.end() if blanks is not None else at
        match = _PARAMETER.match(value, at)
        if match is not None:
            yield match
            at = match.end()
        at = value.find(b";", at)


def _unquoted(match: re.Match[bytes]) -> bytes:
    if match[2] is not None:
        return re.sub(rb"\\(.)", rb"\1", match[2], flags=re.DOTALL)
    if match[3] is not None:
        return match[3]
    return COMMENT.sub(b"", match[4]).strip()


def _joined(numbered: dict[int, tuple[bytes, bool]]) -> bytes:
    """Source: RFC 2231, 3 and 4."""
    out: list[bytes] = []
    charset = ""
    for place, number in enumerate(sorted(numbered)):
        text, encoded = numbered[number]
        if encoded:
            if not place and text.count(b"'") >= 2:
                name, _, text = text.split(b"'", 2)
                charset = name.decode("latin-1")
            text = percent_decoded(text)
        out.append(text)
    return text_of(b"".join(out), charset).encode("utf-8", "surrogateescape")


def file_name(header: Header) -> str:
    """The name of a part's file as a mail program shows it, or nothing."""
    for field, parameter in (
        (b"content-disposition", b"filename"),
        (b"content-type", b"name"),
        (b"content-disposition", b"name"),
    ):
        for value in header.parameters(field, parameter):
            name = decode_words(value[:_LONGEST_NAME]).strip()
            if name:
                return name
    return ""

"""Ordinary markup, brought into the normal forms a stretch at a time.

`STRETCH` matches only what the states of `html_normal` would treat alike one by one: text
without references and 8-bit characters, comments, and tags whose values hold nothing unusual.
All repetitions are possessive, and nothing reads past a `<` or `>`.
"""

from __future__ import annotations

import re

from tocsin.patterns import compile_pattern

_VALUE = rb"""(?!data:)[^\s"'<&>\x80-\xff]++"""
_QUOTED = rb'"(?!data:)(?:[^\s"\'<&>=\x80-\xff]++|=(?=[^\s"\'<&>])(?!=data:)|\s++(?!=))*+"(?=[\s>])'
_TIGHT = rb'"(?!data:)[^\s"\'<&>\x80-\xff]{0,1000}+"(?=[\s>])'
_TAG = (
    rb"<(?!(?:script|style|img|a|%@)[\s>])[^\s<>!][^\s<>]*+"
    rb"(?:\s++[^\s=<>]++(?:=(?:" + _QUOTED + rb"|" + _VALUE + rb"))?+)*+\s*+>"
)
_LINK = (
    rb"<(?:a|img)(?:\s++[^\s=<>]++(?:=(?:"
    + _TIGHT
    + rb"|(?!data:)[^\s\"'<&>\x80-\xff]{1,1000}+(?=[\s>])))?+)*+\s*+>"
)
STRETCH = compile_pattern(
    rb"(?:[^<>&\x00-\x08\x0e-\x1f\x80-\xff]++|<![^<>]*+>|" + _TAG + rb"|" + _LINK + rb")++",
    re.IGNORECASE,
)

_BLANKS = compile_pattern(rb"\s+")
_COMMENT = compile_pattern(rb"<![^>]*> ?")
_ANY_TAG = compile_pattern(rb"<[^>]*>")
_LINK_TAG = compile_pattern(rb"<(?:(a|img)(?=[\s>])([^>]*)|[^>]*)>", re.IGNORECASE)
_LINK_START = compile_pattern(rb"<(?:a|img)[\s>]", re.IGNORECASE)
_HREF = compile_pattern(rb' href(?:=(?:"([^"]*)"|([^ >]+)))?(?=[ >]|\Z)', re.IGNORECASE)
_SRC = compile_pattern(rb' src(?:=(?:"([^"]*)"|([^ >]+)))?(?=[ >]|\Z)', re.IGNORECASE)


def stretch_page(stretch: bytes) -> bytes:
    """A stretch without comments, in lower case."""
    out = _BLANKS.sub(b" ", stretch.lower())
    if b"<!" in out:
        out = _COMMENT.sub(b"", out)
    return out.replace(b"> ", b">").replace(b" >", b">")


def stretch_text(stretch: bytes) -> bytes:
    """A stretch without tags, the addresses of links and pictures in their place."""
    if _LINK_START.search(stretch) is None:
        return _BLANKS.sub(b" ", _ANY_TAG.sub(b" ", stretch).lower())
    parts = []
    at = 0
    for link in _LINK_TAG.finditer(stretch):
        if link[1] is None:
            continue
        address = (_HREF if len(link[1]) == 1 else _SRC).search(_BLANKS.sub(b" ", link[2]))
        parts.append(_ANY_TAG.sub(b" ", stretch[at : link.start()]).lower())
        at = link.end()
        value = b"" if address is None else address[1] or address[2] or b""
        parts.append(b" " + value + b" ")
    parts.append(_ANY_TAG.sub(b" ", stretch[at:]).lower())
    return _BLANKS.sub(b" ", b"".join(parts))

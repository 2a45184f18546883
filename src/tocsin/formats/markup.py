"""HTML that begins behind the first kilobyte of a text, or stands inside a picture.

clamscan 1.4.6 looks for the signs of HTML in the whole of a plain text and of a GIF, and takes
such an object for HTML then (measured). Linear in the object's size, whatever it holds.
"""

from __future__ import annotations

import re

from tocsin.formats.identify import is_plain_text
from tocsin.formats.magic import HTML_SIGNS, Sign


def _one_of(signs: list[Sign]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(re.escape(sign.needle) for sign in signs))


_SIGNS = [sign for sign in HTML_SIGNS if sign.type_name == "HTML"]
_TAG = _one_of([sign for sign in _SIGNS if not sign.start])
_ANY_TAG = re.compile(rb"<(?:!doctype|[a-z][a-z0-9:-]{0,31})[\s/>]", re.IGNORECASE)
_EMBEDS = re.compile(rb"d ?a ?t ?a ?:|srcdoc|&(?:#|colon)")
_LINKS = [(sign.needle, re.compile(sign.tail)) for sign in _SIGNS if sign.tail]


def markup_inside(data: bytes) -> bool:
    """Whether a plain text or a GIF holds HTML anywhere."""
    if b"<" not in data or not (data.startswith(b"GIF8") or is_plain_text(data)):
        return False
    if _TAG.search(data) is not None:
        return True
    for begin, rest in _LINKS:
        place = data.find(begin)
        if place >= 0 and rest.search(data, place + len(begin)) is not None:
            return True
    return False


def tags_inside(data: bytes, low: bytes) -> bool:
    """Whether tags stand in a text with which a file or a page may be embedded in it.

    clamscan takes few of them for HTML; a browser shows any.

    Args:
        data: the text.
        low: the same in lower case, or its normal form.
    """
    return (
        b"<" in data
        and b"=" in data
        and _EMBEDS.search(low) is not None
        and _ANY_TAG.search(data) is not None
    )

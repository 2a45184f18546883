"""Mail that its first kilobyte does not show to be one, and S/MIME envelopes.

clamscan types an object by its first kilobyte and then, in texts and unknown data, looks
through all of it for the signs of a mail; what has them it opens as a mail besides. Here
whatever begins like a mail is one too, however long its header.

Source: RFC 5322, 2.2; RFC 5652, 3; X.690, 8.1; measured with clamscan 1.4.6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.formats.identify import mail_sign_in
from tocsin.formats.text_kinds import is_wide

_SEQUENCE = 0x30
_IDENTIFIERS = (
    bytes.fromhex("06092a864886f70d0107"),
    bytes.fromhex("060b2a864886f70d0109100109"),
    bytes.fromhex("060b2a864886f70d0109100117"),
)
_ARMOUR = (b"-----BEGIN PKCS7-----", b"-----BEGIN CMS-----")


def envelope_kinds(data: bytes) -> Iterator[str]:
    """An envelope is a sequence whose first value says which of the envelopes it is."""
    if not data:
        return
    if data[0] == _SEQUENCE:
        length = data[1] if len(data) > 1 else 0
        if data.startswith(_IDENTIFIERS, 2 + (length & 0x7F if length > 0x80 else 0)):
            yield "PKCS7"
    elif data.startswith(_ARMOUR):
        yield "PKCS7"


# --- mail ---------------------------------------------------------------------------------

_NEAR = 4200
"""The signs that stand near the beginning end before this."""

_BEGIN = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:>?From [^\r\n]{0,998}[\r\n]{1,2})?[A-Za-z][!-9;-~]{0,997}[ \t]*:"
)
_TELLING = re.compile(
    rb"(?<![^\r\n\xbf])(?:content-(?:type|transfer-encoding|disposition)|mime-version|message-id|"
    rb"received)[ \t]*:"
)
_TELLING_STARTS = (b"content-", b"mime-version", b"message-id", b"received")
_EMPTY_LINES = (b"\n\n", b"\n\r\n", b"\r\r")
_VERSIONS = (b"-Version: ", b"-version: ")
_CONTENT_TYPE = re.compile(rb"\n[Cc]ontent-[Tt]ype: ")
_MOST_BETWEEN = 1024
_WIDE = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def narrow_mail(data: bytes) -> bytes:
    """A mail in 16-bit characters as UTF-8; another as it is."""
    coding = _WIDE.get(data[:2])
    if coding is None:
        if b"\0" not in data[:2] or not is_wide(data):
            return data
        coding = "utf-16-le" if data[1] == 0 else "utf-16-be"
    if _BEGIN.match(_narrowed(data[:_NEAR], coding)) is None:
        return data
    return _narrowed(data, coding)


def _narrowed(data: bytes, coding: str) -> bytes:
    return data.decode(coding, "replace").lstrip("\ufeff").encode("utf-8", "replace")


def mail_type(data: bytes) -> str:
    """As what clamscan opens a text or unknown data: MAIL, MHTML, or nothing."""
    near = data[:_NEAR]
    content = b"ontent-" in data
    if content and _has_mime_version(data):
        return "MHTML"
    return mail_sign_in(near) if content or b"ersion: " in near else ""


def message_kinds(data: bytes) -> Iterator[str]:
    """Whether a text or unknown data are a mail, or have one in them."""
    text = narrow_mail(data)
    kind = mail_type(text) or ("MAIL" if _begins_with_header(text) else "")
    if kind:
        yield kind


def _has_mime_version(data: bytes) -> bool:
    """Whether the line MIME-Version stands somewhere and Content-Type soon behind it."""
    for needle in _VERSIONS:
        at = data.find(needle)
        following = -1
        while at >= 0:
            end = at + len(needle)
            if data[max(0, at - 5) : at].lower() == b"\nmime":
                if following < end:
                    match = _CONTENT_TYPE.search(data, end)
                    if match is None:
                        break
                    following = match.start()
                if following - end <= _MOST_BETWEEN:
                    return True
            at = data.find(needle, end)
    return False


def _begins_with_header(data: bytes) -> bool:
    """Whether fields stand first, and before the first empty line one that mails have."""
    begin = _BEGIN.match(data)
    if begin is None:
        return False
    stop = len(data)
    for line in _EMPTY_LINES:
        place = data.find(line, begin.end(), stop)
        stop = stop if place < 0 else place
    block = data[:stop].lower()
    return any(_has_field(block, start) for start in _TELLING_STARTS)


def _has_field(block: bytes, start: bytes) -> bool:
    at = block.find(start)
    while at >= 0:
        if _TELLING.match(block, at) is not None:
            return True
        at = block.find(start, at + 1)
    return False

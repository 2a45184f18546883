"""Text in mails: character sets, encoded words, percent signs.

Source: RFC 2047, RFC 2231.
"""

from __future__ import annotations

import binascii
import re
from urllib.parse import unquote_to_bytes

_WORD = re.compile(rb"=\?([A-Za-z0-9_.:*'-]{1,60})\?([bBqQ])\?([^?]*)\?=(?:\s+(?==\?))?")
_CHARSET = re.compile(
    r"(?:utf-?(?:8|16|16le|16be|7)|(?:us-)?ascii|iso-?8859-?\d{1,2}|windows-?125\d|cp-?\d{3,4}|"
    r"koi8-?[rut]|gb(?:k|2312|18030)|big5|shift_?jis|euc-?(?:jp|kr)|iso-2022-jp|ks_c_5601-1987|"
    r"macintosh|mac-?roman)",
    re.IGNORECASE,
)
"""Character sets that are used; Python's further codecs are none, or slow on purpose."""


def charset_named(name: str) -> str:
    """The character set to decode by, or nothing when the name is none of the known."""
    name = name.strip().strip("\"'")
    return name if _CHARSET.fullmatch(name) else ""


def text_of(data: bytes, charset: str = "") -> str:
    """Text, with bytes that do not decode kept by `surrogateescape`."""
    known = charset_named(charset)
    if known:
        try:
            text = data.decode(known)
            text.encode("utf-8", "surrogateescape")
            return text  # not half a character, as UTF-7 can give
        except (UnicodeError, LookupError):
            pass
    return data.decode("utf-8", "surrogateescape")


def percent_decoded(data: bytes) -> bytes:
    """Replace `%41` by what it stands for."""
    return unquote_to_bytes(data)


def decode_words(value: bytes) -> str:
    """Decode the encoded words in a value; what stands between them is kept."""
    if b"=?" not in value:
        return text_of(value)
    out: list[str] = []
    at = 0
    for match in _WORD.finditer(value):
        out.append(text_of(value[at : match.start()]))
        out.append(text_of(_word(match), match[1].decode("ascii").partition("*")[0]))
        at = match.end()
    out.append(text_of(value[at:]))
    return "".join(out)


def _word(match: re.Match[bytes]) -> bytes:
    if match[2] in b"bB":
        return decode_base64(match[3])
    return binascii.a2b_qp(match[3], header=True)


_NOT_BASE64 = bytes(set(range(256)) - set(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
))  # fmt: skip


def decode_base64(data: bytes) -> bytes:
    """Decode base64 whatever is between and behind its characters."""
    characters = data.translate(None, _NOT_BASE64)
    left = len(characters) % 4
    if left == 1:
        characters = characters[:-1]
    elif left:
        characters += b"=" * (4 - left)
    return binascii.a2b_base64(characters)

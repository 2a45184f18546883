"""Texts of events for other systems, which expect UTF-8 and one line."""

from __future__ import annotations

import re
import unicodedata

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    r"""Valid UTF-8 on one line: undecodable bytes and what steers a terminal as `\xNN`."""
    try:
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        text = text.encode("utf-8", "backslashreplace").decode()
    return _CONTROL.sub(_escaped, text)


def valid(text: str) -> str:
    r"""Valid UTF-8, line ends and all: undecodable bytes as `\xNN`."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()


def cut_bytes(text: str, most: int) -> bytes:
    """As many whole characters as fit into so many bytes."""
    held = text.encode("utf-8")
    if len(held) <= most:
        return held
    cut = held[: max(0, most)].decode("utf-8", "ignore")
    while cut and unicodedata.combining(cut[-1]):
        cut = cut[:-1]
    return cut.encode()


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"

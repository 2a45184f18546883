"""Names and messages as a terminal may have them."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""A name or message for a terminal: control characters and odd bytes as `\\xNN`."""
    plain = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in plain)

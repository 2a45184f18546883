"""Names and messages as a terminal may have them.

What comes from a signature file, from a scanned object or over a network may hold characters that
a terminal obeys; everything that is printed goes through here first.
"""

from __future__ import annotations


def printable(text: str) -> str:
    r"""One line: what cannot be printed is an escape, and an odd byte of a name is `\xNN`."""
    return text if text.isprintable() else "".join(map(_shown, text))


def printable_text(text: str) -> str:
    """The same for text of several lines: line ends and tabs stay."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as Python holds it (PEP 383)
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

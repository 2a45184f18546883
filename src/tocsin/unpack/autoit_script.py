"""The tokens of a compiled AutoIt script, written out as text.

Source: the tokens: public decompilers of EA06 (AutoIt-Ripper, myAut2Exe); the text: what
clamscan 1.4.6 writes for each of them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tocsin.unpack.autoit_names import FUNCTIONS, KEYWORDS
from tocsin.unpack.interface import Reason
from tocsin.unpack.stream import OUTPUT_CHUNK, Interrupted

_END_OF_LINE = 0x7F
_OPERATORS = b", = > < <> >= <= ( ) + - / * & [ ] == ^ += -= /= *= &= ? :"
_OPERATOR_TEXT = {
    token: text + b" " for token, text in enumerate(_OPERATORS.split(b" "), start=0x40)
}

_TABLES = {0x00: KEYWORDS, 0x01: FUNCTIONS}
_NAMES = {
    0x30: (b"", b" "),
    0x31: (b"", b" "),
    0x32: (b"@", b" "),
    0x33: (b"$", b" "),
    0x34: (b"", b""),
    0x35: (b".", b" "),
    0x36: (b'"', b'" '),
    0x37: (b"", b" "),
}
"""What stands around the text of a token: keywords, functions, macros, variables, functions of
the script's own, properties, strings, what the compiler did not understand."""


def write_script(tokens: bytes) -> Iterator[bytes]:
    """Write a script as text.

    Args:
        tokens: number of lines and tokens, as stored.

    Yields:
        The text, in chunks.

    Raises:
        Interrupted: the tokens are damaged; the text up to there has been yielded.
    """
    out = bytearray()
    try:
        for text in _texts(tokens):
            out += text
            if len(out) >= OUTPUT_CHUNK:
                yield bytes(out)
                out.clear()
    except Interrupted:
        yield bytes(out)
        raise
    yield bytes(out)


def _texts(tokens: bytes) -> Iterator[bytes]:
    lines, at, end = int.from_bytes(tokens[:4], "little"), 4, len(tokens)
    while lines and at < end:
        token = tokens[at]
        at += 1
        if token == _END_OF_LINE:
            lines -= 1
            yield b"\n"
        elif token in _OPERATOR_TEXT:
            yield _OPERATOR_TEXT[token]
        elif token in _NAMES:
            text, at = _name(tokens, at)
            before, after = _NAMES[token]
            yield before + text + after
        elif token in _TABLES:
            number = int.from_bytes(tokens[at : at + 4], "little")
            at += 4
            table = _TABLES[token]
            yield table[number] + b" " if number < len(table) else b"UNKNOWN_%d " % number
        elif token == 0x05:
            yield b"0x%08x " % int.from_bytes(tokens[at : at + 4], "little")
            at += 4
        elif token == 0x10:
            yield b"0x%016x " % _long(tokens[at : at + 8])
            at += 8
        elif token == 0x20:
            if at + 8 > end:
                raise Interrupted(Reason.DAMAGED, "truncated")
            yield b"%g " % float(struct.unpack_from("<d", tokens, at)[0])
            at += 8
        else:
            raise Interrupted(Reason.DAMAGED, f"an unknown token {token:#x} in the script")
    if lines:
        raise Interrupted(Reason.DAMAGED, "truncated")


def _long(stored: bytes) -> int:
    """A number of 64 bits the way clamscan puts it together: its lower half counts as signed."""
    low = int.from_bytes(stored[:4], "little", signed=True)
    return (int.from_bytes(stored[4:], "little") << 32) + low & 0xFFFFFFFFFFFFFFFF


def _name(tokens: bytes, at: int) -> tuple[bytes, int]:
    """A text whose characters are veiled by their number; of each the lower byte is kept."""
    count = int.from_bytes(tokens[at : at + 4], "little")
    start, end = at + 4, at + 4 + 2 * count
    if end > len(tokens):
        raise Interrupted(Reason.DAMAGED, "truncated")
    key = (count & 0xFFFF).to_bytes(2, "little") * count
    plain = int.from_bytes(tokens[start:end], "little") ^ int.from_bytes(key, "little")
    return plain.to_bytes(2 * count, "little")[::2], end

"""Files and scripts written as lists of numbers, as scripts that build a file hold them."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.patterns import compile_pattern
from tocsin.unpack.base64_runs import is_worthwhile

FEWEST_NUMBERS = 32
"""Numbers in a row that are worth a look."""

_NUMBER = rb"(?:0[xX][0-9a-fA-F]{1,4}|&[hH][0-9a-fA-F]{1,4}|[0-9]{1,5})"
_COMMENT = rb"/\*[^*/]{0,64}+\*/"
_GAP = rb"(?:[\s_]|" + _COMMENT + rb"){0,12}+"
_LIST = compile_pattern(
    rb"(?<![\w&])"
    + _NUMBER
    + rb"(?:(?:[ \t]|"
    + _COMMENT
    + rb"){0,8}+,"
    + _GAP
    + _NUMBER
    + rb"){31,}+"
)
_COMMENTS = compile_pattern(_COMMENT)
_SPLIT = compile_pattern(rb"[\s,_]+")
_MANY_COMMAS = b"," * 31
_IN_NUMBERS = b"0123456789abcdefABCDEFxXhH&_ \t\r\n\v\f"


def byte_lists(data: bytes) -> Iterator[bytes]:
    """What the lists of numbers in a script stand for, where that is a file or a text.

    A list that is put through exclusive or with one byte, as loaders do, is undone when what
    comes out begins like a program.
    """
    if not _may_hold_lists(data):
        return
    for found in _LIST.finditer(data):
        text = _COMMENTS.sub(b"", found[0]) if b"*" in found[0] else found[0]
        numbers = [_value(number) for number in _SPLIT.split(text)]
        if max(numbers) > 0xFF:
            continue
        content = bytes(numbers)
        if is_worthwhile(content[:512]):
            yield content
            continue
        key = content[0] ^ 0x4D
        if key and content[1] ^ key == 0x5A:
            plain = content.translate(bytes(byte ^ key for byte in range(256)))
            if b"This program" in plain[:512] or b"PE\0\0" in plain[:1024]:
                yield plain


def _may_hold_lists(data: bytes) -> bool:
    """Whether so many commas stand in a row as a list has, with nothing but digits between."""
    if data.count(b",") < len(_MANY_COMMAS):
        return False
    if b"/*" in data:
        data = _COMMENTS.sub(b"", data)
    return _MANY_COMMAS in data.translate(None, _IN_NUMBERS)


def _value(text: bytes) -> int:
    if text[:2] in (b"0x", b"0X", b"&h", b"&H"):
        return int(text[2:], 16)
    return int(text)

"""Text in the normal form that signatures for target 7 are written against.

Letters in lower case, each run of white space one blank, control characters and bytes above
127 gone; so text in 16-bit characters becomes plain text too.

Source: measured with clamscan 1.4.6 and sigtool --ascii-normalise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tocsin.formats.markup import markup_inside, tags_inside
from tocsin.formats.text_kinds import narrow
from tocsin.unpack.interface import MIB, Budget, Item, View
from tocsin.unpack.script_hints import may_be_script

MOST_BYTES = 20 * MIB
"""A larger text has no normal form; clamscan's bound (`--max-scriptnormalize`)."""

_BLANKS = b"\t\n\v\f\r "
_DROPPED = bytes(byte for byte in range(256) if (byte < 32 and byte not in _BLANKS) or byte > 127)
_FOLDED = bytes(0x20 if byte in _BLANKS else byte for byte in range(256)).lower()
_MANY = re.compile(rb"  +")


class TextUnpacker:
    """Gives a text's normal form, what its scripts hide, and the markup that stands in it."""

    types = frozenset({"TEXT_ASCII", "TEXT_UTF8", "TEXT_UTF16LE", "TEXT_UTF16BE", "SCRIPT"})

    def members(self, data: bytes, budget: Budget, passwords: Sequence[bytes]) -> Iterator[Item]:
        """See `Unpacker.members`."""
        large = len(data) > MOST_BYTES
        plain = narrow(data)
        normal = plain.lower() if large else normalise(data)
        marked_up = markup_inside(plain)
        if marked_up:
            from tocsin.unpack.html import markup_items  # most texts need none of it

            yield from markup_items(plain, budget, unclosed=False)
        elif not large:
            yield View("normalised", normal, "TEXT_ASCII")
        if not marked_up and tags_inside(plain, normal):
            from tocsin.unpack.html_parts import embedded

            yield from embedded(plain, budget, lists=False)
        if may_be_script(data, normal):
            from tocsin.unpack.script_items import script_items

            yield from script_items(data, normal, budget)


def normalise(data: bytes) -> bytes:
    """The normal form of a text."""
    return one_blank(data.translate(_FOLDED, _DROPPED))


def one_blank(text: bytes) -> bytes:
    """The text with each run of blanks made one."""
    return _MANY.sub(b" ", text)


UNPACKER = TextUnpacker()

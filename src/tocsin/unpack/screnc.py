"""Scripts as Windows Script Encoder writes them: `.vbe`, `.jse`, and parts of web pages.

It is no encryption but a substitution by three alphabets that take turns.

Source: measured and published by MrBrownstone, "Breaking SCRENC".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tocsin.errors import FormatError
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.parts import Parts
from tocsin.unpack.stream import OUTPUT_CHUNK, Interrupted

_BLOCK = re.compile(rb"#@~\^[A-Za-z0-9+/]{6}==")
_END = b"==^#~@"
_CHECKSUM = 6

_TURNS = "1201202002021020102011200210200211020201011201021020112001120102"
"""Which alphabet stands for each of 64 characters in turn."""

_ALPHABETS = (
    b"{20!)[83=X:5e9\\VsfNEkbYx^}Jmq<`>S@B'Hru17MR\"TjGd-"
    b" \x00.L]~loytC&v%$+(#A4\t*D?w;UiacPgQIOFh|6pnz/_KZ,W",
    b'W.GzVBj/&IA42[vrC89pEhqO\tbD#u<~>^@wJa]"KoN;LPg*}t'
    b"T+-,0nkf5%!dMRc?{x)(sY3\x00mUS|:_eFX1ilZH'\\=$y7`Q 6",
    b"n-uR`q^I\\b})6 |z\x00kc3+hQfv1dTC<:>~@E,*t'7DyY/o&rj9"
    b'{?8wgSG4x]0#Z[lHUpi.L!$NP\tVs5aKX;W"mM%(FJ2A=_OBe',
)
"""What tab and the characters from blank to DEL stand for, three times."""

_ESCAPES = {b"@#": b"\0", b"@&": b"\1", b"@!": b"\2", b"@*": b"\3", b"@$": b"\4"}
_ESCAPED = b"\r\n<>@"


def _table(alphabet: bytes) -> bytes:
    table = bytearray(range(256))
    table[: len(_ESCAPED)] = _ESCAPED
    table[9] = alphabet[0]
    table[32:128] = alphabet[1:]
    return bytes(table)


_TABLES = tuple(map(_table, _ALPHABETS))


class ScriptUnpacker:
    """Decodes encoded scripts.

    They are handed on as the script of a page, which is how clamscan matches them.
    """

    types = frozenset({"SCRENC"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        found = _BLOCK.search(data)
        if found is None:
            raise FormatError("not an encoded script")
        parts = Parts(budget)
        while found is not None:
            start = found.end()
            end = data.find(_END, start)
            whole = end >= 0
            stop = max(start, end - _CHECKSUM) if whole else len(data)
            name = f"script {parts.position + 1}"
            yield from parts.member(name, _decoded(data[start:stop], whole), stop - start)
            found = _BLOCK.search(data, end) if whole else None


def _decoded(encoded: bytes, whole: bool) -> Iterator[bytes]:
    out = b"<script>%b</script>" % decode(encoded)
    for at in range(0, len(out), OUTPUT_CHUNK):
        yield out[at : at + OUTPUT_CHUNK]
    if not whole:
        raise Interrupted(Reason.DAMAGED, "truncated")


def decode(encoded: bytes) -> bytes:
    """Decode what stands between the stated length and the checksum."""
    single = encoded
    for escape, stand_in in _ESCAPES.items():
        single = single.replace(escape, stand_in)
    out = bytearray(single)
    for place, turn in enumerate(_TURNS):
        out[place :: len(_TURNS)] = single[place :: len(_TURNS)].translate(_TABLES[int(turn)])
    return bytes(out)


UNPACKER = ScriptUnpacker()

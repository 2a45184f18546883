r"""Texts of added records as columns, so that each costs what it says anew and no more.

Most records are digests with a size and a name, `DIGEST:SIZE:NAME:LEVEL` or
`SIZE:DIGEST:NAME`. As text they are twice as large as they need be, and a general compressor
does not see why. So such a text is taken apart:

* the digest, in binary. Sorted as records are, its first two bytes grow slowly: they are
  written as differences, the others as they are, for nothing is to be gained there;
* numbers that stand alone (size, the serial number in a name, level), one column a place;
* the rest, its *template*. Few are different. In it stand for what was taken out: `\x00` and a
  length for the digest's beginning (names made of the digest), `\x01` for a number, `\x02`
  MD5, `\x03` SHA-1, `\x04` SHA-256.

All other texts stand one a line and are compressed as text, with the records removed at the same
time as a dictionary: what was changed is mostly a removal and an addition that are alike.

In the delta: the number of templates as a varint; templates as a block, one a line; a column
with one number a text, 0 for a whole text and otherwise the template's, counted from 1; for
each of the three kinds of digest a column of differences and a block of the bytes behind; for
each of six places a column of numbers; the block of whole texts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import NamedTuple

from tocsin.updates.delta_format import Reader, Writer, damaged
from tocsin.updates.errors import DeltaError

MAX_TEXTS = 1 << 18
"""Records that a delta may add."""

MAX_TEXT_BYTES = 48 << 20
"""Bytes that they may have together, a newline each included."""

MAX_TEMPLATES = 1 << 14
"""Templates; texts of rarer ones are written whole."""

MAX_DICTIONARY_BYTES = 4 << 20
"""Removed records that added ones are compressed with."""

_PLACES = 6
_TOKENS = 32
_MOST = 10**18 - 1
_MARKS = {32: b"\x02", 40: b"\x03", 64: b"\x04"}
_SIZES = {2: 16, 3: 20, 4: 32}
_FIRST = 2
_NUMBER = b"\x01"
_PREFIX = b"\x00"
_SHORTENED = (64, 40, 32, 16, 12, 8)
_SHAPE = re.compile(
    rb"((?:[0-9]{1,18}|\*):)?([0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})((?::[^\x00-\x04]*)?)",
    re.DOTALL,
)
_ALONE = re.compile(rb"(?<![0-9A-Za-z])(?:0|[1-9][0-9]{0,17})(?![0-9A-Za-z])")
_TOKEN = re.compile(rb"\x00[\x00-\xff]|[\x01-\x04]")


class _Taken(NamedTuple):
    """A text taken apart: template, digest, numbers in order."""

    template: bytes
    digest: bytes
    numbers: list[int]


class _Template(NamedTuple):
    """A template made ready: a format, and what goes into it.

    Attributes:
        form: for `%`.
        tokens: -1 for a number, else how many characters of the digest.
        digest: bytes of the digest.
        numbers: how many.
    """

    form: bytes
    tokens: tuple[int, ...]
    digest: int
    numbers: int


def write_texts(writer: Writer, texts: Sequence[bytes], dictionary: bytes) -> None:
    """Write texts, none of which holds a newline.

    Args:
        writer: takes them.
        texts: in the order of their records.
        dictionary: removed texts, the same when they are read.

    Raises:
        DeltaError: they are more than a reader would take.
    """
    if len(texts) > MAX_TEXTS or sum(map(len, texts)) + len(texts) > MAX_TEXT_BYTES:
        raise DeltaError("the databases differ too much for a delta; publish this one in full")
    taken = [_taken(text) for text in texts]
    ranked = Counter(one.template for one in taken if one is not None)
    templates = [template for template, _ in sorted(ranked.items(), key=lambda i: (-i[1], i[0]))]
    del templates[MAX_TEMPLATES:]
    numbers = {template: number for number, template in enumerate(templates, 1)}
    taken = [one if one is not None and one.template in numbers else None for one in taken]
    writer.varint(len(templates))
    writer.block(b"".join(template + b"\n" for template in templates))
    writer.numbers([0 if one is None else numbers[one.template] for one in taken])
    shaped = [one for one in taken if one is not None]
    for size in _SIZES.values():
        _write_digests(writer, [one.digest for one in shaped if len(one.digest) == size])
    for place in range(_PLACES):
        writer.numbers([one.numbers[place] for one in shaped if len(one.numbers) > place])
    whole = (text for text, one in zip(texts, taken, strict=True) if one is None)
    writer.block(b"".join(text + b"\n" for text in whole), dictionary)


def read_texts(reader: Reader, count: int, dictionary: bytes) -> list[bytes]:
    """Read what `write_texts` wrote.

    Args:
        reader: stands where it was written.
        count: how many texts, at most `MAX_TEXTS`.
        dictionary: the one it was written with.

    Raises:
        DeltaError: it is damaged or goes beyond the bounds.
    """
    kinds = reader.varint(MAX_TEMPLATES)
    templates = [_ready(line) for line in _lines(reader.block(MAX_TEXT_BYTES), kinds)]
    which = reader.numbers(count, kinds)
    used = Counter(which)
    digests = {}
    for size in _SIZES.values():
        expected = sum(used[n] for n, one in enumerate(templates, 1) if one.digest == size)
        digests[size] = _read_digests(reader, size, expected)
    columns = []
    for place in range(_PLACES):
        expected = sum(used[n] for n, one in enumerate(templates, 1) if one.numbers > place)
        columns.append(iter(reader.numbers(expected, _MOST)))
    whole = iter(_lines(reader.block(MAX_TEXT_BYTES, dictionary), used[0]))
    texts, left = [], MAX_TEXT_BYTES
    for number in which:
        text = next(whole) if number == 0 else _joined(templates[number - 1], digests, columns)
        left -= len(text) + 1
        if left < 0:
            raise damaged()
        texts.append(text)
    return texts


def _taken(text: bytes) -> _Taken | None:
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        return None
    size, digest, rest = shape.groups()
    for length in _SHORTENED:
        if length <= len(digest) and digest[:length] in rest:
            if rest.count(digest[:length]) > _TOKENS:
                return None
            rest = rest.replace(digest[:length], _PREFIX + bytes([length]))
            break
    numbers: list[int] = []

    def take(found: re.Match[bytes]) -> bytes:
        # What stands behind a mark for the digest's beginning is that mark's length.
        if len(numbers) == _PLACES:
            return found[0]
        numbers.append(int(found[0]))
        return _NUMBER

    before = _ALONE.sub(take, size or b"")
    template = before + _MARKS[len(digest)] + _ALONE.sub(take, rest)
    return _Taken(template, bytes.fromhex(digest.decode()), numbers)


def _write_digests(writer: Writer, digests: Sequence[bytes]) -> None:
    firsts = [int.from_bytes(digest[:_FIRST], "big") for digest in digests]
    before = chain((0,), firsts)
    writer.numbers([(own - last) % 65_536 for own, last in zip(firsts, before, strict=False)])
    writer.block(b"".join(digest[_FIRST:] for digest in digests))


def _read_digests(reader: Reader, size: int, count: int) -> Iterator[bytes]:
    gaps = reader.numbers(count, 65_535)
    rest = size - _FIRST
    data = reader.block(rest * count)
    if len(data) != rest * count:
        raise damaged()
    firsts = (total % 65_536 for total in accumulate(gaps))
    return (
        (first.to_bytes(_FIRST, "big") + data[at : at + rest]).hex().encode()
        for first, at in zip(firsts, range(0, len(data), rest), strict=True)
    )


def _lines(block: bytes, count: int) -> list[bytes]:
    # Counted first: a list of empty lines takes much more memory than they do.
    if block.count(b"\n") != count or (block and block[-1:] != b"\n"):
        raise damaged()
    return block.split(b"\n")[:-1]


def _ready(template: bytes) -> _Template:
    """Make a template ready, after seeing that it is one that could have been written."""
    tokens, digest = [], 0
    for token in _TOKEN.findall(template):
        if token == _NUMBER:
            tokens.append(-1)
        elif token[:1] == _PREFIX:
            if token[1] not in _SHORTENED:
                raise damaged()
            tokens.append(token[1])
        else:
            if digest:
                raise damaged()
            digest = _SIZES[token[0]]
            tokens.append(2 * digest)
    numbers = tokens.count(-1)
    if not digest or numbers > _PLACES or len(tokens) > _TOKENS + _PLACES + 1:
        raise damaged()
    form = _TOKEN.sub(lambda t: b"%d" if t[0] == _NUMBER else b"%b", template.replace(b"%", b"%%"))
    return _Template(form, tuple(tokens), digest, numbers)


def _joined(
    template: _Template, digests: dict[int, Iterator[bytes]], columns: list[Iterator[int]]
) -> bytes:
    digest = next(digests[template.digest])
    numbers = iter(columns)
    return template.form % tuple(
        next(next(numbers)) if token < 0 else digest[:token] for token in template.tokens
    )

"""The filters of PDF streams, one after the other, each bounded in what it holds and gives.

Every filter takes chunks and gives chunks, so that a chain of them stops where the budget
ends, however much one of them would blow up. qpdf decodes a whole stream at once and is
therefore used only for blocks that give no more than they take.

The data of pictures (DCT, JPX, JBIG2, CCITT) are handed on as they are.

Source: ISO 32000-1, 7.4.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from struct import iter_unpack
from typing import NamedTuple

from pikepdf import Name

from tocsin.unpack.interface import Reason
from tocsin.unpack.pdf_predictors import Prediction, by_qpdf, predicted
from tocsin.unpack.pdf_syntax import unhex
from tocsin.unpack.stream import OUTPUT_CHUNK, Interrupted

LONGEST_CHAIN = 32
"""Filters in a row that are followed."""

_INPUT_CHUNK = 64 * 1024
_WHITESPACE = b"\0\t\n\f\r "
_TRIED = 4096
"""Bytes by which it is told whether data are packed."""

_LONG_A85 = 2000
_NO_A85 = bytes(set(range(256)) - set(range(0x21, 0x76)) - set(b"z~"))


class Filter(NamedTuple):
    """One filter of a stream.

    Attributes:
        name: its full name.
        early: whether LZW widens its codes one code early.
        prediction: the predictor whose work is undone afterwards, or None.
        crypt: how its data are encrypted, when its name is Crypt.
    """

    name: bytes
    early: bool = True
    prediction: Prediction | None = None
    crypt: bytes = b""


def decode(data: bytes, start: int, end: int, filters: Iterable[Filter]) -> Iterator[bytes]:
    """Take a stream's data through its filters.

    Args:
        data: what holds the stream.
        start: where its data begin.
        end: where they end.
        filters: in the order in which they are to be undone.

    Yields:
        What comes out, in chunks.

    Raises:
        Interrupted: a filter's data are damaged, or it is not known; what precedes that place
            has been yielded.
    """
    chunks = _pieces(data, start, end)
    # Crypt was undone before, Identity is nothing to undo.
    filters = [item for item in filters if item.name not in (b"Crypt", b"Identity")]
    for number, item in enumerate(filters):
        if item.name in PICTURES:
            if number + 1 < len(filters):
                chunks = _behind_picture(chunks, item.name)
            break
        known = _FILTERS.get(item.name)
        if known is None or number >= LONGEST_CHAIN:
            chunks = _unknown(chunks, item.name, number)
            break
        chunks = known(chunks, item)
        if item.prediction is not None:
            chunks = predicted(chunks, item.prediction)
    yield from chunks


def _pieces(data: bytes, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, _INPUT_CHUNK):
        yield data[at : min(at + _INPUT_CHUNK, end)]


def _unknown(chunks: Iterable[bytes], name: bytes, number: int) -> Iterator[bytes]:
    yield from chunks
    if number >= LONGEST_CHAIN:
        raise Interrupted(Reason.UNSUPPORTED, f"more than {LONGEST_CHAIN} filters")
    shown = name[:40].decode("latin-1")
    raise Interrupted(Reason.UNSUPPORTED, f"unknown filter {shown!r}")


def _behind_picture(chunks: Iterable[bytes], name: bytes) -> Iterator[bytes]:
    yield from chunks
    raise Interrupted(Reason.UNSUPPORTED, f"filters behind {name.decode('latin-1')}")


def _flate(chunks: Iterable[bytes], item: Filter) -> Iterator[bytes]:
    """Deflate in a zlib wrapping. Source: RFC 1950.

    Viewers insist neither on the header nor on a check value; one that is there and does not
    fit tells of data that were altered and decoded to something nevertheless.
    """
    decoder: zlib._Decompress | None = None
    saved: zlib._Decompress | None = None
    head = b""
    check = 1
    pieces = iter(chunks)
    for piece in pieces:
        if decoder is None:
            head += piece
            if len(head) < 4:
                continue
            piece, wrapped = _without_header(head)
            decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        else:
            saved = decoder.copy()
        full = False
        while piece or full:
            try:
                out = decoder.decompress(piece, OUTPUT_CHUNK)
            except zlib.error as error:
                yield _rescued(saved, piece)
                raise Interrupted(Reason.DAMAGED, f"damaged ({error})") from error
            check = zlib.adler32(out, check)
            yield out
            if decoder.eof:
                trailer = (decoder.unused_data + next(pieces, b""))[:4]
                if wrapped and len(trailer) == 4 and int.from_bytes(trailer, "big") != check:
                    raise Interrupted(Reason.DAMAGED, "its check value does not match")
                return
            piece, full = decoder.unconsumed_tail, len(out) == OUTPUT_CHUNK
            if piece or full:
                saved = decoder.copy()
    if decoder is not None or head.strip(_WHITESPACE):
        raise Interrupted(Reason.DAMAGED, "truncated")


def _without_header(head: bytes) -> tuple[bytes, bool]:
    """Pass over the zlib header, and over ends of lines that writers leave before it.

    Returns:
        What follows, and whether there was a header.
    """
    for candidate in (head, head.lstrip(b"\r\n")):
        first = int.from_bytes(candidate[:2], "big")
        if len(candidate) > 1 and candidate[0] & 0x0F == 8 and not first % 31:
            return candidate[6 if first & 0x20 else 2 :], True
    return (head[2:] if head[0] & 0x0F == 8 else head), False


def _rescued(saved: zlib._Decompress | None, piece: bytes) -> bytes:
    """What a decoder had decoded in the step in which it met the damage."""
    decoder = saved or zlib.decompressobj(-zlib.MAX_WBITS)
    out = bytearray()
    try:
        for at in range(len(piece)):
            out += decoder.decompress(piece[at : at + 1], OUTPUT_CHUNK - len(out) or 1)
            if len(out) >= OUTPUT_CHUNK:
                break
    except zlib.error:
        pass
    return bytes(out)


def looks_packed(data: bytes, start: int, end: int) -> bool:
    """Whether data begin as Deflate in a zlib wrapping does, and go on like that.

    Args:
        data: what holds them.
        start: where they begin.
        end: where they end.
    """
    head = data[start : min(end, start + 2)]
    if len(head) < 2 or head[0] & 0x8F != 8 or int.from_bytes(head, "big") % 31:
        return False
    try:
        return bool(zlib.decompressobj().decompress(data[start : min(end, start + _TRIED)], _TRIED))
    except zlib.error:
        return False


def _ascii_hex(chunks: Iterable[bytes], item: Filter) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        text, ended, _ = chunk.partition(b">")
        digits = rest + text.translate(None, _WHITESPACE)
        cut = len(digits) if ended else len(digits) // 2 * 2
        yield unhex(digits[:cut])
        rest = digits[cut:]
        if ended:
            return
    yield unhex(rest)


def _ascii85(chunks: Iterable[bytes], item: Filter) -> Iterator[bytes]:
    rest = b""
    first = True
    for chunk in chunks:
        text = rest + chunk.translate(None, _NO_A85)
        if first:
            text, first = text.removeprefix(b"<~"), False
        text, ended, _ = text.partition(b"~")
        if b"z" in text:
            text = _spelled_out(text)
        cut = len(text) // 5 * 5
        for at in range(0, cut, OUTPUT_CHUNK // 4 * 5):
            yield _quintets(text[at : min(at + OUTPUT_CHUNK // 4 * 5, cut)])
        rest = text[cut:]
        if ended:
            break
    if len(rest) > 1:
        yield _quintets(rest + b"u" * (5 - len(rest)))[: len(rest) - 1]


_GROUPS = re.compile(rb"z|[^z]{5}|[^z]+")


def _spelled_out(text: bytes) -> bytes:
    """Write out the abbreviation of four zeros where it stands between groups."""
    return b"".join(b"!!!!!" if group == b"z" else group for group in _GROUPS.findall(text))


def _quintets(text: bytes) -> bytes:
    """Decode whole groups: long texts by qpdf, what it refuses and short ones here."""
    if len(text) > _LONG_A85:
        out = by_qpdf(text + b"~>", Name.ASCII85Decode)
        if out is not None and len(out) == len(text) // 5 * 4:
            return out
    return b"".join(
        [
            ((((a * 85 + b) * 85 + c) * 85 + d) * 85 + e - 1_743_128_013 & 0xFFFFFFFF).to_bytes(
                4, "big"
            )
            for a, b, c, d, e in iter_unpack("5B", text)
        ]
    )


def _run_length(chunks: Iterable[bytes], item: Filter) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        data = rest + chunk
        out: list[bytes] = []
        size, at, end = 0, 0, len(data)
        while at < end:
            length = data[at]
            if length == 128:
                yield b"".join(out)
                return
            if length < 128:
                if at + length + 2 > end:
                    break
                out.append(data[at + 1 : at + length + 2])
                at += length + 2
                size += length + 1
            else:
                if at + 2 > end:
                    break
                out.append(data[at + 1 : at + 2] * (257 - length))
                at += 2
                size += 257 - length
            if size >= OUTPUT_CHUNK:
                yield b"".join(out)
                out, size = [], 0
        yield b"".join(out)
        rest = data[at:]
    if rest:
        yield rest[1:]
        raise Interrupted(Reason.DAMAGED, "truncated")


_CLEAR, _END, _LARGEST_TABLE = 256, 257, 4096


def _lzw(chunks: Iterable[bytes], item: Filter) -> Iterator[bytes]:
    """LZW with codes of 9 to 12 bits, highest bit first. Source: ISO 32000-1, 7.4.4."""
    early = 1 if item.early else 0
    initial = [bytes([value]) for value in range(256)] + [b"", b""]
    table, width, previous = initial[:], 9, b""
    bits = count = size = 0
    out: list[bytes] = []
    for chunk in chunks:
        for at in range(0, len(chunk), 32):
            piece = chunk[at : at + 32]
            bits = bits << 8 * len(piece) | int.from_bytes(piece, "big")
            count += 8 * len(piece)
            while count >= width:
                count -= width
                code = bits >> count
                bits &= (1 << count) - 1
                if code < len(table) and code not in (_CLEAR, _END):
                    entry = table[code]
                    if previous and len(table) < _LARGEST_TABLE:
                        table.append(previous + entry[:1])
                elif code == _CLEAR:
                    table, width, previous = initial[:], 9, b""
                    continue
                elif code == _END:
                    yield b"".join(out)
                    return
                elif code == len(table) and previous:
                    entry = previous + previous[:1]
                    table.append(entry)
                else:
                    yield b"".join(out)
                    raise Interrupted(Reason.DAMAGED, "damaged (a code that is not defined)")
                previous = entry
                out.append(entry)
                size += len(entry)
                if len(table) + early >= 1 << width and width < 12:
                    width += 1
                if size >= OUTPUT_CHUNK:
                    yield b"".join(out)
                    out, size = [], 0
    yield b"".join(out)


PICTURES = frozenset({b"DCTDecode", b"JPXDecode", b"JBIG2Decode", b"CCITTFaxDecode"})
"""Filters whose data are a picture, and handed on as such."""

FULL_NAMES = {
    b"Fl": b"FlateDecode",
    b"LZW": b"LZWDecode",
    b"A85": b"ASCII85Decode",
    b"AHx": b"ASCIIHexDecode",
    b"RL": b"RunLengthDecode",
    b"DCT": b"DCTDecode",
    b"CCF": b"CCITTFaxDecode",
}
"""The abbreviations, which belong to pictures in a page but are read everywhere."""

_FILTERS: dict[bytes, Callable[[Iterable[bytes], Filter], Iterator[bytes]]] = {
    b"FlateDecode": _flate,
    b"LZWDecode": _lzw,
    b"ASCII85Decode": _ascii85,
    b"ASCIIHexDecode": _ascii_hex,
    b"RunLengthDecode": _run_length,
}

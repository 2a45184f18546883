"""BinHex 4.0: both forks of a Macintosh file as text.

Source: RFC 1741, appendix A (the format and its check values).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Sequence

from tocsin.formats.text_kinds import BINHEX_MARK, narrow
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.stream import OUTPUT_CHUNK, Interrupted, Meta, report, take

_ALPHABET = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TO_BASE64 = bytes.maketrans(_ALPHABET, _BASE64)
_FOREIGN = bytes(set(range(256)) - set(_ALPHABET))
_FIRST = re.compile(rb"[\r\n][\r\n \t]*:(?=[^\r\n]{20})")
_REPEAT = 0x90
_PIECE = 1024 * 1024
_REACH = 4096


class BinhexUnpacker:
    """Unpacks BinHex; a text that only has its first line gives nothing.

    The data fork comes under the file's name, the resource fork with `/rsrc` behind it.
    """

    types = frozenset({"BINHEX"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        data = narrow(data)
        at, position = 0, 1
        while (mark := data.find(BINHEX_MARK, at)) >= 0:
            budget.check_time()
            first = _FIRST.search(data, mark, mark + _REACH)
            if first is None:
                at = mark + len(BINHEX_MARK)
                continue
            at = data.find(b":", first.end())
            end = len(data) if at < 0 else at
            at = end
            for item in _file(data, first.end(), end, budget, position):
                position += 1
                yield item


def _file(
    data: bytes, start: int, end: int, budget: Budget, position: int
) -> Iterator[Member | Skipped]:
    reader = _Reader(_expanded(_decoded(data, start, end)))
    try:
        length = reader.read(1)[0]
        name = reader.read(length).decode("mac_roman")
        head = reader.read(19)
        crc = int.from_bytes(reader.read(2), "big")
    except Interrupted as error:
        yield Skipped("", error.reason, str(error), position=position)
        return
    raw = bytes([length]) + name.encode("mac_roman") + head
    notes = [] if binascii.crc_hqx(raw, 0) == crc else ["the header's CRC does not match"]
    sizes = (int.from_bytes(head[11:15], "big"), int.from_bytes(head[15:19], "big"))
    for size, suffix in zip(sizes, ("", "/rsrc"), strict=True):
        if not size and suffix:
            return
        budget.charge_file()
        taken = take(_fork(reader, size, notes), budget)
        meta = Meta(name + suffix, size, len(taken.data), position)
        yield from report(meta, taken, notes)
        if taken.reason is not None:
            return
        position += 1


def _fork(reader: _Reader, size: int, notes: list[str]) -> Iterator[bytes]:
    """A fork and its check value, which need not fit."""
    crc = 0
    left = size
    while left:
        chunk = reader.read(min(left, OUTPUT_CHUNK), short=True)
        crc = binascii.crc_hqx(chunk, crc)
        left -= len(chunk)
        yield chunk
    stated = reader.read(2)
    if int.from_bytes(stated, "big") != crc:
        notes.append("CRC does not match")


class _Reader:
    """Bytes by number out of chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""

    def read(self, count: int, *, short: bool = False) -> bytes:
        """Exactly so many bytes; with `short` at least one and at most so many.

        Raises:
            Interrupted: there are fewer.
        """
        while len(self._held) < count and not (short and self._held):
            chunk = next(self._chunks, None)
            if chunk is None:
                raise Interrupted(Reason.DAMAGED, "truncated")
            self._held += chunk
        out, self._held = self._held[:count], self._held[count:]
        return out


def _decoded(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """The bytes behind the characters, still with their repeats packed."""
    rest = b""
    for at in range(start, end, _PIECE):
        characters = rest + data[at : min(at + _PIECE, end)].translate(None, _FOREIGN)
        whole = len(characters) & ~3
        yield binascii.a2b_base64(characters[:whole].translate(_TO_BASE64))
        rest = characters[whole:]
    if len(rest) > 1:
        yield binascii.a2b_base64(rest.translate(_TO_BASE64) + b"=" * (4 - len(rest)))


def _expanded(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Write repeats out: 90 and a count repeat the byte before; 90 00 is a byte 90."""
    last = b"\0"
    pending = False
    for chunk in chunks:
        out = bytearray()
        at = 0
        while at < len(chunk):
            if pending:
                count = chunk[at]
                at += 1
                pending = False
                if count:
                    out += last * (count - 1)
                else:
                    last = b"\x90"
                    out += last
                if len(out) > OUTPUT_CHUNK:
                    yield bytes(out)
                    out.clear()
                continue
            mark = chunk.find(_REPEAT, at)
            stop = len(chunk) if mark < 0 else mark
            if stop > at:
                out += chunk[at:stop]
                last = chunk[stop - 1 : stop]
            pending = mark >= 0
            at = stop + 1
        yield bytes(out)


UNPACKER = BinhexUnpacker()

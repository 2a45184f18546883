"""uuencoded data, in a file of its own or inside text.

Lines of full length are decoded together by way of base64, whose alphabet differs only in
its characters; others one by one, with blanks put back that transport took away.

Source: POSIX.1-2017 `uuencode`.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

from tocsin.formats.text_kinds import UU_BEGIN, narrow, uu_margin
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.mail_transfer import base64_chunks
from tocsin.unpack.mail_words import text_of
from tocsin.unpack.stream import Interrupted, Meta, report, take

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TO_BASE64 = bytes(_BASE64[(byte - 32) & 63] for byte in range(256))
_CHARACTERS = bytes(range(32, 97))
_FULL_LINES = re.compile(rb"(?:M[ -`]{60}(?:\r\n|\n|\r)){1,8192}")
_LINE = re.compile(rb"([^\r\n]*)(?:\r\n|\n|\r|\Z)")
_END_BASE64 = re.compile(rb"^====", re.MULTILINE)
_LONGEST_LINE = 200
_LINES_BETWEEN = 512


class Block(NamedTuple):
    """One encoded file.

    Attributes:
        name: its name.
        begin: where its first line begins.
        start: where its data begin.
        in_base64: whether it is `begin-base64`.
    """

    name: str
    begin: int
    start: int
    in_base64: bool


def find_block(data: bytes, start: int, end: int) -> Block | None:
    """The next block whose first line of data fits what a line must be."""
    while True:
        match = UU_BEGIN.search(data, start, end)
        if match is None:
            return None
        in_base64 = match[1] is not None
        name = text_of(match[2].strip())
        if in_base64 or _line_length(data, match.end(), end) >= 0:
            return Block(name, match.start(), match.end(), in_base64)
        start = match.end()


def _line_length(data: bytes, at: int, end: int) -> int:
    """Number of bytes that a line of data says it holds; -1 when it is no such line."""
    line = _LINE.match(data, at, min(end, at + _LONGEST_LINE))
    if line is None or not line[1]:
        return -1
    text = line[1]
    count = (text[0] - 32) & 63
    needed = (count + 2) // 3 * 4
    if not 32 <= text[0] <= 96 or len(text) - 1 > needed + 4:
        return -1
    return count if not text[1 : 1 + needed].rstrip().translate(None, _CHARACTERS) else -1


def block_chunks(data: bytes, block: Block, end: int) -> Generator[bytes, None, int]:
    """Decode a block.

    Yields:
        Its bytes.

    Returns:
        Where the block ends.

    Raises:
        Interrupted: it ends before its end.
    """
    if block.in_base64:
        stop = _END_BASE64.search(data, block.start, end)
        until = end if stop is None else stop.start()
        yield from base64_chunks(data, block.start, until)
        return end if stop is None else stop.end()
    at = block.start
    out: list[bytes] = []
    while at < end:
        full = _FULL_LINES.match(data, at, end)
        if full is not None:
            yield b"".join(out)
            out.clear()
            yield _decode_full(full[0])
            at = full.end()
            continue
        count = _line_length(data, at, end)
        line = _LINE.match(data, at, min(end, at + _LONGEST_LINE))
        if count <= 0 or line is None:
            yield b"".join(out)
            return _end_of_block(data, at, end)
        out.append(_decode_line(line[1], count))
        if len(out) == _LINES_BETWEEN:
            yield b"".join(out)
            out.clear()
        at = line.end()
    yield b"".join(out)
    raise Interrupted(Reason.DAMAGED, "truncated: its last line is missing")


def _end_of_block(data: bytes, at: int, end: int) -> int:
    """The place behind the empty line of data and `end`.

    Raises:
        Interrupted: something else stands there.
    """
    line = _LINE.match(data, at, min(end, at + _LONGEST_LINE))
    text = b"" if line is None else line[1].strip()
    if line is not None and text in (b"", b"`"):
        at = line.end()
        line = _LINE.match(data, at, min(end, at + _LONGEST_LINE))
        text = b"" if line is None else line[1].strip()
    if line is not None and (text == b"end" or (line.end() == end and b"end".startswith(text))):
        return line.end()
    if not text:
        return at
    raise Interrupted(Reason.DAMAGED, "a line of it is damaged")


def _decode_full(lines: bytes) -> bytes:
    """Lines that hold 45 bytes each, of printable characters only."""
    lines = lines.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return binascii.a2b_base64(lines[1:-1].replace(b"\nM", b"").translate(_TO_BASE64))


def _decode_line(text: bytes, count: int) -> bytes:
    needed = (count + 2) // 3 * 4
    characters = text[1 : 1 + needed].ljust(needed).translate(_TO_BASE64)
    return binascii.a2b_base64(characters)[:count]


def blocks(
    data: bytes, start: int, end: int, budget: Budget, first: int = 1, name: str = ""
) -> Generator[Member | Skipped, None, list[tuple[int, int]]]:
    """Take out every block of a text.

    Args:
        data: the text.
        start: where to begin.
        end: where to stop.
        budget: what is charged.
        first: position of the first member.
        name: what the first is called where something else says so than its first line.

    Returns:
        Where the blocks begin and end.

    Raises:
        LimitReached: a bound of the whole tree was hit.
    """
    places: list[tuple[int, int]] = []
    at = start
    while (block := find_block(data, at, end)) is not None:
        budget.check_time()
        budget.charge_file()
        chunks = _Ended(block_chunks(data, block, end))
        taken = take(chunks, budget)
        at = max(chunks.end, block.start)
        places.append((block.begin, at))
        position = first + len(places) - 1
        label = (name if len(places) == 1 else "") or block.name
        meta = Meta(label, packed_size=len(taken.data), position=position)
        yield from report(meta, taken)
    return places


class _Ended:
    """Chunks, and where their source ended; 0 when it did not say."""

    def __init__(self, chunks: Generator[bytes, None, int]) -> None:
        self._chunks = chunks
        self.end = 0

    def __iter__(self) -> Iterator[bytes]:
        self.end = yield from self._chunks


class UuencodeUnpacker:
    """Unpacks uuencoded blocks, one after the other; a text without any gives nothing."""

    types = frozenset({"UUENCODED"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        data = narrow(data)
        margin = b"" if UU_BEGIN.search(data) else uu_margin(data)
        if margin:
            data = data.replace(b"\n" + margin, b"\n").replace(b"\r" + margin, b"\r")
            data = data.removeprefix(margin)
        yield from blocks(data, 0, len(data), budget)


UNPACKER = UuencodeUnpacker()

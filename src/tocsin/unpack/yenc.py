"""yEnc: binary data in news articles, one byte a character.

Parts of one file that follow one another in the same text are joined; a part alone is a
fragment, and is handed on as such.

Source: yEnc draft 1.3 (yenc.org).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tocsin.formats.text_kinds import narrow
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.mail_words import text_of
from tocsin.unpack.stream import Interrupted, Meta, report, take

_BEGIN = re.compile(rb"=ybegin(?<![^\r\n]=ybegin) ([^\r\n]{1,2000})(?:\r\n|\n|\r)")
_PART = re.compile(rb"=ypart ([^\r\n]{1,1000})(?:\r\n|\n|\r)")
_END = re.compile(rb"=yend(?<=[\r\n]=yend)([^\r\n]{0,1000})")
_NUMBER = re.compile(rb"\b(size|part|total|begin|end|p?crc32)=([0-9a-fA-F]{1,16})")
_NAME = re.compile(rb" name=(.*)$", re.DOTALL)
_ESCAPED = re.compile(rb"=(.)", re.DOTALL)

_SHIFTED = bytes((byte - 42) & 255 for byte in range(256))
_PLACEHOLDERS = tuple(bytes([(byte - 64) & 255]) for byte in range(256))
_PIECE = 256 * 1024


class _Part(NamedTuple):
    """One part: what is stated, and where its characters are."""

    name: str
    numbers: dict[bytes, bytes]
    start: int
    end: int
    ended: bool

    def number(self, key: bytes) -> int:
        """A number that is stated; 0 when it is not, or is none."""
        text = self.numbers.get(key, b"")
        return int(text) if text.isdigit() else 0


class YencUnpacker:
    """Unpacks yEnc; a text that only speaks of it gives nothing."""

    types = frozenset({"YENC"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        data = narrow(data)
        for position, file in enumerate(_files(data, budget), 1):
            budget.charge_file()
            file_size = file[0].number(b"size")
            notes: list[str] = []
            taken = take(_chunks(data, file, notes), budget)
            meta = Meta(file[0].name, file_size, len(taken.data), position)
            yield from report(meta, taken, notes)


def _files(data: bytes, budget: Budget) -> Iterator[list[_Part]]:
    """The files of a text, each as its parts."""
    file: list[_Part] = []
    at = 0
    while (part := _next_part(data, at)) is not None:
        budget.check_time()
        at = part.end
        if file and not _goes_on(file[-1], part):
            yield file
            file = []
        file.append(part)
    if file:
        yield file


def _goes_on(before: _Part, part: _Part) -> bool:
    return part.name == before.name and part.number(b"begin") == before.number(b"end") + 1 > 1


def _next_part(data: bytes, at: int) -> _Part | None:
    begin = _BEGIN.search(data, at)
    if begin is None:
        return None
    numbers = dict(_NUMBER.findall(begin[1].partition(b" name=")[0]))
    name = _NAME.search(begin[1])
    start = begin.end()
    part = _PART.match(data, start)
    if part is not None:
        numbers.update(_NUMBER.findall(part[1]))
        start = part.end()
    following = _BEGIN.search(data, start)
    stop = len(data) if following is None else following.start()
    end = _END.search(data, start, stop)
    if end is not None:
        stop = end.start()
        stated = dict(_NUMBER.findall(end[1]))
        stated.pop(b"size", None)
        stated.pop(b"part", None)
        numbers.update(stated)
    label = text_of(name[1].strip()) if name is not None else ""
    return _Part(label, numbers, start, stop, end is not None)


def _chunks(data: bytes, file: list[_Part], notes: list[str]) -> Iterator[bytes]:
    """Decode the parts of a file.

    Raises:
        Interrupted: something of the file is missing; what is there has been yielded.
    """
    written = 0
    for part in file:
        crc = 0
        for chunk in _decode(data, part.start, part.end):
            crc = zlib.crc32(chunk, crc)
            written += len(chunk)
            yield chunk
        key = b"pcrc32" if b"pcrc32" in part.numbers else b"crc32"
        if key in part.numbers and (key == b"pcrc32" or len(file) == 1):
            stated = int(part.numbers[key], 16)
            whole = not part.number(b"part") or key == b"pcrc32"
            if whole and stated != crc and not notes:
                notes.append("CRC-32 does not match")
    last = file[-1]
    if not last.ended:
        raise Interrupted(Reason.DAMAGED, "truncated")
    if file[0].number(b"begin") > 1 or last.number(b"end") < last.number(b"size"):
        if last.number(b"begin"):
            number, total = last.number(b"part"), last.number(b"total")
            detail = f"a fragment of a file (part {number} of {total or 'several'})"
            raise Interrupted(Reason.UNSUPPORTED, detail)
    elif written < last.number(b"size"):
        raise Interrupted(Reason.DAMAGED, f"{written} of {last.number(b'size')} bytes")


def _decode(data: bytes, start: int, end: int) -> Iterator[bytes]:
    at = start
    while at < end:
        stop = min(at + _PIECE, end)
        while stop < end and data[stop - 1] == 0x3D:
            stop += 1
        piece = data[at:stop].translate(None, b"\r\n")
        if b"=" in piece:
            piece = _ESCAPED.sub(lambda match: _PLACEHOLDERS[match[1][0]], piece)
        yield piece.translate(_SHIFTED)
        at = stop


UNPACKER = YencUnpacker()

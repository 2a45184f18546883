"""ClamAV's differences: from the members of one version of a database to those of the next.

A `.cdiff` is `ClamAV-Diff:VERSION:LENGTH:`, a gzipped script of LENGTH bytes, a colon, and an
RSASSA-PSS signature over everything before that colon. The script edits text files by lines:

    OPEN FILE           the file that the commands up to CLOSE are about
    ADD LINE            a line at its end
    DEL N START         take out line N, which begins with START
    XCHG N START LINE   put LINE in the place of line N, which begins with START
    CLOSE               carry that out; N counts the lines as they were at OPEN
    MOVE FROM TO N START M START   lines N to M of one file to the end of another
    UNLINK FILE         remove a file

Files are read and written a piece at a time, in a folder that belongs to the caller alone; of
the commands up to CLOSE no more is kept than where they stand in the script.

Source: ClamAV's manual, "CVD and CLD"; what `sigtool --run-cdiff` of ClamAV 1.4.6 does.
"""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tocsin.signatures.clamav.cvd import CDIFF_KEY, PublicKey, pss_digest_valid
from tocsin.signatures.clamav.numbers import is_number
from tocsin.updates.sources.errors import DifferenceError

MAGIC = b"ClamAV-Diff:"
LARGEST_SCRIPT = 1 << 28
"""Bytes of a script; the largest known are of some 30 MB."""
LARGEST_RESULT = 1 << 31
"""Bytes of all members together after a difference."""
_SIGNATURE_ROOM = 700
"""Bytes at the end within which the signature begins; one of 2,048 bits has 342."""
_PIECE = 1 << 18
_NAME = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9._]{0,99}\Z")
_HEADER = re.compile(rb"ClamAV-Diff:(\d{1,9}):(\d{1,10}):")


def is_member_name(name: str) -> bool:
    """Whether a file of a database may have this name, in a folder among the others."""
    encoded = name.encode("utf-8", "surrogateescape")
    return bool(_NAME.match(encoded)) and ".." not in name


def read_cdiff(
    data: BinaryIO, script: BinaryIO, name: str, *, key: PublicKey | None = CDIFF_KEY
) -> int:
    """Check the signature of a `.cdiff` and unpack its script.

    Args:
        data: the whole file.
        script: where the commands are written.
        name: for messages.
        key: whose signature it must bear; None where a detached one was checked already.

    Returns:
        The version of the database that it makes.

    Raises:
        DifferenceError: not a difference, damaged, too large, or not signed by this key.
    """
    size = data.seek(0, os.SEEK_END)
    data.seek(0)
    header = _HEADER.match(data.read(64))
    if header is None:
        raise DifferenceError(f"{name}: not a ClamAV difference (no ClamAV-Diff header)")
    begin = max(header.end(), size - _SIGNATURE_ROOM)
    data.seek(begin)
    end = data.read()
    place = end.rfind(b":")
    if place < 0:
        raise DifferenceError(f"{name}: there is no signature at its end")
    signature = end[place + 1 :].decode("latin-1").strip()
    data.seek(0)
    digest = hashlib.sha256()
    for piece in _pieces(data, begin + place):
        digest.update(piece)
    if key and not pss_digest_valid(digest.digest(), signature, key):
        raise DifferenceError(f"{name}: the digital signature is not ClamAV's")
    data.seek(header.end())
    _inflate(_pieces(data, begin + place - header.end()), script, int(header[2]), name)
    return int(header[1])


def _inflate(packed: Iterator[bytes], script: BinaryIO, length: int, name: str) -> None:
    if length > LARGEST_SCRIPT:
        raise DifferenceError(f"{name}: a script of {length:,} bytes; none is that large")
    unpacker = zlib.decompressobj(wbits=31)
    size = 0
    try:
        for piece in packed:
            while piece and size <= length:
                plain = unpacker.decompress(piece, min(_PIECE, length + 1 - size))
                size += len(plain)
                script.write(plain)
                piece = unpacker.unconsumed_tail
    except zlib.error as error:
        raise DifferenceError(f"{name}: the script does not unpack: {error}") from None
    if size != length or not unpacker.eof:
        raise DifferenceError(f"{name}: the script has not the {length:,} bytes that it states")


def apply_script(folder: Path, script: BinaryIO, name: str = "script") -> None:
    """Carry a script out on the files of a folder.

    Args:
        folder: the files of the database by name, and nothing else; when this raises, some of
            them have been changed and some have not, and it is of no more use.
        script: the commands, one a line.
        name: for messages.

    Raises:
        DifferenceError: a command is malformed or does not fit these files.
        OSError: a file cannot be read or written.
    """
    work = _Work(folder, script)
    script.seek(0)
    number = place = 0
    for number, line in enumerate(script, 1):
        try:
            if not line.endswith(b"\n"):
                raise DifferenceError("the command does not end; the script is truncated")
            if not line.startswith(b"#"):
                command, _, rest = line[:-1].partition(b" ")
                work.carry_out(command, rest, place)
                if command == b"CLOSE":
                    script.seek(place + len(line))
        except DifferenceError as error:
            raise DifferenceError(f"{name}:{number}: {error}") from None
        place += len(line)
    if work.opened is not None:
        raise DifferenceError(f"{name}: ends before {work.opened} is closed; it is truncated")


class _Work:
    """The files while a script runs.

    Attributes:
        opened: the file that is open, or None.
    """

    def __init__(self, folder: Path, script: BinaryIO) -> None:
        self.opened: str | None = None
        self._folder = folder
        self._script = script
        self._edited = array("Q")  # numbers of lines
        self._edits = array("Q")  # and where in the script it is said what becomes of each
        self._added = array("Q")  # where in the script lines are added
        self._size = sum(path.stat().st_size for path in folder.iterdir())

    def carry_out(self, command: bytes, rest: bytes, place: int) -> None:
        """Carry one command out.

        Args:
            command: its first word.
            rest: what follows it.
            place: where it begins in the script.
        """
        if command in (b"ADD", b"DEL", b"XCHG", b"CLOSE"):
            if self.opened is None:
                raise DifferenceError(f"{command.decode()} without an open file")
        elif self.opened is not None:
            raise DifferenceError(f"{_shown(command)} while {self.opened} is open")
        if command == b"ADD":
            self._grow(len(rest) + 1)
            self._added.append(place)
        elif command in (b"DEL", b"XCHG"):
            edit = _edit(command, rest)
            self._grow(0 if edit.line is None else len(edit.line) + 1)
            self._edited.append(edit.number)
            self._edits.append(place)
        elif command == b"OPEN":
            self.opened = _member(rest)
        elif command == b"CLOSE":
            self._close()
        elif command == b"MOVE":
            self._move(rest)
        elif command == b"UNLINK":
            path = self._path(_member(rest.partition(b" ")[0]))
            self._size -= path.stat().st_size
            path.unlink()
        else:
            raise DifferenceError(f"there is no command {_shown(command)}")

    def _grow(self, by: int) -> None:
        self._size += by
        if self._size > LARGEST_RESULT:
            raise DifferenceError(f"it makes more than {LARGEST_RESULT:,} bytes")

    def _close(self) -> None:
        name, self.opened = self.opened, None
        assert name is not None
        if self._edits:
            path = self._path(name)
            changed = _beside(path)
            with path.open("rb") as before, changed.open("wb") as after:
                _rewrite(before, after, self._said(), name)
            os.replace(changed, path)
        if self._added:
            with (self._folder / name).open("ab") as file:
                file.writelines(self._line(at).partition(b" ")[2] for at in self._added)
        for held in (self._edited, self._edits, self._added):
            del held[:]

    def _said(self) -> Iterator[_Edit]:
        """The edits in the order of lines; of two of one line the later."""
        order: range | list[int] = range(len(self._edits))
        if any(self._edited[n] <= self._edited[n - 1] for n in order[1:]):
            order = sorted(order, key=self._edited.__getitem__)
        for place, at in enumerate(order):
            after = order[place + 1] if place + 1 < len(order) else None
            if after is None or self._edited[after] != self._edited[at]:
                command, _, rest = self._line(self._edits[at])[:-1].partition(b" ")
                yield _edit(command, rest)

    def _line(self, place: int) -> bytes:
        self._script.seek(place)
        return self._script.readline()

    def _move(self, rest: bytes) -> None:
        fields = _fields(rest, 6, b"MOVE")
        source, target = _member(fields[0]), _member(fields[1])
        first, last = _number(fields[2]), _number(fields[4])
        path, onto = self._path(source), self._path(target)
        if source == target or last <= first:
            raise DifferenceError("MOVE within one file, or of lines in no order")
        with path.open("rb") as file:
            begin, end = _place(file, first, fields[3]), _place(file, last, fields[5])
            if begin is None or end is None:
                raise DifferenceError(f"the lines to move are not where they should be in {source}")
            file.seek(end)
            until = end + len(file.readline())
            changed = _beside(path)
            with changed.open("wb") as kept, onto.open("ab") as moved:
                file.seek(0)
                kept.writelines(_pieces(file, begin))
                moved.writelines(_pieces(file, until - begin))
                kept.writelines(_pieces(file, None))
        os.replace(changed, path)

    def _path(self, name: str) -> Path:
        path = self._folder / name
        if not path.is_file():
            raise DifferenceError(f"there is no file {name} in the database")
        return path


class _Edit(NamedTuple):
    """What becomes of one line; `line` None takes it out."""

    number: int
    start: bytes
    line: bytes | None


def _edit(command: bytes, rest: bytes) -> _Edit:
    if command == b"DEL":
        place, start = _fields(rest, 2, command)[:2]
        return _Edit(_number(place), start, None)
    place, start, line = _fields(rest, 3, command, last_whole=True)
    return _Edit(_number(place), start, line)


def _rewrite(before: BinaryIO, after: BinaryIO, edits: Iterator[_Edit], name: str) -> None:
    """Write a file with some of its lines taken out or replaced."""
    if before.seek(0, os.SEEK_END):
        before.seek(-1, os.SEEK_END)
        if before.read(1) != b"\n":
            raise DifferenceError(f"the last line of {name} does not end")
    before.seek(0)
    edit = next(edits, None)
    number = 1  # of the first line of the block
    while edit is not None and (lines := before.readlines(_PIECE)):
        end = number + len(lines)
        while edit is not None and edit.number < end:
            held = lines[edit.number - number]
            if not held[:-1].startswith(edit.start):
                raise DifferenceError(f"line {edit.number} of {name} is not what it should be")
            lines[edit.number - number] = b"" if edit.line is None else edit.line + b"\n"
            edit = next(edits, None)
        after.writelines(lines)
        number = end
    if edit is not None:
        raise DifferenceError(f"{name} has no line {edit.number}")
    after.writelines(_pieces(before, None))


def _place(file: BinaryIO, wanted: int, start: bytes) -> int | None:
    """Where a line begins that has this number and begins so; None when there is none."""
    file.seek(0)
    place, number = 0, 1
    while lines := file.readlines(_PIECE):
        if number + len(lines) > wanted:
            place += sum(map(len, lines[: wanted - number]))
            return place if lines[wanted - number].startswith(start) else None
        place += sum(map(len, lines))
        number += len(lines)
    return None


def _beside(path: Path) -> Path:
    """A name that no member has."""
    return path.with_name(f"{path.name}-")


def _pieces(file: BinaryIO, left: int | None) -> Iterator[bytes]:
    """So many bytes from where the file stands, or all that follow."""
    while left is None or left > 0:
        piece = file.read(_PIECE if left is None else min(left, _PIECE))
        if not piece:
            return
        left = None if left is None else left - len(piece)
        yield piece


def _fields(rest: bytes, count: int, command: bytes, *, last_whole: bool = False) -> list[bytes]:
    """The words of a command; `last_whole` lets the last of them hold blanks."""
    fields = rest.split(b" ", count - 1 if last_whole else -1)
    if len(fields) < count:
        raise DifferenceError(f"{command.decode()} needs {count} words")
    return fields


def _number(text: bytes) -> int:
    plain = text.decode("latin-1")
    if not is_number(plain) or len(plain) > 9 or int(plain) < 1:
        raise DifferenceError(f"{_shown(text)} is no number of a line")
    return int(plain)


def _member(name: bytes) -> str:
    if not _NAME.match(name) or b".." in name:
        raise DifferenceError(f"{_shown(name)} is no name of a database file")
    return name.decode("ascii")


def _shown(text: bytes) -> str:
    return repr(text[:40].decode("latin-1"))

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

Nothing here touches a disk: a script turns one mapping of names and bytes into another, or
raises and leaves the given one as it was.

Source: ClamAV's manual, "CVD and CLD"; what `sigtool --run-cdiff` of ClamAV 1.4.6 does.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tocsin.signatures.clamav.cvd import CDIFF_KEY, PublicKey, pss_valid
from tocsin.signatures.clamav.numbers import is_number
from tocsin.updates.sources.errors import DifferenceError

MAGIC = b"ClamAV-Diff:"
LARGEST_SCRIPT = 1 << 28
"""Bytes of a script; the largest known are of some 30 MB."""
LARGEST_RESULT = 1 << 31
"""Bytes of all members together after a difference."""
_SIGNATURE_ROOM = 700
"""Bytes at the end within which the signature begins; one of 2,048 bits has 342."""
_NAME = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9._]{0,99}\Z")
_HEADER = re.compile(rb"ClamAV-Diff:(\d{1,9}):(\d{1,10}):")


class Difference(NamedTuple):
    """A difference that was read and whose signature was checked.

    Attributes:
        version: of the database that it makes.
        script: the commands.
    """

    version: int
    script: bytes


class _Edit(NamedTuple):
    """What becomes of one line; `line` None takes it out."""

    start: bytes
    line: bytes | None


def read_cdiff(data: bytes, name: str, *, key: PublicKey | None = CDIFF_KEY) -> Difference:
    """Check the signature of a `.cdiff` and unpack its script.

    Args:
        data: the whole file.
        name: for messages.
        key: whose signature it must bear; None where a detached one was checked already.

    Raises:
        DifferenceError: not a difference, damaged, too large, or not signed by this key.
    """
    header = _HEADER.match(data)
    if header is None:
        raise DifferenceError(f"{name}: not a ClamAV difference (no ClamAV-Diff header)")
    colon = data.rfind(b":", max(header.end(), len(data) - _SIGNATURE_ROOM))
    if colon < 0:
        raise DifferenceError(f"{name}: there is no signature at its end")
    if key and not pss_valid(data[:colon], data[colon + 1 :].decode("latin-1").strip(), key):
        raise DifferenceError(f"{name}: the digital signature is not ClamAV's")
    length = int(header[2])
    return Difference(int(header[1]), _inflate(data[header.end() : colon], length, name))


def _inflate(packed: bytes, length: int, name: str) -> bytes:
    if length > LARGEST_SCRIPT:
        raise DifferenceError(f"{name}: a script of {length:,} bytes; none is that large")
    unpacker = zlib.decompressobj(wbits=31)
    try:
        script = unpacker.decompress(packed, length + 1)
    except zlib.error as error:
        raise DifferenceError(f"{name}: the script does not unpack: {error}") from None
    if len(script) != length or not unpacker.eof:
        raise DifferenceError(f"{name}: the script has not the {length:,} bytes that it states")
    return script


def apply_script(
    members: Mapping[str, bytes], script: bytes, name: str = "script"
) -> dict[str, bytes]:
    """Carry a script out.

    Args:
        members: files of the database by name; it is not changed.
        script: the commands, one a line.
        name: for messages.

    Returns:
        The files afterwards.

    Raises:
        DifferenceError: a command is malformed or does not fit these files.
    """
    work = _Work(dict(members))
    for number, line in enumerate(_lines(script), 1):
        if line.startswith(b"#"):
            continue
        command, _, rest = line.partition(b" ")
        try:
            work.carry_out(command, rest)
        except DifferenceError as error:
            raise DifferenceError(f"{name}:{number}: {error}") from None
    if work.opened is not None:
        raise DifferenceError(f"{name}: ends before {work.opened} is closed; it is truncated")
    return work.members


class _Work:
    """The files while a script runs.

    Attributes:
        members: as they are after the commands so far.
        opened: the file that is open, or None.
    """

    def __init__(self, members: dict[str, bytes]) -> None:
        self.members = members
        self.opened: str | None = None
        self._edits: dict[int, _Edit] = {}
        self._added: list[bytes] = []
        self._size = sum(map(len, members.values()))

    def carry_out(self, command: bytes, rest: bytes) -> None:
        """Carry one command out."""
        if command in (b"ADD", b"DEL", b"XCHG", b"CLOSE"):
            if self.opened is None:
                raise DifferenceError(f"{command.decode()} without an open file")
        elif self.opened is not None:
            raise DifferenceError(f"{_shown(command)} while {self.opened} is open")
        if command == b"ADD":
            self._grow(len(rest) + 1)
            self._added.append(rest)
        elif command == b"DEL":
            place, start = _fields(rest, 2, command)[:2]
            self._edits[_number(place)] = _Edit(start, None)
        elif command == b"XCHG":
            place, start, line = _fields(rest, 3, command, last_whole=True)
            self._grow(len(line) + 1)
            self._edits[_number(place)] = _Edit(start, line)
        elif command == b"OPEN":
            self.opened = _member(rest)
        elif command == b"CLOSE":
            self._close()
        elif command == b"MOVE":
            self._move(rest)
        elif command == b"UNLINK":
            self._unlink(_member(rest.partition(b" ")[0]))
        else:
            raise DifferenceError(f"there is no command {_shown(command)}")

    def _grow(self, by: int) -> None:
        self._size += by
        if self._size > LARGEST_RESULT:
            raise DifferenceError(f"it makes more than {LARGEST_RESULT:,} bytes")

    def _close(self) -> None:
        name, self.opened = self.opened, None
        assert name is not None
        edits, self._edits = sorted(self._edits.items()), {}
        added, self._added = self._added, []
        if edits:
            self.members[name] = _edited(self._member(name), edits, name)
        if added:
            self.members[name] = self.members.get(name, b"") + b"\n".join((*added, b""))

    def _unlink(self, name: str) -> None:
        self._size -= len(self._member(name))
        del self.members[name]

    def _move(self, rest: bytes) -> None:
        fields = _fields(rest, 6, b"MOVE")
        source, target = _member(fields[0]), _member(fields[1])
        first, last = _number(fields[2]), _number(fields[4])
        text, onto = self._member(source), self._member(target)
        if source == target or last <= first:
            raise DifferenceError("MOVE within one file, or of lines in no order")
        begin, end = _place(text, first, fields[3]), _place(text, last, fields[5])
        if begin is None or end is None:
            raise DifferenceError(f"the lines to move are not where they should be in {source}")
        until = _line_end(text, end)
        self.members[target] = onto + text[begin:until]
        self.members[source] = text[:begin] + text[until:]

    def _member(self, name: str) -> bytes:
        try:
            return self.members[name]
        except KeyError:
            raise DifferenceError(f"there is no file {name} in the database") from None


def _edited(text: bytes, edits: list[tuple[int, _Edit]], name: str) -> bytes:
    """A file with some of its lines taken out or replaced; edits in the order of lines."""
    if text and not text.endswith(b"\n"):
        raise DifferenceError(f"the last line of {name} does not end")
    pieces: list[bytes] = []
    kept, number, place = 0, 1, 0  # `place` is where line `number` begins
    for wanted, edit in edits:
        while number < wanted and place < len(text):
            place = text.index(b"\n", place) + 1
            number += 1
        if number != wanted or place >= len(text):
            raise DifferenceError(f"{name} has no line {wanted}")
        end = text.index(b"\n", place)
        if not text.startswith(edit.start, place, end):
            raise DifferenceError(f"line {wanted} of {name} is not what it should be")
        pieces.append(text[kept:place])
        if edit.line is not None:
            pieces.append(edit.line + b"\n")
        kept = place = end + 1
        number += 1
    pieces.append(text[kept:])
    return b"".join(pieces)


def _place(text: bytes, wanted: int, start: bytes) -> int | None:
    """Where a line begins that has this number and begins so; None when there is none."""
    place = 0
    for _ in range(wanted - 1):
        place = text.find(b"\n", place) + 1
        if place == 0:
            return None
    fits = (
        wanted >= 1 and place < len(text) and text.startswith(start, place, _line_end(text, place))
    )
    return place if fits else None


def _line_end(text: bytes, place: int) -> int:
    end = text.find(b"\n", place)
    return len(text) if end < 0 else end + 1


def _lines(script: bytes) -> Iterator[bytes]:
    """Lines without their ends, one after the other: a script may have millions."""
    place = 0
    while place < len(script):
        end = script.find(b"\n", place)
        if end < 0:
            raise DifferenceError("the last command does not end; the script is truncated")
        yield script[place:end]
        place = end + 1


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

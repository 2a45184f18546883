"""Programs, archives and installers that stand inside or behind other bytes.

All marks are looked for in two passes of Hyperscan, because this is asked of nearly every object;
what a mark promises is then checked by the headers at that place, so that a program that
merely knows a magic number is no find. Hyperscan is imported at the first call: programs that
do not scan do not pay for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from tocsin.formats.archives import BEHIND_PROGRAMS, is_cab, is_rar, is_sevenz
from tocsin.formats.elf_extent import elf_end
from tocsin.formats.installers import autoit_places, has_inno, has_pyinstaller, installshield_kind
from tocsin.formats.pe_extent import pe_extent

if TYPE_CHECKING:
    import hyperscan

_PE, _ELF, _RAR, _SEVEN_ZIP, _CAB, _AUTOIT, _PYINSTALLER, _INNO, _NSIS = range(9)
_MARKS = (
    b"PE\0\0",
    b"\x7fELF",
    b"Rar!\x1a\x07",
    b"7z\xbc\xaf\x27\x1c",
    b"MSCF\0\0\0\0",
    b"\xa3HK\xbe\x98lJ\xa9\x99LS\x0a\x86\xd6H\x7dAU3!EA0",
    b"MEI\x0c\x0b\x0a\x0b\x0e",
    b"Inno Setup Setup Data (",
    b"\xef\xbe\xad\xdeNullsoftInst",
)
_TOGETHER = 5
"""Marks in one search. Hyperscan compiles five literals in half a millisecond and finds them at
2 to 3 GB/s; nine take it a fifth of a second, which every worker would pay."""

_ARCHIVES = (_RAR, _SEVEN_ZIP, _CAB)

MOST_MARKS = 20_000
"""Marks that are looked at in one object; ordinary programs have a few."""

_PE_REACH = 1024
"""A program's headers begin so many bytes behind its first two letters at most; Windows
allows more, compilers use 64 to 512."""
_SEVEN_ZIP_HEADER = Struct("<6xBBIQQI")


class Hidden(NamedTuple):
    """An object inside another.

    Attributes:
        kind: what its headers say it is, in a word that can be part of a name.
        start: where it begins.
        end: where it ends, at the end of the object at the latest.
    """

    kind: str
    start: int
    end: int


class Marks(NamedTuple):
    """What one pass found.

    Attributes:
        places: mark and where it begins, in the order of positions.
        too_many: whether the pass was ended early.
    """

    places: list[tuple[int, int]]
    too_many: bool


@lru_cache(maxsize=1)
def _machines() -> tuple[tuple[hyperscan.Database, ...], type[Exception]]:
    import hyperscan

    machines = []
    for first in range(0, len(_MARKS), _TOGETHER):
        marks = _MARKS[first : first + _TOGETHER]
        machine = hyperscan.Database()
        machine.compile(
            expressions=[b"".join(b"\\x%02x" % byte for byte in mark) for mark in marks],
            ids=list(range(first, first + len(marks))),
            elements=len(marks),
            flags=[0] * len(marks),
        )
        machines.append(machine)
    return tuple(machines), hyperscan.error


def find_marks(data: bytes) -> Marks:
    """Look for all marks.

    Args:
        data: the object.
    """
    machines, error = _machines()
    places: list[tuple[int, int]] = []

    def found(number: int, _start: int, end: int, _flags: int, _context: object) -> bool:
        places.append((end - len(_MARKS[number]), number))
        return len(places) >= MOST_MARKS

    too_many = False
    for machine in machines:
        try:
            machine.scan(data, match_event_handler=found)
        except error:
            too_many = len(places) >= MOST_MARKS
            break
    return Marks([(number, start) for start, number in sorted(places)], too_many)


def hidden_objects(data: bytes, marks: Marks) -> Iterator[Hidden]:
    """The objects that marks stand for, without those inside one that was named before.

    Args:
        data: the object.
        marks: what `find_marks` found in it.
    """
    behind = 1
    is_program = data.startswith(b"MZ")
    for number, start in marks.places:
        if number == _PE:
            hidden = _program(data, start, behind)
        elif number == _ELF:
            hidden = _elf(data, start)
        elif number in _ARCHIVES and not is_program:
            hidden = _archive(data, number, start)
        else:
            continue
        if hidden is not None and hidden.start >= behind:
            yield hidden
            behind = hidden.end


def _program(data: bytes, headers: int, first: int) -> Hidden | None:
    """The program whose headers stand at a place: the last `MZ` before it that points there."""
    lowest = max(first, headers - _PE_REACH)
    start = data.rfind(b"MZ", lowest, headers)
    while start >= 0:
        if data[start + 60 : start + 64] == (headers - start).to_bytes(4, "little"):
            extent = pe_extent(data, start)
            return None if extent is None else Hidden("pe", start, min(extent.end, len(data)))
        start = data.rfind(b"MZ", lowest, start)
    return None


def _elf(data: bytes, start: int) -> Hidden | None:
    end = elf_end(data, start)
    return None if end is None else Hidden("elf", start, min(end, len(data)))


def _archive(data: bytes, number: int, start: int) -> Hidden | None:
    """An archive whose first header fits its check value or its own sizes."""
    if number == _RAR:
        return Hidden("rar", start, len(data)) if is_rar(data, start) else None
    if number == _SEVEN_ZIP:
        if not is_sevenz(data, start):
            return None
        _, _, _, offset, size, _ = _SEVEN_ZIP_HEADER.unpack_from(data, start)
        return Hidden("7z", start, min(start + 32 + offset + size, len(data)))
    if not is_cab(data, start):
        return None
    size = int.from_bytes(data[start + 8 : start + 12], "little")
    return Hidden("cab", start, min(start + size, len(data)))


_MARK_OF = {"7ZSFX": _SEVEN_ZIP, "RARSFX": _RAR, "CABSFX": _CAB, "NULSFT": _NSIS}
"""The mark without which a kind of archive need not be looked for in a program."""


def _behind_program(data: bytes, numbers: set[int]) -> Iterator[str]:
    for kind, places in BEHIND_PROGRAMS.items():
        if kind in _MARK_OF and _MARK_OF[kind] not in numbers:
            continue
        if next(places(data), None) is not None:
            yield kind


def find_hidden(data: bytes) -> Iterator[str]:
    """Kinds of ours that an object is by what it has inside or behind it.

    Args:
        data: the object.
    """
    marks = find_marks(data)
    numbers = {number for number, _ in marks.places}
    if _AUTOIT in numbers and next(autoit_places(data), None) is not None:
        yield "AUTOIT"
    if _PYINSTALLER in numbers and has_pyinstaller(data):
        yield "PYINSTALLER"
    if data.startswith(b"MZ"):
        yield from _behind_program(data, numbers)
        if _INNO in numbers and has_inno(data):
            yield "INNO"
        if (kind := installshield_kind(data)) is not None:
            yield kind
    if marks.too_many or next(hidden_objects(data, marks), None) is not None:
        yield "EMBEDDED"

"""ELF programs: package notes, the libraries they need, words in notes, comments and strings.

Source: System V ABI, chapters 4 (sections, notes) and 5 (program header, dynamic section);
systemd, "Package Metadata for Executable Files" (`.note.package`, type 0xcafe1a7e).
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

import msgspec

from tocsin.audit.model import Trace
from tocsin.audit.programs.facts import Facts, trace
from tocsin.audit.programs.words import Words
from tocsin.errors import FormatError
from tocsin.jurisdiction.vocabulary import MarkerKind

_PT_DYNAMIC, _PT_NOTE = 2, 4
_SHT_NOTE = 7
_DT_NEEDED, _DT_STRTAB, _DT_SONAME = 1, 5, 14
_PACKAGE_NOTE = 0xCAFE1A7E
_MOST_ROWS = 10_000
_MOST_NOTES = 1_000
_MOST_NEEDED = 100
_LONGEST_NOTE = 64 << 10


class _Part(NamedTuple):
    """A section or a segment: kind, name (sections alone), place in the file, address."""

    kind: int
    name: str
    start: int
    end: int
    address: int


class _Elf:
    """The headers of a file.

    Raises:
        FormatError: there are none.
    """

    def __init__(self, data: bytes) -> None:
        if data[:4] != b"\x7fELF" or len(data) < 52 or data[4] not in (1, 2):
            raise FormatError("not an ELF file")
        self.data = data
        self.wide = data[4] == 2
        self.order = "<" if data[5] != 2 else ">"
        header = Struct(self.order + ("QQ4xHHHHHH" if self.wide else "II4xHHHHHH"))
        at = 32 if self.wide else 28
        if at + header.size > len(data):
            raise FormatError("ELF: its header is cut off")
        (phoff, shoff, _, phsize, phnum, shsize, shnum, self._names) = header.unpack_from(data, at)
        self.segments = list(self._segments(phoff, phsize, phnum))
        self.sections = list(self._sections(shoff, shsize, shnum))

    def _segments(self, at: int, size: int, count: int) -> Iterator[_Part]:
        row = Struct(self.order + ("I4xQQ8xQ" if self.wide else "III4xI"))
        for place in range(at, at + size * count, size or 1):
            if size < row.size or place + row.size > len(self.data):
                return
            kind, start, address, length = row.unpack_from(self.data, place)
            yield _Part(kind, "", start, min(start + length, len(self.data)), address)

    def _sections(self, at: int, size: int, count: int) -> Iterator[_Part]:
        row = Struct(self.order + ("II8xQQQ" if self.wide else "II4xIII"))
        rows = []
        for place in range(at, at + size * min(count, _MOST_ROWS), size or 1):
            if size < row.size or place + row.size > len(self.data):
                break
            rows.append(row.unpack_from(self.data, place))
        names = rows[self._names] if self._names < len(rows) else None
        for name, kind, address, start, length in rows:
            title = self.string(names[3] + name) if names else ""
            if kind != 8:  # SHT_NOBITS takes no room in the file
                yield _Part(kind, title, start, min(start + length, len(self.data)), address)

    def string(self, at: int, longest: int = 300) -> str:
        """Text up to its NUL."""
        return self.data[at : at + longest].partition(b"\0")[0].decode("utf-8", "replace")

    def notes(self) -> Iterator[tuple[str, int, bytes]]:
        """Owner, type and content of each note, once."""
        seen: set[int] = set()
        parts = [each for each in self.sections if each.kind == _SHT_NOTE]
        parts += [each for each in self.segments if each.kind == _PT_NOTE]
        for part in parts:
            at = part.start
            while at + 12 <= part.end and at not in seen and len(seen) < _MOST_NOTES:
                seen.add(at)
                name, size, kind = Struct(self.order + "III").unpack_from(self.data, at)
                start = at + 12 + (name + 3 & ~3)
                if start + size > part.end:
                    break
                owner = self.data[at + 12 : at + 12 + min(name, 64)].rstrip(b"\0")
                yield owner.decode("latin-1"), kind, self.data[start : start + size]
                at = start + (size + 3 & ~3)

    def dynamic(self) -> tuple[str, list[str]]:
        """The name that a library gives itself, and those of the libraries it needs."""
        row = Struct(self.order + ("qQ" if self.wide else "iI"))
        entries: list[tuple[int, int]] = []
        part = next((each for each in self.segments if each.kind == _PT_DYNAMIC), None)
        if part is not None:
            end = min(part.end, part.start + _MOST_ROWS * row.size)
            places = range(part.start, end - row.size + 1, row.size)
            entries = [row.unpack_from(self.data, at) for at in places]
        table = next((value for tag, value in entries if tag == _DT_STRTAB), None)
        base = None if table is None else self._offset(table)
        if base is None:
            return "", []
        needed = [value for tag, value in entries if tag == _DT_NEEDED][:_MOST_NEEDED]
        own = next((value for tag, value in entries if tag == _DT_SONAME), None)
        return (
            "" if own is None else self.string(base + own),
            [self.string(base + value) for value in needed],
        )

    def _offset(self, address: int) -> int | None:
        for part in self.segments:
            if part.kind == 1 and part.address <= address < part.address + part.end - part.start:
                return part.start + address - part.address
        return None

    def where(self, at: int) -> str:
        """In words what stands at a place."""
        for part in self.sections:
            if part.start <= at < part.end and part.name:
                return f"{'note' if part.kind == _SHT_NOTE else 'text'} in section {part.name}"
        return "text outside of all sections"


def read_elf(data: bytes, words: Words) -> Facts:
    """Read a program or library.

    Args:
        data: the whole file.
        words: what to look for in its strings.

    Raises:
        FormatError: it has no headers.
    """
    elf = _Elf(data)
    soname, needed = elf.dynamic()
    name, version = soname, ""
    traces: list[Trace] = []
    trouble: list[str] = []
    for owner, kind, content in elf.notes():
        if kind != _PACKAGE_NOTE or owner != "FDO":
            continue
        fields = _package(content)
        if fields is None:
            trouble.append("its package note cannot be read")
            continue
        name, version = fields.get("name", "") or name, fields.get("version", "")
        traces += _package_traces(fields)
    for library in needed:
        traces += trace(MarkerKind.TEXT, library, "library that it needs (DT_NEEDED)")
    traces += words.traces(data, elf.where)
    return Facts("program", name, version, tuple(traces), trouble=tuple(trouble))


def _package(content: bytes) -> dict[str, str] | None:
    if len(content) > _LONGEST_NOTE:
        return None
    try:
        fields = msgspec.json.decode(content.rstrip(b"\0"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    return {str(key): value for key, value in fields.items() if isinstance(value, str)}


def _package_traces(fields: dict[str, str]) -> Iterator[Trace]:
    kind, name = fields.get("type", ""), fields.get("name", "")
    if kind and name:
        yield from trace(MarkerKind.PACKAGE, f"{kind}:{name}", "package note (.note.package)")
    vendor = fields.get("osCpe", "").split(":")
    if len(vendor) > 2:
        at = 3 if vendor[1] == "2.3" else 2
        yield from trace(MarkerKind.CPE_VENDOR, "".join(vendor[at : at + 1]), "package note: osCpe")
    for key in ("vendor", "maintainer"):
        yield from trace(MarkerKind.SUPPLIER_NAME, fields.get(key, ""), f"package note: {key}")

"""Excel 4 macros of a workbook in a compound file, written out as text.

A line a cell that holds a formula or a value, as a person would see it in Excel, for macros
are looked for by their words. Sheets that are hidden, and names that start macros by
themselves, stand in the text too.

Source: MS-XLS 2.4; BIFF5 by measurement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from struct import Struct, iter_unpack

from tocsin.unpack.interface import Item, Remark, Trait
from tocsin.unpack.parts import Parts
from tocsin.unpack.xlm_formula import Book, Version, cell_name, formula_text

_RECORD = Struct("<HH")
_CELL = Struct("<HH")

_BOF, _SHEET, _NAME, _FORMULA, _OTHER_SHEETS = 0x0809, 0x85, 0x18, 0x06, 0x17
_LABEL, _STRING, _NUMBER, _RK, _TEXT_IN_TABLE, _TABLE = 0x204, 0x207, 0x203, 0x27E, 0xFD, 0xFC
_WANTED = frozenset(
    {
        _BOF,
        _SHEET,
        _NAME,
        _FORMULA,
        _OTHER_SHEETS,
        _LABEL,
        _STRING,
        _NUMBER,
        _RK,
        _TEXT_IN_TABLE,
        _TABLE,
    }
)
_MACRO_SHEET_KIND = 1
_STATES = {0: "visible", 1: "hidden", 2: "very hidden"}
_BUILT_IN = {1: "Auto_Open", 2: "Auto_Close", 10: "Auto_Activate", 11: "Auto_Deactivate"}

_FORMULA_TOKENS = 22
"""Where the tokens of a formula record begin; their length stands before them."""

_MACRO_BOF = re.compile(rb"\x09\x08.{4}\x40\x00", re.DOTALL)
"""The record that begins a macro sheet, wherever it stands."""

_BETWEEN_CHECKS = 4096
_BATCH = 64 * 1024
"""Letters written out before they are handed on."""
_MOST_TEXTS = 100_000


def macros(data: bytes, name: str, parts: Parts) -> Iterator[Item]:
    """Hand out a workbook's macro sheets as one text.

    Args:
        data: the stream `Workbook` or `Book`, decrypted.
        name: its name.
        parts: hands out.
    """
    if _MACRO_BOF.search(data) is None:
        return
    yield Remark(Trait.MACROS, "Excel 4 macro sheet", name)
    chunks = _Workbook(data, parts).text()
    yield from parts.member(f"{name}/macros.txt", chunks, 0, type_name="TEXT_ASCII")


class _Workbook:
    """Goes through the records of a workbook once."""

    def __init__(self, data: bytes, parts: Parts) -> None:
        self._data = data
        self._parts = parts
        self._book = Book(Version.BIFF8)
        self._texts: list[str] = []
        self._sheets: dict[int, str] = {}

    def text(self) -> Iterator[bytes]:
        """The lines, in chunks of some records each."""
        lines: list[str] = []
        waiting = counted = 0
        sheet = ""
        for at, kind, body in self._records():
            if kind == _BOF:
                inside = body[2:4] == b"\x40\0"
                sheet = self._sheets.get(at, "macro") if inside else ""
            elif kind == _SHEET:
                self._sheet(body, lines)
            elif kind == _NAME:
                self._name(body, lines)
            elif kind == _OTHER_SHEETS and self._book.version is Version.BIFF8:
                count = min(int.from_bytes(body[:2], "little"), (len(body) - 2) // 6)
                self._book.links = [
                    number for _, number, _ in iter_unpack("<3H", body[2 : 2 + 6 * count])
                ]
            elif kind == _TABLE:
                self._texts = _table(body)
            elif sheet:
                line = self._cell(kind, body)
                if line:
                    lines.append(f"{sheet}!{line}")
            waiting += sum(map(len, lines[counted:]))
            counted = len(lines)
            if waiting > _BATCH:
                yield _encode(lines)
                lines, waiting, counted = [], 0, 0
        yield _encode(lines)

    def _records(self) -> Iterator[tuple[int, int, bytes]]:
        data, at, count = self._data, 0, 0
        while at + 4 <= len(data):
            kind, size = _RECORD.unpack_from(data, at)
            count += 1
            if count % _BETWEEN_CHECKS == 0:
                self._parts.budget.check_time()
            if kind in _WANTED:
                if kind == _BOF and not at and data[4:6] != b"\0\6":
                    self._book.version = Version.BIFF5
                yield at, kind, data[at + 4 : at + 4 + size]
            at += 4 + size

    def _text(self, body: bytes, at: int, count: int) -> str:
        """A text of so many characters that begins with its flags, or without them in BIFF5."""
        if self._book.version is Version.BIFF5:
            return body[at : at + count].decode("latin-1")
        if body[at : at + 1] == b"\1":
            return body[at + 1 : at + 1 + 2 * count].decode("utf-16-le", "replace")
        return body[at + 1 : at + 1 + count].decode("latin-1")

    def _sheet(self, body: bytes, lines: list[str]) -> None:
        if len(body) < 8:
            return
        name = self._text(body, 7, body[6])
        self._sheets[int.from_bytes(body[:4], "little")] = name
        self._book.sheets.append(name)
        if body[5] == _MACRO_SHEET_KIND:
            state = _STATES.get(body[4] & 3, "hidden")
            lines.append(f"' macro sheet {name}, {state}")

    def _name(self, body: bytes, lines: list[str]) -> None:
        if len(body) < 15:
            return
        size = int.from_bytes(body[4:6], "little")
        name = self._text(body, 14, body[3])
        if body[0] & 0x20 and len(name) == 1:
            name = _BUILT_IN.get(ord(name), f"built-in {ord(name)}")
        self._book.names.append(name)
        if body[0] & 0x20 or body[0] & 0x01 or name.lower().startswith("auto"):
            tokens = body[len(body) - size :] if size else b""
            shown = formula_text(tokens, self._book)
            hidden = " (hidden)" if body[0] & 1 else ""
            lines.append(f"' name {name}{hidden} ={shown}")

    def _cell(self, kind: int, body: bytes) -> str:
        if kind == _STRING:
            count = int.from_bytes(body[:2], "little")
            return f'value="{self._text(body, 2, count)}"'
        if len(body) < 10:
            return ""
        row, column = _CELL.unpack_from(body)
        place = cell_name(row, column)
        if kind == _FORMULA:
            size = int.from_bytes(body[20:22], "little")
            tokens = body[_FORMULA_TOKENS : _FORMULA_TOKENS + size]
            return f"{place}={formula_text(tokens, self._book)}"
        if kind == _LABEL:
            return f"{place} {self._text(body, 8, int.from_bytes(body[6:8], 'little'))}"
        if kind == _TEXT_IN_TABLE:
            number = int.from_bytes(body[6:10], "little")
            return f"{place} {self._texts[number]}" if number < len(self._texts) else ""
        if kind == _NUMBER and len(body) >= 14:
            return f"{place} {Struct('<d').unpack_from(body, 6)[0]:.15g}"
        if kind == _RK:
            return f"{place} {_small_number(int.from_bytes(body[6:10], 'little')):.15g}"
        return ""


def _small_number(packed: int) -> float:
    """A number in four bytes. Source: MS-XLS 2.5.217 (RkNumber)."""
    if packed & 2:
        value = float((packed >> 2) - (1 << 30 if packed >> 31 else 0))
    else:
        (value,) = Struct("<d").unpack(bytes(4) + (packed & 0xFFFFFFFC).to_bytes(4, "little"))
    return value / 100 if packed & 1 else value


def _table(body: bytes) -> list[str]:
    """Texts of the shared table, as far as they stand in its first record.

    Source: MS-XLS 2.4.265 (SST), 2.5.293.
    """
    texts: list[str] = []
    at = 8
    while at + 3 <= len(body) and len(texts) < _MOST_TEXTS:
        count = int.from_bytes(body[at : at + 2], "little")
        flags = body[at + 2]
        at += 3
        runs = extra = 0
        if flags & 8:
            runs = 4 * int.from_bytes(body[at : at + 2], "little")
            at += 2
        if flags & 4:
            extra = int.from_bytes(body[at : at + 4], "little")
            at += 4
        size = count * 2 if flags & 1 else count
        raw = body[at : at + size]
        texts.append(raw.decode("utf-16-le" if flags & 1 else "latin-1", "replace"))
        at += size + runs + extra
    return texts


def _encode(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")

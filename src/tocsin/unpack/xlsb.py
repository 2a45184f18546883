"""Macro sheets in Excel's binary packages (xlsb), written out as text; and their workbook.

A part does not say whether it is a macro sheet. One counts as such when a formula in it uses
what only macros use: a command, or a function that runs or loads something.

Source: MS-XLSB 2.1.4 (records), 2.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tocsin.errors import FormatError
from tocsin.unpack.interface import Budget, Item, Member, Remark, Trait
from tocsin.unpack.parts import Parts
from tocsin.unpack.xlm_formula import Book, Version, cell_name, formula_text

_SHEET, _BOOK = b"\x81\x01\x00", b"\x83\x01\x00"
_ROW, _FIRST_FORMULA, _LAST_FORMULA, _BUNDLE_SHEET, _DEFINED_NAME = 0, 8, 11, 156, 39
_MACRO_ONLY = re.compile(
    rb"[\x22\x42\x62][\x00-\x1e](?:.\x80|[\x35-\x37\x60\x6e\x95\x96\xae\xaf\xb1\xb2]\x00)",
    re.DOTALL,
)
_STATES = {0: "visible", 1: "hidden", 2: "very hidden"}
_BETWEEN_CHECKS = 4096
_BATCH = 64 * 1024
_BOOK_UNKNOWN = Book(Version.BIFF12)
"""What formulas refer to stands in other parts of the package."""


class XlsbUnpacker:
    """Reads sheets and the workbook of xlsb."""

    types = frozenset({"XLSB_SHEET", "XLSB_BOOK"})

    def members(self, data: bytes, budget: Budget, passwords: Sequence[bytes]) -> Iterator[Item]:
        """See `Unpacker.members`; nothing comes out of a sheet without macros."""
        parts = Parts(budget)
        if data.startswith(_SHEET):
            if _MACRO_ONLY.search(data) is None:
                return
            name, lines = "macros.txt", _formulas(data, budget)
        elif data.startswith(_BOOK):
            name, lines = "sheets.txt", _workbook(data, budget)
        else:
            raise FormatError("not a part of xlsb")
        for item in parts.member(name, _batches(lines), 0, type_name="TEXT_ASCII"):
            if isinstance(item, Member) and not item.size:
                continue
            if name == "macros.txt":
                yield Remark(Trait.MACROS, "Excel 4 macros")
            yield item


def _batches(lines: Iterator[str]) -> Iterator[bytes]:
    waiting: list[str] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size > _BATCH:
            yield "".join(waiting).encode("utf-8", "replace")
            waiting, size = [], 0
    yield "".join(waiting).encode("utf-8", "replace")


def _records(data: bytes, budget: Budget) -> Iterator[tuple[int, bytes]]:
    at, count, end = 0, 0, len(data)
    while at + 2 <= end:
        count += 1
        if count % _BETWEEN_CHECKS == 0:
            budget.check_time()
        kind = data[at]
        at += 1
        if kind & 0x80:
            kind = kind & 0x7F | (data[at] & 0x7F) << 7
            at += 1
        size = shift = 0
        while at < end and shift < 28:
            byte = data[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        yield kind, data[at : at + size]
        at += size


def _formulas(data: bytes, budget: Budget) -> Iterator[str]:
    row = 0
    for kind, body in _records(data, budget):
        if kind == _ROW:
            row = int.from_bytes(body[:4], "little")
        elif _FIRST_FORMULA <= kind <= _LAST_FORMULA:
            column = int.from_bytes(body[:4], "little")
            at = 8 + _value_bytes(kind, body) + 2
            size = int.from_bytes(body[at : at + 4], "little")
            shown = formula_text(body[at + 4 : at + 4 + size], _BOOK_UNKNOWN)
            yield f"{cell_name(row, column & 0x3FFF)}={shown}\n"


def _value_bytes(kind: int, body: bytes) -> int:
    """Bytes of the last result of a formula: text, number, truth or error."""
    if kind == _FIRST_FORMULA:
        return 4 + 2 * int.from_bytes(body[8:12], "little")
    return 8 if kind == _FIRST_FORMULA + 1 else 1


def _workbook(data: bytes, budget: Budget) -> Iterator[str]:
    for kind, body in _records(data, budget):
        if kind == _BUNDLE_SHEET:
            state = _STATES.get(int.from_bytes(body[:4], "little"), "hidden")
            _relation, at = _text(body, 8)
            name, _at = _text(body, at)
            yield f"' sheet {name}, {state}\n"
        elif kind == _DEFINED_NAME:
            name, at = _text(body, 9)
            size = int.from_bytes(body[at : at + 4], "little")
            shown = formula_text(body[at + 4 : at + 4 + size], _BOOK_UNKNOWN)
            yield f"' name {name} ={shown}\n"


def _text(body: bytes, at: int) -> tuple[str, int]:
    count = int.from_bytes(body[at : at + 4], "little")
    if count > len(body):
        return "", at + 4
    return body[at + 4 : at + 4 + 2 * count].decode("utf-16-le", "replace"), at + 4 + 2 * count


UNPACKER = XlsbUnpacker()

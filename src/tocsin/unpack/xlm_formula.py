"""Formulas as Excel stores them, written out as a person would type them.

Only the tokens that macros are made of are told apart finely; what is not known ends the
formula with a mark, since the length of what follows is not known either.

Source: MS-XLS 2.5.198 (BIFF8), MS-XLSB 2.5.97 (BIFF12); BIFF5 by measurement.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct, error
from typing import NamedTuple

from tocsin.unpack.xlm_names import ARGUMENTS, COMMANDS, FUNCTIONS


class Version(IntEnum):
    """Generations of the format."""

    BIFF5 = 5
    BIFF8 = 8
    BIFF12 = 12


Node = str | tuple["Node", ...]
"""Text in pieces, so that a long formula is not copied for each of its operators."""

_INFIX = {
    0x03: "+", 0x04: "-", 0x05: "*", 0x06: "/", 0x07: "^", 0x08: "&", 0x09: "<", 0x0A: "<=",
    0x0B: "=", 0x0C: ">=", 0x0D: ">", 0x0E: "<>", 0x0F: " ", 0x10: ",", 0x11: ":",
}  # fmt: skip
_PREFIX = {0x12: "+", 0x13: "-"}
_ERRORS = {
    0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A",
}  # fmt: skip
_USER_FUNCTION = 255
_DOUBLE = Struct("<d")
_U16 = Struct("<H")
_U32 = Struct("<I")

_ATTRIBUTE_CHOOSE, _ATTRIBUTE_SUM = 0x04, 0x10


class _Sizes(NamedTuple):
    """Bytes of operands that differ between the generations."""

    name: int
    reference: int
    area: int
    external_name: int
    reference_3d: int
    area_3d: int
    memory: int


_SIZES = {
    Version.BIFF5: _Sizes(14, 3, 6, 24, 17, 20, 6),
    Version.BIFF8: _Sizes(4, 4, 8, 6, 6, 10, 6),
    Version.BIFF12: _Sizes(4, 6, 12, 6, 8, 14, 6),
}


@dataclass
class Book:
    """What formulas refer to by number.

    Attributes:
        version: generation of the file.
        names: defined names, in the order of their records.
        sheets: names of sheets, in the order of their records.
        links: for each number by which another sheet is meant, its place among the sheets.
    """

    version: Version
    names: list[str] = field(default_factory=list)
    sheets: list[str] = field(default_factory=list)
    links: list[int] = field(default_factory=list)


def formula_text(raw: bytes, book: Book) -> str:
    """Write out one formula.

    Args:
        raw: its tokens, without what may follow them.
        book: what it refers to.
    """
    reader = _Reader(raw, book)
    try:
        reader.run()
    except (error, IndexError):
        reader.stack.append("#cut-off")
    return "".join(_flatten(tuple(reader.stack)))


def _flatten(root: Node) -> list[str]:
    out: list[str] = []
    waiting: list[Node] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            out.append(node)
        else:
            waiting.extend(reversed(node))
    return out


class _Reader:
    """Goes through the tokens of one formula with a stack of what they made."""

    def __init__(self, raw: bytes, book: Book) -> None:
        self._raw = raw
        self._book = book
        self._version = book.version
        self._sizes = _SIZES[book.version]
        self._at = 0
        self.stack: list[Node] = []

    def run(self) -> None:
        """Read all tokens.

        Raises:
            struct.error: a token is cut off.
            IndexError: the same.
        """
        while self._at < len(self._raw):
            token = self._raw[self._at]
            self._at += 1
            if token >= 0x20:
                # Operands come in three classes, which make no difference for reading.
                token = (token & 0x1F) | 0x20
            if not self._token(token):
                self.stack.append(f"#token-{token:02x}")
                return

    def _token(self, token: int) -> bool:
        push, sizes = self.stack.append, self._sizes
        if token in _INFIX:
            right, left = self._pop(), self._pop()
            push((left, _INFIX[token], right))
        elif token in _PREFIX:
            push((_PREFIX[token], self._pop()))
        elif token == 0x14:
            push((self._pop(), "%"))
        elif token == 0x15:
            push(("(", self._pop(), ")"))
        elif token == 0x16:
            push("")
        elif token == 0x17:
            push('"' + self._string().replace('"', '""') + '"')
        elif token == 0x19:
            self._attribute()
        elif token == 0x1C:
            push(_ERRORS.get(self._byte(), "#ERROR"))
        elif token == 0x1D:
            push("TRUE" if self._byte() else "FALSE")
        elif token == 0x1E:
            push(str(self._number(_U16)))
        elif token == 0x1F:
            push(f"{_DOUBLE.unpack_from(self._raw, self._at)[0]:.15g}")
            self._at += 8
        elif token == 0x20:
            push("{array}")
            self._at += 14 if self._version is Version.BIFF12 else 7
        elif token == 0x21:
            number = self._number(_U16)
            self._call(_function(number, 0), ARGUMENTS.get(number, 1))
        elif token == 0x22:
            count = self._byte() & 0x7F
            number = self._number(_U16)
            self._variadic(number, count)
        elif token == 0x23:
            push(self._name(sizes.name))
        elif token in (0x24, 0x2C):
            push(self._cell(sizes.reference))
        elif token in (0x25, 0x2D):
            push(self._area(sizes.area))
        elif token in (0x26, 0x27, 0x28):
            self._at += sizes.memory
        elif token in (0x29, 0x2E):
            self._at += 2
        elif token in (0x2A, 0x2B):
            push("#REF!")
            self._at += sizes.reference if token == 0x2A else sizes.area
        elif token == 0x39:
            push(self._external(sizes.external_name))
        elif token in (0x3A, 0x3C):
            push(self._other_sheet(sizes.reference_3d, sizes.reference, area=False))
        elif token in (0x3B, 0x3D):
            push(self._other_sheet(sizes.area_3d, sizes.area, area=True))
        else:
            return False
        return True

    def _pop(self) -> Node:
        return self.stack.pop() if self.stack else "?"

    def _byte(self) -> int:
        self._at += 1
        return self._raw[self._at - 1]

    def _number(self, kind: Struct) -> int:
        value = int(kind.unpack_from(self._raw, self._at)[0])
        self._at += kind.size
        return value

    def _string(self) -> str:
        if self._version is Version.BIFF12:
            count, wide = self._number(_U16), True
        else:
            count = self._byte()
            wide = self._version is Version.BIFF8 and bool(self._byte() & 1)
        size = count * 2 if wide else count
        raw = self._raw[self._at : self._at + size]
        self._at += size
        return raw.decode("utf-16-le" if wide else "latin-1", "replace")

    def _attribute(self) -> None:
        """A token of hints for Excel; only the sum of one argument means something."""
        flags, value = self._byte(), self._number(_U16)
        if flags & _ATTRIBUTE_CHOOSE:
            self._at += 2 * (value + 1)
        elif flags & _ATTRIBUTE_SUM:
            self._call("SUM", 1)

    def _call(self, name: Node, count: int) -> None:
        arguments: list[Node] = []
        for _ in range(count):
            arguments += (self._pop(), ",")
        self.stack.append((name, "(", *reversed(arguments[:-1]), ")"))

    def _variadic(self, number: int, count: int) -> None:
        if number == _USER_FUNCTION and count:
            arguments = [self._pop() for _ in range(count - 1)]
            name = self._pop()
            self.stack += reversed(arguments)
            self._call(name, count - 1)
        else:
            self._call(_function(number & 0x7FFF, number & 0x8000), count)

    def _name(self, size: int) -> str:
        number = int(_U16.unpack_from(self._raw, self._at)[0])
        self._at += size
        if 0 < number <= len(self._book.names):
            return self._book.names[number - 1]
        return f"name{number}"

    def _external(self, size: int) -> str:
        at = self._at + (10 if self._version is Version.BIFF5 else 2)
        number = int(_U16.unpack_from(self._raw, at)[0])
        self._at += size
        return f"external{number}"

    def _cell(self, size: int) -> str:
        at = self._at
        self._at += size
        if self._version is Version.BIFF12:
            row, column = int(_U32.unpack_from(self._raw, at)[0]), self._short(at + 4)
        else:
            row, column = self._short(at), self._column(at + 2)
        if self._version is Version.BIFF5:
            row &= 0x3FFF
        return cell_name(row, column & 0x3FFF)

    def _area(self, size: int) -> str:
        at = self._at
        self._at += size
        if self._version is Version.BIFF12:
            first, last = int(_U32.unpack_from(self._raw, at)[0]), self._u32(at + 4)
            left, right = self._short(at + 8), self._short(at + 10)
        else:
            first, last = self._short(at), self._short(at + 2)
            step = 1 if self._version is Version.BIFF5 else 2
            left, right = self._column(at + 4), self._column(at + 4 + step)
        return f"{cell_name(first, left & 0x3FFF)}:{cell_name(last, right & 0x3FFF)}"

    def _other_sheet(self, size: int, inner: int, *, area: bool) -> str:
        start = self._at
        sheet = self._sheet(start)
        self._at = start + size - inner
        text = self._area(inner) if area else self._cell(inner)
        self._at = start + size
        return f"{sheet}!{text}"

    def _sheet(self, at: int) -> str:
        """Name of the sheet that a reference means."""
        book = self._book
        if self._version is Version.BIFF5:
            place = self._short(at + 10)
        else:
            number = self._short(at)
            place = book.links[number] if number < len(book.links) else number
        return book.sheets[place] if place < len(book.sheets) else f"sheet{place}"

    def _column(self, at: int) -> int:
        return self._raw[at] if self._version is Version.BIFF5 else self._short(at) & 0x3FFF

    def _short(self, at: int) -> int:
        return int(_U16.unpack_from(self._raw, at)[0])

    def _u32(self, at: int) -> int:
        return int(_U32.unpack_from(self._raw, at)[0])


def _function(number: int, command: int) -> str:
    if command:
        return COMMANDS.get(number, f"command{number}")
    return FUNCTIONS.get(number, f"function{number}")


def cell_name(row: int, column: int) -> str:
    """Name of a cell: `A1` for the first."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"

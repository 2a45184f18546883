"""Hold what a TOML file states against the types that it is read into, key by key.

`msgspec` would stop at the first mistake and knows no lines. Here every mistake is collected,
each with the line it stands on, and what is right is kept, so that rules that concern several
keys can still be applied to the rest.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec

from tocsin.errors import Problem
from tocsin.toml_files.lines import KeyPath, line_of

_NUMBER_TYPES = (msgspec.inspect.IntType, msgspec.inspect.FloatType)
_TIME_TYPES = (msgspec.inspect.DateType, msgspec.inspect.DateTimeType)


class Shape(NamedTuple):
    """A type as the checks see it.

    Attributes:
        type: its `msgspec.inspect` node without what surrounds it.
        form: how its text is written, or empty.
    """

    type: msgspec.inspect.Type
    form: str


def shape_of(node: msgspec.inspect.Type) -> Shape:
    """A type without its metadata, and the form that the metadata names."""
    form = ""
    while isinstance(node, msgspec.inspect.Metadata | msgspec.inspect.UnionType):
        if isinstance(node, msgspec.inspect.Metadata):
            form = str((node.extra or {}).get("form", form))
            node = node.type
        else:  # TOML has no word for None: a key that may be absent has one type besides
            node = next(t for t in node.types if not isinstance(t, msgspec.inspect.NoneType))
    return Shape(node, form)


def path_name(path: KeyPath, values: Any = None) -> str:
    """A key as people name it: `[daemon] socket`, `[[task]] 2 'nightly': at`.

    Args:
        path: the key.
        values: the file's values, for the names of tasks and targets.
    """
    if len(path) == 1:
        value = values.get(path[0]) if isinstance(values, dict) else None
        is_plain = isinstance(value, str | date) or (
            isinstance(value, list) and not any(isinstance(each, dict) for each in value)
        )
        return str(path[0]) if is_plain else f"[{path[0]}]"
    if isinstance(path[1], int):
        name = ""
        with suppress(TypeError, KeyError, IndexError):
            name = values[path[0]][path[1]]["name"]
        head = f"[[{path[0]}]] {path[1] + 1}"
        head += f" {name[:64]!r}" if isinstance(name, str) and name else ""
        rest = path[2:]
        return f"{head}: {_dotted(rest)}" if rest else head
    return f"[{path[0]}] {_dotted(path[1:])}"


def _dotted(path: KeyPath) -> str:
    text = ""
    for part in path:
        text += f" {part + 1}" if isinstance(part, int) else f".{part}" if text else part
    return text


class Forms(NamedTuple):
    """How texts of a kind of file are written; fields name a form in their metadata.

    Attributes:
        checks: by form, what is wrong with a text, or an empty string; the form `""` is any text.
        numbers: by form, what reads a number from text, or None when it is none.
        expected: by form, what such a number is called in a message.
    """

    checks: Mapping[str, Callable[[str], str]]
    numbers: Mapping[str, Callable[[str], float | None]] = {}
    expected: Mapping[str, str] = {}


class Checker:
    """One check of one file.

    Args:
        lines: where keys stand.
        values: what the file states.
        forms: how its texts are written.

    Attributes:
        problems: what is wrong, in no order.
    """

    def __init__(self, lines: dict[KeyPath, int], values: dict[str, Any], forms: Forms) -> None:
        self.problems: list[Problem] = []
        self._forms = forms
        self._lines = lines
        self._values = values

    def blame(self, path: KeyPath, reason: str) -> None:
        """Note a problem of a key."""
        key = path_name(path, self._values) if path else ""
        self.problems.append(Problem(line_of(self._lines, path), key, reason))

    def table(
        self, path: KeyPath, node: msgspec.inspect.StructType, values: dict[str, Any]
    ) -> dict[str, Any]:
        """What is right in a table; problems are noted."""
        fields = {field.name: field for field in node.fields}
        good = {}
        for key, value in values.items():
            if key not in fields:
                self.blame((*path, key), _unknown(key, list(fields), is_table=not path))
                continue
            checked = self._value((*path, key), fields[key].type, value)
            if checked is not _BAD:
                good[key] = checked
        for name, field in fields.items():
            if field.required and name not in values:
                self.blame(path, f"{name} is missing")
        return good

    def _value(self, path: KeyPath, node: msgspec.inspect.Type, value: Any) -> Any:
        """The value to use, or `_BAD` after the problem was noted."""
        kind, form = shape_of(node)
        if isinstance(kind, msgspec.inspect.StructType):
            if not isinstance(value, dict):
                return self._bad(path, f"expected a table, not {_said(value)}")
            return self.table(path, kind, value)
        if isinstance(kind, msgspec.inspect.VarTupleType):
            return self._array(path, kind, value)
        if isinstance(kind, msgspec.inspect.DictType):
            return self._dictionary(path, kind, value)
        if isinstance(kind, msgspec.inspect.LiteralType):
            return self._choice(path, [str(choice) for choice in kind.values], value)
        if isinstance(kind, msgspec.inspect.EnumType):
            return self._choice(path, [str(choice.value) for choice in kind.cls], value)
        if isinstance(kind, msgspec.inspect.BoolType):
            if isinstance(value, bool):
                return value
            return self._bad(path, f"expected true or false, not {_said(value)}")
        if isinstance(kind, _NUMBER_TYPES):
            return self._number(path, kind, form, value)
        if isinstance(kind, _TIME_TYPES):
            return self._time(path, kind, value)
        if not isinstance(value, str):
            said = f"a {_kind(value)}" if form == "secret" else _said(value)
            return self._bad(path, f"expected text in quotes, not {said}")
        wrong = self._forms.checks[form](value)
        return self._bad(path, wrong) if wrong else value

    def _array(self, path: KeyPath, kind: msgspec.inspect.VarTupleType, value: Any) -> Any:
        item = shape_of(kind.item_type)
        if not isinstance(value, list):
            if isinstance(item.type, msgspec.inspect.StructType):
                return self._bad(path, f"write the table as [[{path[-1]}]]: there can be several")
            return self._bad(path, f"expected a list in brackets: {path[-1]} = [ … ]")
        checked = [
            self._value((*path, number), kind.item_type, element)
            for number, element in enumerate(value)
        ]
        return _BAD if any(element is _BAD for element in checked) else checked

    def _dictionary(self, path: KeyPath, kind: msgspec.inspect.DictType, value: Any) -> Any:
        if not isinstance(value, dict):
            return self._bad(path, 'expected a table: { Name = "value" }')
        checked = {
            key: self._value((*path, key), kind.value_type, element)
            for key, element in value.items()
        }
        return _BAD if any(element is _BAD for element in checked.values()) else checked

    def _choice(self, path: KeyPath, known: list[str], value: Any) -> Any:
        if value in known and isinstance(value, str):
            return value
        choices = ", ".join(f'"{choice}"' for choice in known)
        return self._bad(
            path, f"expected one of {choices}, not {_said(value)}{_near(value, known)}"
        )

    def _number(
        self,
        path: KeyPath,
        kind: msgspec.inspect.IntType | msgspec.inspect.FloatType,
        form: str,
        value: Any,
    ) -> Any:
        whole = isinstance(kind, msgspec.inspect.IntType)
        expected = self._forms.expected.get(form) or ("a whole number" if whole else "a number")
        number: float | None = None
        if isinstance(value, str) and form in self._forms.numbers:
            number = self._forms.numbers[form](value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            number = None if whole and isinstance(value, float) else value
        if number is None or not math.isfinite(number):
            return self._bad(path, f"expected {expected}, not {_said(value)}")
        least, most = kind.ge, kind.le
        if (least is not None and number < least) or (most is not None and number > most):
            return self._bad(path, f"expected {expected} from {_plain(least)} to {_plain(most)}")
        return number if whole else float(number)

    def _time(
        self,
        path: KeyPath,
        kind: msgspec.inspect.DateType | msgspec.inspect.DateTimeType,
        value: Any,
    ) -> Any:
        said = value.isoformat() if isinstance(value, date) else _said(value)
        if isinstance(kind, msgspec.inspect.DateType):
            if isinstance(value, date) and not isinstance(value, datetime):
                return value
            return self._bad(path, f"expected a date without quotes, as 2024-06-20, not {said}")
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value
        example = "2024-09-29T00:00:00-04:00"
        return self._bad(path, f"expected an instant with its zone, as {example}, not {said}")

    def _bad(self, path: KeyPath, reason: str) -> object:
        self.blame(path, reason)
        return _BAD


_BAD = object()


def _unknown(key: str, known: list[str], *, is_table: bool) -> str:
    what = "table" if is_table else "key"
    near = _near(key, known)
    return f"there is no such {what}{near or '; there are ' + ', '.join(known)}"


def _near(said: object, known: list[str]) -> str:
    near = difflib.get_close_matches(str(said)[:64], known, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _kind(value: object) -> str:
    names = {bool: "truth value", int: "number", float: "number", str: "text"}
    names |= {list: "list", dict: "table"}
    return names.get(type(value), "date or time")


def _said(value: object) -> str:
    """What the user wrote, short; tables and lists by what they are."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "…")
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 1 << 64):
        return str(value)
    if isinstance(value, int):
        return "a number that large"
    return f"a {_kind(value)}"


def _plain(bound: float | None) -> str:
    return "any" if bound is None else f"{bound:,}"

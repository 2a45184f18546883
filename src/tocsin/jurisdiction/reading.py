"""Read files of rules and suppliers: each whole and right, or refused with all that is wrong.

A mistake in a rule is dangerous in both directions, so nothing is guessed: an unknown key or word,
an instant without a zone and a rule that could never apply are mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from typing import Any, TypeVar

import msgspec

from tocsin.errors import InvalidRules, LawError, Problem
from tocsin.jurisdiction.model import Edition, Instrument, Supplier
from tocsin.jurisdiction.places import read_place
from tocsin.jurisdiction.vocabulary import ALWAYS_ALLOWED, Binds, Kind, Status
from tocsin.toml_files.check import Checker, Forms
from tocsin.toml_files.lines import KeyPath, key_lines
from tocsin.toml_files.text import parse_toml

MOST_BYTES = 1 << 20
"""Of one file of a rulebook."""

MOST_TEXT = 2_000
_FIRST_YEAR, _LAST_YEAR = 1900, 2200
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\Z")
_File = TypeVar("_File", Instrument, Supplier, Edition)
_Found = tuple[KeyPath, str]


def _id(text: str) -> str:
    return "" if _ID.match(text) else "expected lower-case letters, digits and '-', at most 64"


def _line(text: str) -> str:
    if len(text) > MOST_TEXT:
        return f"longer than {MOST_TEXT:,} characters"
    if not text.isprintable():
        return "expected one line of printable text"
    return ""


def _link(text: str) -> str:
    if text and not re.match(r"https?://[\w.-]+(?:/\S*)?\Z", text):
        return "expected an address, as https://example.org/act"
    return _line(text)


def _place(text: str) -> str:
    try:
        code = read_place(text)
    except LawError as error:
        return str(error)
    return "" if code == text else f"write {code}"


FORMS = Forms({"": _line, "line": _line, "id": _id, "link": _link, "place": _place})


def read_instrument(content: bytes, source: str) -> Instrument:
    """Read an instrument.

    Args:
        content: of its file.
        source: the file's name, in messages.

    Raises:
        InvalidRules: with everything that is wrong, each with line and key.
    """
    return _read(content, source, Instrument)


def read_supplier(content: bytes, source: str) -> Supplier:
    """Read a supplier; as `read_instrument`."""
    return _read(content, source, Supplier)


def read_edition(content: bytes, source: str) -> Edition:
    """Read which edition a rulebook is; as `read_instrument`."""
    return _read(content, source, Edition)


def demand_sound(item: msgspec.Struct, source: str) -> None:
    """Hold what came in another way than as a file against everything that a file is held against.

    Args:
        item: an instrument, supplier or edition as it was read; its types are right.
        source: what to call it in messages.

    Raises:
        InvalidRules: with everything that is wrong.
    """
    plain = msgspec.to_builtins(item, builtin_types=(datetime, date))
    _demand_sound(type(item), _stated(plain), {}, source)


def _stated(plain: Any) -> Any:
    """Values as a file has them, which says nothing where there is nothing to say."""
    if isinstance(plain, dict):
        return {key: _stated(each) for key, each in plain.items() if each is not None}
    return [_stated(each) for each in plain] if isinstance(plain, list | tuple) else plain


def _read(content: bytes, source: str, kind: type[_File]) -> _File:
    if len(content) > MOST_BYTES:
        raise InvalidRules(source, (Problem(0, "", f"larger than {MOST_BYTES:,} bytes"),))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InvalidRules(source, (Problem(line, "", "not UTF-8 text"),)) from None
    values = parse_toml(text, source, InvalidRules)
    good = _demand_sound(kind, values, key_lines(text), source)
    return msgspec.convert(good, kind)


@cache
def _type_of(kind: type[msgspec.Struct]) -> msgspec.inspect.StructType:
    node = msgspec.inspect.type_info(kind)
    assert isinstance(node, msgspec.inspect.StructType)
    return node


def _demand_sound(
    kind: type[msgspec.Struct], values: dict[str, Any], lines: dict[KeyPath, int], source: str
) -> dict[str, Any]:
    checker = Checker(lines, values, FORMS)
    node = _type_of(kind)
    good = checker.table((), node, values)
    if kind is Instrument:
        for path, reason in _contradictions(good):
            checker.blame(path, reason)
    if checker.problems:
        raise InvalidRules(source, tuple(sorted(set(checker.problems))))
    return good


def _contradictions(values: dict[str, Any]) -> Iterator[_Found]:
    """What is wrong with an instrument although each value is right alone."""
    seen: set[str] = set()
    for number, rule in enumerate(values.get("rule", ())):
        at: KeyPath = ("rule", number)
        name = rule.get("name")
        if name in seen:
            yield (*at, "name"), f"another rule of the file has the name {name!r}"
        seen.add(name)
        yield from _wrong_words(at, rule)
        yield from _wrong_times(at, rule)
        if values.get("status") == Status.ENDED and rule.get("ends") is None:
            yield (*at, "ends"), "missing: the instrument has ended, and until when was it law?"
    if "rule" in values and not values["rule"]:
        yield ("rule",), "an instrument needs at least one [[rule]]"
    if "suppliers" in values and not values["suppliers"]:
        yield ("suppliers",), "an instrument needs at least one supplier"


def _wrong_words(at: KeyPath, rule: dict[str, Any]) -> Iterator[_Found]:
    for key in ("operations", "products", "binds"):
        if rule.get(key) == []:
            yield (*at, key), "an empty list: the rule could never apply"
    for word in rule.get("operations", ()):
        if word in ALWAYS_ALLOWED:
            yield (*at, "operations"), f"no rule can be about {word!r}: it is always allowed"
    nexus = rule.get("nexus")
    if isinstance(nexus, dict) and not nexus.get("places") and not nexus.get("persons"):
        yield (*at, "nexus"), "no place and no person: the rule could never apply"
    kind, binds = rule.get("kind"), rule.get("binds", [])
    if kind in (Kind.WARNING, Kind.RECOMMENDATION) and binds not in ([Binds.NOBODY], []):
        yield (*at, "binds"), f'a {kind} obliges nobody: binds = ["nobody"]'
    if rule.get("exempts") and kind != Kind.EXEMPTION:
        yield (*at, "exempts"), "only an exemption takes anything out of other rules"


def _wrong_times(at: KeyPath, rule: dict[str, Any]) -> Iterator[_Found]:
    stated = {key: rule.get(key) for key in ("effective", "certain_from", "comply_by", "ends")}
    for number, reading in enumerate(rule.get("readings", ())):
        stated[f"readings {number + 1}"] = reading.get("effective")
    for key, time in stated.items():
        if time is not None and not _FIRST_YEAR <= time.year <= _LAST_YEAR:
            yield (*at, key), f"the year is not from {_FIRST_YEAR} to {_LAST_YEAR}"
    begins = rule.get("effective")
    if begins is None:
        return
    for key in ("certain_from", "ends"):
        if rule.get(key) is not None and rule[key] <= begins:
            yield (*at, key), "not after effective"
    if rule.get("comply_by") is not None and rule["comply_by"] < begins:
        yield (*at, "comply_by"), "before effective"

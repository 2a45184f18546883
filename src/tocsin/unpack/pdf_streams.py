"""What a stream's dictionary says: its filters, its kind, how to decrypt it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from tocsin.unpack.pdf_filters import FULL_NAMES, Filter
from tocsin.unpack.pdf_objects import Extent
from tocsin.unpack.pdf_predictors import Prediction
from tocsin.unpack.pdf_syntax import Doubled, Name, Ref, Value, parse

Lookup: TypeAlias = "Callable[[int], Value | None]"
"""Gives the value of an object by its number."""

_MOST_FILTERS = 64


class Kind(NamedTuple):
    """What a stream's dictionary says, apart from the length: alike for many streams.

    Attributes:
        dictionaries: it and those within it.
        length: value of `/Length`, where it is not stated as a number.
        filters: value of `/Filter`.
        parameters: value of `/DecodeParms`.
        undone: the filters, in the order in which they are undone; None until they can be
            told, because something is referred to.
        name: value of `/Type`, or empty.
        first: where the objects of an object stream begin, else 0.
        objects: how many there are, else 0.
        note: what is wrong with it, or empty.
        earlier: what it says by the first of doubled keys, or None when none is doubled.
    """

    dictionaries: list[dict[bytes, Value]]
    length: Value | None
    filters: Value | None
    parameters: Value | None
    undone: tuple[Filter, ...] | None
    name: bytes
    first: int
    objects: int
    note: str
    earlier: Kind | None = None

    @property
    def holds_objects(self) -> bool:
        """Whether it is an object stream."""
        return self.first > 0 or self.name == b"ObjStm"


class Stream(NamedTuple):
    """One stream, before its data are decoded.

    Attributes:
        ref: its object.
        extent: where its data are.
        kind: what its dictionary says.
    """

    ref: Ref
    extent: Extent
    kind: Kind


class Kinds:
    """Reads the dictionaries of streams, each wording of one only once.

    Args:
        lookup: gives what is referred to.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._known: dict[bytes, Kind] = {}

    def read(self, data: bytes, start: int, end: int) -> tuple[Kind, Value | None]:
        """Read a stream's dictionary.

        Args:
            data: the file.
            start: where the dictionary begins.
            end: where the stream's data are announced.

        Returns:
            What it says, and the stream's length, which may be a reference.
        """
        if end - start > _LONGEST_WORDING:
            kind = self._kind(data, start, end)
            return kind, kind.length
        stated = _LENGTH.search(data, start, end)
        if stated is not None and data.find(b"/Length", stated.end(), end) >= 0:
            stated = None  # which one counts is seen only when the dictionary is read
        wording = data[start:end]
        if stated is not None:
            wording = data[start : stated.start(1)] + data[stated.end(1) : end]
        known = self._known.get(wording)
        if known is None:
            known = self._kind(data, start, end)
            if len(self._known) < _MOST_WORDINGS:
                self._known[wording] = known
        return known, known.length if stated is None else int(stated[1])

    def _kind(self, data: bytes, start: int, end: int) -> Kind:
        parsed = parse(data, start, end, _DICTIONARY_TOKENS)
        found = next((value for value in parsed.values if isinstance(value, dict)), {})
        note = "" if parsed.end >= end else "its dictionary is too long to be read"
        kind = self._described(found, parsed.dictionaries, note)
        if isinstance(found, Doubled):
            kind = kind._replace(earlier=self._described(found.earlier, [], note))
        return kind

    def _described(
        self, found: dict[bytes, Value], dictionaries: list[dict[bytes, Value]], note: str
    ) -> Kind:
        lookup = self._lookup
        filters = found.get(b"Filter")
        if filters is None and isinstance(found.get(b"F"), Name | list):
            filters = found[b"F"]
        parameters = found.get(b"DecodeParms", found.get(b"DP"))
        name, first, count = found.get(b"Type"), found.get(b"First"), found.get(b"N")
        both = first is not None and count is not None
        return Kind(
            dictionaries=dictionaries,
            length=found.get(b"Length"),
            filters=filters,
            parameters=parameters,
            undone=None
            if _refers(filters) or _refers(parameters)
            else filters_of(filters, parameters, lookup),
            name=bytes(name) if isinstance(name, Name) else b"",
            first=_whole(first, lookup) if both else 0,
            objects=_whole(count, lookup) if both else 0,
            note=note,
        )


_LENGTH = re.compile(rb"/Length[\0\t\n\f\r ]+(\d{1,12})[\0\t\n\f\r ]*(?=[/>])")
_LONGEST_WORDING = 1000
_MOST_WORDINGS = 2000
_DICTIONARY_TOKENS = 500_000
"""Tokens of a stream's dictionary that are read; it has some twenty."""


def _refers(value: Value | None) -> bool:
    """Whether a value is a reference or holds one, three levels deep."""
    level: list[Value | None] = [value]
    for _ in range(3):
        inner: list[Value | None] = []
        for item in level:
            if isinstance(item, Ref):
                return True
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item[:_MOST_FILTERS]
        level = inner
    return False


def _whole(value: Value | None, lookup: Lookup) -> int:
    if isinstance(value, Ref):
        value = lookup(value.number)
    return value if isinstance(value, int) and value > 0 else 0


def _resolved(value: Value | None, lookup: Lookup) -> Value | None:
    return lookup(value.number) if isinstance(value, Ref) else value


def filters_of(filters: Value | None, stated: Value | None, lookup: Lookup) -> tuple[Filter, ...]:
    """The filters of a stream, in the order in which they are undone.

    Args:
        filters: value of `/Filter`.
        stated: value of `/DecodeParms`.
        lookup: gives what is referred to.
    """
    if filters is None:
        return ()
    names = _listed(_resolved(filters, lookup))
    parameters = _listed(_resolved(stated, lookup))
    found: list[Filter] = []
    for place, value in enumerate(names[:_MOST_FILTERS]):
        name = _resolved(value, lookup)
        if not isinstance(name, bytes):
            found.append(Filter(b"?"))
            continue
        name = FULL_NAMES.get(name, bytes(name))
        own = _resolved(parameters[place], lookup) if place < len(parameters) else None
        found.append(_filter(name, own if isinstance(own, dict) else {}, lookup))
    return tuple(found)


def _listed(value: Value | None) -> list[Value]:
    if isinstance(value, list):
        return value
    return [] if value is None or value == b"null" else [value]


def _filter(name: bytes, stated: dict[bytes, Value], lookup: Lookup) -> Filter:
    if name not in (b"FlateDecode", b"LZWDecode") or not stated:
        return Filter(name)

    def number(key: bytes, default: int) -> int:
        value = _resolved(stated.get(key), lookup)
        return value if isinstance(value, int) else default

    prediction = None
    if number(b"Predictor", 1) > 1:
        prediction = Prediction(
            predictor=number(b"Predictor", 1),
            colors=number(b"Colors", 1),
            bits=number(b"BitsPerComponent", 8),
            columns=number(b"Columns", 1),
        )
    return Filter(name, number(b"EarlyChange", 1) != 0, prediction)


def crypt_filter_of(kind: Kind, lookup: Lookup) -> bytes | None:
    """The crypt filter that a stream names itself, or None when it names none.

    Source: ISO 32000-1, 7.4.10.
    """
    names = _listed(_resolved(kind.filters, lookup))
    if not names or names[0] != b"Crypt":
        return None
    parameters = _listed(_resolved(kind.parameters, lookup))
    stated = _resolved(parameters[0], lookup) if parameters else None
    name = stated.get(b"Name") if isinstance(stated, dict) else None
    return bytes(name) if isinstance(name, Name) else b"Identity"

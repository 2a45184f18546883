"""What a stream's dictionary says: its filters, its kind, how to decrypt it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from tocsin.unpack.pdf_filters import FULL_NAMES, Filter
from tocsin.unpack.pdf_objects import Extent
from tocsin.unpack.pdf_predictors import Prediction
from tocsin.unpack.pdf_syntax import Name, Ref, Value

Lookup: TypeAlias = "Callable[[int], Value | None]"
"""Gives the value of an object by its number."""

_MOST_FILTERS = 64


class Stream(NamedTuple):
    """One stream, before its data are decoded.

    Attributes:
        ref: its object.
        extent: where its data are.
        filters: value of `/Filter`.
        parameters: value of `/DecodeParms`.
        kind: value of `/Type`, or empty.
        first: where the objects of an object stream begin, else 0.
        count: how many there are, else 0.
        note: what is wrong with its dictionary, or empty.
    """

    ref: Ref
    extent: Extent
    filters: Value | None
    parameters: Value | None
    kind: bytes
    first: int = 0
    count: int = 0
    note: str = ""

    @property
    def holds_objects(self) -> bool:
        """Whether it is an object stream."""
        return self.first > 0 or self.kind == b"ObjStm"


def describe(
    ref: Ref, extent: Extent, found: dict[bytes, Value], lookup: Lookup, note: str
) -> Stream:
    """Read a stream's dictionary."""
    filters = found.get(b"Filter")
    if filters is None and isinstance(found.get(b"F"), Name | list):
        filters = found[b"F"]
    kind = found.get(b"Type")
    first, count = found.get(b"First"), found.get(b"N")
    return Stream(
        ref=ref,
        extent=extent,
        filters=filters,
        parameters=found.get(b"DecodeParms", found.get(b"DP")),
        kind=bytes(kind) if isinstance(kind, Name) else b"",
        first=_whole(first, lookup) if count is not None else 0,
        count=_whole(count, lookup) if first is not None else 0,
        note=note,
    )


def _whole(value: Value | None, lookup: Lookup) -> int:
    if isinstance(value, Ref):
        value = lookup(value.number)
    return value if isinstance(value, int) and value > 0 else 0


def _resolved(value: Value | None, lookup: Lookup) -> Value | None:
    return lookup(value.number) if isinstance(value, Ref) else value


def filters_of(stream: Stream, lookup: Lookup) -> tuple[Filter, ...]:
    """The filters of a stream, in the order in which they are undone."""
    if stream.filters is None:
        return ()
    names = _listed(_resolved(stream.filters, lookup))
    parameters = _listed(_resolved(stream.parameters, lookup))
    found: list[Filter] = []
    for place, value in enumerate(names[:_MOST_FILTERS]):
        name = _resolved(value, lookup)
        if not isinstance(name, bytes):
            found.append(Filter(b"?"))
            continue
        name = FULL_NAMES.get(name, bytes(name))
        stated = _resolved(parameters[place], lookup) if place < len(parameters) else None
        found.append(_filter(name, stated if isinstance(stated, dict) else {}, lookup))
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


def crypt_filter_of(stream: Stream, lookup: Lookup) -> bytes | None:
    """The crypt filter that a stream names itself, or None when it names none.

    Source: ISO 32000-1, 7.4.10.
    """
    names = _listed(_resolved(stream.filters, lookup))
    if not names or names[0] != b"Crypt":
        return None
    parameters = _listed(_resolved(stream.parameters, lookup))
    stated = _resolved(parameters[0], lookup) if parameters else None
    name = stated.get(b"Name") if isinstance(stated, dict) else None
    return bytes(name) if isinstance(name, Name) else b"Identity"

"""What a stream's dictionary says: its filters, its kind, how to decrypt it.

Where it refers to objects that are there more than once, or has entries of which readers take
one or the other, each reading is a chain of filters of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import NamedTuple, TypeAlias

from tocsin.unpack.pdf_filters import FULL_NAMES, Filter
from tocsin.unpack.pdf_objects import UNREADABLE, Extent
from tocsin.unpack.pdf_predictors import Prediction
from tocsin.unpack.pdf_syntax import Doubled, Name, Ref, Value, parse

Lookup: TypeAlias = "Callable[[int], Sequence[Value]]"
"""Gives the values that the number of an object may stand for, the likeliest last."""

Chain: TypeAlias = tuple[Filter, ...]
"""Filters in the order in which they are undone."""

_MOST_FILTERS = 64
_MOST_READINGS = 16
_MOST_PAIRS = 256
_MOST_CHOICES = 64
_MOST_HOPS = 4
"""References to references that are followed."""


class Readings(NamedTuple):
    """What the filters of a stream may be.

    Attributes:
        chains: each possibility.
        note: why there may be others, or empty.
        lost: whether they are referred to and not there.
    """

    chains: tuple[Chain, ...]
    note: str = ""
    lost: bool = False


class Kind(NamedTuple):
    """What a stream's dictionary says, apart from the length: alike for many streams.

    Attributes:
        dictionaries: it and those within it.
        length: value of `/Length`, where it is not stated as a number.
        filters: values of `/Filter` and of its abbreviation.
        parameters: values of `/DecodeParms` and of its abbreviation.
        readings: what the filters may be; None until it can be told, because something is
            referred to.
        name: value of `/Type`, or empty.
        first: where the objects of an object stream begin, else 0.
        objects: how many there are, else 0.
        note: what is wrong with it, or empty.
        sound: whether it is one dictionary in which all is closed.
        others: what it says by the first of doubled keys, where one is doubled; and with what
            does not fit passed over, where something does not.
    """

    dictionaries: list[dict[bytes, Value]]
    length: Value | None
    filters: tuple[Value | None, ...]
    parameters: tuple[Value | None, ...]
    readings: Readings | None
    name: bytes
    first: int
    objects: int
    note: str
    sound: bool
    others: tuple[Kind, ...] = ()

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
        several: whether it is one of several readings of the same.
    """

    ref: Ref
    extent: Extent
    kind: Kind
    several: bool = False


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
        wording = data[start:end]
        if stated is not None and (wording.count(b"/Length") > 1 or _VEILED.search(wording)):
            stated = None  # which one counts is seen only when the dictionary is read
        if stated is not None:
            wording = data[start : stated.start(1)] + data[stated.end(1) : end]
        known = self._known.get(wording)
        if known is None:
            known = self._kind(data, start, end)
            if len(self._known) < _MOST_WORDINGS:
                self._known[wording] = known
        return known, known.length if stated is None else int(stated[1])

    def _kind(self, data: bytes, start: int, end: int) -> Kind:
        kinds: list[Kind] = []
        for strict in (False, True):
            parsed = parse(data, start, end, _DICTIONARY_TOKENS, strict=strict)
            found = next((value for value in parsed.values if isinstance(value, dict)), {})
            note = "" if parsed.end >= end else "its dictionary is too long to be read"
            sound = parsed.sound and len(parsed.values) == 1 and parsed.values[0] is found
            kinds.append(self._described(found, parsed.dictionaries, note, sound))
            if isinstance(found, Doubled):
                kinds.append(self._described(found.earlier, [], note, sound))
            if sound:
                break
        return kinds[0]._replace(others=tuple(kinds[1:]))

    def _described(
        self,
        found: dict[bytes, Value],
        dictionaries: list[dict[bytes, Value]],
        note: str,
        sound: bool,
    ) -> Kind:
        lookup = self._lookup
        filters = tuple(_filter_values(found, lookup))
        parameters = tuple(
            found.get(key) for key in (b"DecodeParms", b"DP")[: 1 + (b"DP" in found)]
        )
        first, count = found.get(b"First"), found.get(b"N")
        both = first is not None and count is not None
        refer = any(map(_refers, filters)) or any(map(_refers, parameters))
        return Kind(
            dictionaries=dictionaries,
            length=found.get(b"Length"),
            filters=filters,
            parameters=parameters,
            readings=None if refer else readings_of(filters, parameters, lookup),
            name=_type(found.get(b"Type"), lookup),
            first=_whole(first, lookup) if both else 0,
            objects=_whole(count, lookup) if both else 0,
            note=note,
            sound=sound,
        )


def _filter_values(found: dict[bytes, Value], lookup: Lookup) -> Iterator[Value | None]:
    """The filters of a dictionary: some readers ask for the abbreviation, and it goes first."""
    yield found.get(b"Filter")
    short = found.get(b"F")
    if any(isinstance(value, Name | list) for value in _choices(short, lookup)):
        yield short


def _type(value: Value | None, lookup: Lookup) -> bytes:
    names = [bytes(name) for name in _choices(value, lookup) if isinstance(name, Name)]
    return names[0] if names else b""


_LENGTH = re.compile(rb"/Length[\0\t\n\f\r ]+(\d{1,12})[\0\t\n\f\r ]*(?=[/>])")
_VEILED = re.compile(rb"[%(#]")
"""In what holds none of these, a name is a name and stands as it is."""

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
    found = (item for item in _choices(value, lookup) if isinstance(item, int) and item > 0)
    return next(found, 0)


def _choices(value: Value | None, lookup: Lookup, hops: int = _MOST_HOPS) -> Sequence[Value | None]:
    """What a value may be where it is a reference: the likeliest first, or that it is nothing."""
    if not isinstance(value, Ref):
        return (value,)
    if not hops:
        return (UNREADABLE,)
    found: list[Value | None] = []
    for item in reversed(lookup(value.number)):
        for each in _choices(item, lookup, hops - 1) if isinstance(item, Ref) else (item,):
            if each not in found:
                found.append(each)
            if len(found) > _MOST_CHOICES:
                return [*found, UNREADABLE]
    return found or (None,)


def readings_of(
    filters: Sequence[Value | None], stated: Sequence[Value | None], lookup: Lookup
) -> Readings:
    """What the filters of a stream may be.

    Args:
        filters: values of `/Filter`, of which readers take one.
        stated: values of `/DecodeParms`, likewise.
        lookup: gives what is referred to.
    """
    names = _with_nothing(filters, lookup)
    parameters = _with_nothing(stated, lookup)
    lost = isinstance(filters[0], Ref) and all(map(_is_null, names))
    found: dict[Chain, None] = {}
    note = ""
    if len(names) * len(parameters) > _MOST_PAIRS:
        note = "its filters can be read in more ways than are tried"
    for name, own in islice(product(names, parameters), _MOST_PAIRS):
        for chain in _chains(_listed(name), _listed(own), lookup):
            found[chain] = None
            if len(found) > _MOST_READINGS:
                note = "its filters can be read in more ways than are tried"
                return Readings(tuple(found)[:_MOST_READINGS], note, lost)
    return Readings(tuple(found), note, lost)


def _with_nothing(values: Sequence[Value | None], lookup: Lookup) -> list[Value | None]:
    """What values may be; nothing, too, where they refer to what no table may name."""
    found = [each for value in values for each in _choices(value, lookup)]
    if None not in found and any(isinstance(value, Ref) for value in values):
        found.append(None)
    return found


def _chains(names: list[Value], parameters: list[Value], lookup: Lookup) -> Iterator[Chain]:
    places: list[list[Filter]] = []
    for place, name in enumerate(names[:_MOST_FILTERS]):
        own = parameters[place] if place < len(parameters) else None
        options = list(islice(_filters(name, own, lookup), _MOST_READINGS + 1))
        if len(options) > _MOST_READINGS:
            options.append(_UNKNOWN)
        places.append(list(dict.fromkeys(options)))
    if len(names) > _MOST_FILTERS:
        places.append([_UNKNOWN])
    yield from product(*places)


def _filters(value: Value, stated: Value | None, lookup: Lookup) -> Iterator[Filter]:
    """What one filter may be."""
    for name in _choices(value, lookup):
        if not isinstance(name, bytes):
            yield _UNKNOWN
            continue
        full = FULL_NAMES.get(name, bytes(name))
        for own in _choices(stated, lookup):
            if own == UNREADABLE:
                yield _UNKNOWN
            for parameters in _spelled_out(own, lookup):
                yield _filter(full, parameters)


_UNKNOWN = Filter(b"?")
_NUMBERS = (b"Predictor", b"Colors", b"BitsPerComponent", b"Columns", b"EarlyChange", b"Name")
"""The parameters of a filter that are asked for."""


def _spelled_out(stated: Value | None, lookup: Lookup) -> Iterator[Mapping[bytes, Value | None]]:
    """The parameters of a filter in every reading, with what they refer to put in."""
    if not isinstance(stated, dict):
        yield {}
        return
    for wording in (stated, stated.earlier) if isinstance(stated, Doubled) else (stated,):
        known = [key for key in _NUMBERS if key in wording]
        for values in product(*(_choices(wording[key], lookup) for key in known)):
            yield dict(zip(known, values, strict=True))


def _is_null(value: Value | None) -> bool:
    return value is None or value == b"null"


def _listed(value: Value | None) -> list[Value]:
    if isinstance(value, list):
        return value
    return [] if value is None or value == b"null" else [value]


def _filter(name: bytes, stated: Mapping[bytes, Value | None]) -> Filter:
    if name == b"Crypt":
        method = stated.get(b"Name")
        return Filter(name, crypt=bytes(method) if isinstance(method, Name) else b"Identity")
    if UNREADABLE in stated.values():
        return _UNKNOWN
    if name not in (b"FlateDecode", b"LZWDecode") or not stated:
        return Filter(name)

    def number(key: bytes, default: int) -> int:
        value = stated.get(key)
        return int(value) if isinstance(value, int | float) else default

    prediction = None
    if number(b"Predictor", 1) > 1:
        prediction = Prediction(
            predictor=number(b"Predictor", 1),
            colors=number(b"Colors", 1),
            bits=number(b"BitsPerComponent", 8),
            columns=number(b"Columns", 1),
        )
    return Filter(name, number(b"EarlyChange", 1) != 0, prediction)


def crypt_filter_of(chain: Chain) -> bytes | None:
    """The crypt filter that a stream names itself, or None when it names none.

    Source: ISO 32000-1, 7.4.10.
    """
    return next((item.crypt for item in chain if item.name == b"Crypt"), None)

"""From an object's bytes to the body and logical signatures that match it.

One pass of the multi-pattern search over the object gives the atoms and where they stand.
Each is checked in place: the part of the pattern around it, then the offset. What stands
that test makes its signature a candidate, and only candidates are evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tocsin.database.index import Index
from tocsin.database.layout import ANY_TARGET
from tocsin.engine.body_match import CHECK_EVERY, PartialHit, part_end
from tocsin.engine.logical_match import NOT_SEARCHED, Evaluation, Shown
from tocsin.engine.view import ObjectView, Range
from tocsin.errors import LimitReached

MAX_PLACES_OF_ATOM = 20_000
"""An atom that stands at more places is looked up by its pattern instead, if it comes to that."""

MOST_BYTES_SEARCHED = 0xFFFFFFFF
"""Hyperscan counts bytes in 32 bits."""

_NEW: list[int] = []


class SignatureMatch(NamedTuple):
    """A body or logical signature that matched.

    Attributes:
        name: its name.
        source: number of its source.
        pua: whether it names something merely unwanted.
        offset: where in the object its first known match starts, or None.
    """

    name: str
    source: int
    pua: bool
    offset: int | None


def matching_signatures(index: Index, view: ObjectView) -> Iterator[SignatureMatch]:
    """Every body and logical signature that matches an object, in the order of the index.

    Raises:
        LimitReached: the scan's time is over, or an object is made to match without end.
    """
    candidates = _candidates(index, view)
    for number in sorted({*candidates, *_without_atoms(index, view)}):
        view.check_time()
        signature = index.signature(number)
        evaluation = Evaluation(signature, view, candidates.get(number, {}), index.macros)
        if evaluation.holds():
            yield SignatureMatch(signature[0], signature[1], signature[2], evaluation.first_offset)


def _without_atoms(index: Index, view: ObjectView) -> Iterator[int]:
    yield from index.always.get(0, ())
    if view.target:
        yield from index.always.get(view.target, ())


def _candidates(index: Index, view: ObjectView) -> dict[int, dict[int, Shown]]:
    """What the atoms show, by signature and sub-signature."""
    candidates: dict[int, dict[int, Shown]] = {}
    for atom, ends in _atom_hits(index, view).items():
        for content, form, part, distance, holders in index.uses(atom):
            shown = _checked_in_place(content, form, part, distance, ends, view)
            if shown is None:
                continue
            for number, sub, target in holders:
                if target not in (ANY_TARGET, view.target):
                    continue  # an atom that signatures for different targets share
                subs = candidates.setdefault(number, {})
                subs[sub] = _joined(subs[sub], shown) if sub in subs else shown
    return candidates


def _joined(one: Shown, other: Shown) -> Shown:
    """What two forms of a pattern show together; without hits to go by, nothing is known."""
    if one.complete and other.complete:
        return Shown(sorted(one.starts + other.starts), True, [])
    if not one.hits or not other.hits:
        return NOT_SEARCHED
    return Shown([], False, one.hits + other.hits)


def _checked_in_place(
    content: tuple[Any, ...],
    form: int,
    part_number: int,
    distance: int,
    ends: list[int] | None,
    view: ObjectView,
) -> Shown | None:
    """What an atom's places show of a pattern; None when it does not match at any of them."""
    if ends is None:
        return NOT_SEARCHED
    _, offset, forms, nocase, _ = content
    parts = forms[form][0]
    part = parts[part_number]
    whole = len(parts) == 1
    ranges = view.starts(offset) if whole else None
    places: list[Range] = []
    for end in ends:
        start = end - distance
        if ranges is not None and not _within(start, ranges):
            continue
        stop = part_end(part, nocase, view, start)
        if stop >= 0:
            places.append((start, stop))
    if not places:
        return None
    if whole:
        return Shown([start for start, _ in places], True, [])
    return Shown([], False, [PartialHit(form, part_number, places)])


def _within(start: int, ranges: list[Range]) -> bool:
    return any(low <= start <= high for low, high in ranges)


def _atom_hits(index: Index, view: ObjectView) -> dict[int, list[int] | None]:
    """Ends of each atom seen; None for one seen so often that its places were not kept."""
    search = index.search(view.target)
    hits: dict[int, list[int] | None] = {}
    if search is None:
        return hits
    if view.size > MOST_BYTES_SEARCHED:
        raise LimitReached(f"{view.size} bytes are more than one search takes")
    seen = 0
    overdue: LimitReached | None = None

    def note(atom: int, _start: int, end: int, _flags: int, _context: object) -> bool | None:
        nonlocal seen, overdue
        seen += 1
        if seen % CHECK_EVERY == 0:
            try:
                view.check_time()
            except LimitReached as error:
                overdue = error
                return True
        ends = hits.get(atom, _NEW)
        if ends is _NEW:
            hits[atom] = [end]
        elif ends is not None:
            if len(ends) < MAX_PLACES_OF_ATOM:
                ends.append(end)
            else:
                hits[atom] = None
        return None

    import hyperscan

    try:
        search.scan(view.data, match_event_handler=note)
    except hyperscan.ScanTerminated:
        raise overdue or LimitReached("the search for atoms was stopped") from None
    return hits

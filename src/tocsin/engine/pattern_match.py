"""From an object's bytes to the body and logical signatures that match it.

One pass of the multi-pattern search over the object gives the atoms and where they stand.
Each is checked in place: the part of the pattern around it, then the offset. What stands
that test makes its signature a candidate, and only candidates are evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tocsin.database.index import Index
from tocsin.engine.body_match import CHECK_EVERY, part_end
from tocsin.engine.logical_match import Evaluation
from tocsin.engine.view import ObjectView, Range
from tocsin.errors import LimitReached


MAX_PLACES_OF_ATOM = 20_000
"""An atom that stands at more places is looked up by its pattern instead, if it comes to that."""

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
            yield SignatureMatch(
                signature[0], signature[1], signature[2], evaluation.first_offset
            )


def _without_atoms(index: Index, view: ObjectView) -> Iterator[int]:
    yield from index.always.get(0, ())
    if view.target:
        yield from index.always.get(view.target, ())


Shown = dict[int, list[int] | None]


def _candidates(index: Index, view: ObjectView) -> dict[int, Shown]:
    """What the atoms show, by signature and sub-signature."""
    candidates: dict[int, Shown] = {}
    for atom, ends in _atom_hits(index, view).items():
        for content, form, part, distance, holders in index.uses(atom):
            found = (
                _checked_in_place(content, form, part, distance, ends, view)
                if ends is not None
                else None
            )
            if found is None or found:
                _note(candidates, holders, found)
    for shown in candidates.values():
        for places in shown.values():
            if places is not None and len(places) > 1:
                places.sort()
    return candidates


def _note(
    candidates: dict[int, Shown],
    holders: tuple[tuple[int, int], ...],
    found: list[int] | None,
) -> None:
    for number, sub in holders:
        shown = candidates.setdefault(number, {})
        before = shown.get(sub, ())
        if found is None or before is None:
            shown[sub] = None
        else:
            shown[sub] = [*before, *found]


def _checked_in_place(
    content: tuple[Any, ...],
    form: int,
    part_number: int,
    distance: int,
    ends: list[int],
    view: ObjectView,
) -> list[int] | None:
    """Where the pattern matches; for one with gaps None when it may match."""
    _, offset, forms, nocase, _ = content
    parts = forms[form][0]
    part = parts[part_number]
    whole = len(parts) == 1
    ranges = view.starts(offset) if whole else None
    found: list[int] = []
    for end in ends:
        start = end - distance
        if ranges is not None and not _within(start, ranges):
            continue
        if part_end(part, nocase, view, start) < 0:
            continue
        if not whole:
            return None
        found.append(start)
    return found


def _within(start: int, ranges: list[Range]) -> bool:
    return any(low <= start <= high for low, high in ranges)


def _atom_hits(index: Index, view: ObjectView) -> dict[int, list[int] | None]:
    """Ends of each atom seen; None for one seen so often that its places were not kept."""
    search = index.search(view.target)
    hits: dict[int, list[int] | None] = {}
    if search is None:
        return hits
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

"""Finding a body pattern in an object.

A part is found by its anchor, the longest literal at a fixed place in it, and checked around
that place only; parts are joined by their gaps from left to right. Three rules of clamscan's
are kept: gaps do not overlap parts, a pattern without gaps counts once for each place it
starts at, and one with gaps once for each place its last part stands at.

Sources: ClamAV manual, "Body-based Signature Content Format"; counting measured with
clamscan 1.4.6. Layout of the tuples: `database.layout`.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from tocsin.database.layout import NO_BOUND
from tocsin.engine.view import ObjectView, Range
from tocsin.errors import LimitReached

MAX_PLACES = 1_000_000
"""Places of one part that are remembered; a hostile object could have one a byte."""

CHECK_EVERY = 4096


@lru_cache(maxsize=4096)
def part_regex(source: bytes) -> re.Pattern[bytes]:
    """The compiled form of a part's regular expression."""
    return re.compile(source, re.DOTALL)


def part_end(part: tuple[Any, ...], nocase: bool, view: ObjectView, start: int) -> int:
    """End of the part when it stands at `start`, else -1."""
    literal, source = part[0], part[1]
    if start < 0:
        return -1
    if literal is not None:
        data = view.lower if nocase else view.data
        return start + len(literal) if data.startswith(literal, start) else -1
    match = part_regex(source).match(view.data, start)
    return match.end() if match else -1


class PartialHit(NamedTuple):
    """Places at which an atom has shown one part of a pattern with gaps.

    Attributes:
        form: number of the form.
        part: number of the part.
        places: start and end of each place, in ascending order.
    """

    form: int
    part: int
    places: list[Range]


def content_matches(
    content: tuple[Any, ...],
    view: ObjectView,
    *,
    limit: int | None = None,
    hits: Sequence[PartialHit] = (),
) -> list[int]:
    """Where a body pattern matches.

    Args:
        content: the pattern, as CONTENT.
        view: the object.
        limit: stop when so many matches are found; None finds all.
        hits: what the atoms have shown of the pattern, when that is all there is to show.

    Returns:
        Starts in ascending order; of a pattern with gaps one for each place of its last
        part, so that the length is the count.
    """
    _, offset, forms, nocase, number = content
    key = (number, offset, limit)
    found = view.found.get(key)
    if found is None:
        ranges = view.starts(offset)
        found = []
        for place, form in enumerate(forms):
            if hits and not _may_match(form, nocase, view, [h for h in hits if h.form == place]):
                continue
            found += _form_matches(form, nocase, view, ranges, limit)
            if limit is not None and len(found) >= limit:
                break
        if len(forms) > 1:
            found.sort()
        view.found[key] = found
    return found


def _may_match(
    form: tuple[Any, ...], nocase: bool, view: ObjectView, hits: list[PartialHit]
) -> bool:
    """Whether the parts beside one that was seen stand where the gaps allow."""
    parts, gaps = form
    for hit in hits:
        places = hit.places
        after = list(zip(parts[hit.part + 1 :], gaps[hit.part :], strict=True))
        for number, (part, (low, high)) in enumerate(after):
            beyond = after[number + 1][1][1] if number + 1 < len(after) else NO_BOUND
            places = _reached(part, nocase, view, places, low, high, one=beyond == NO_BOUND)
            if not places:
                break
        if not places:
            continue
        places = hit.places
        before = list(zip(parts[: hit.part], gaps[: hit.part], strict=True))[::-1]
        for number, (part, (low, high)) in enumerate(before):
            beyond = before[number + 1][1][1] if number + 1 < len(before) else NO_BOUND
            places = _reaching(part, nocase, view, places, low, high, one=beyond == NO_BOUND)
            if not places:
                break
        if places:
            return True
    return False


def _reached(
    part: tuple[Any, ...],
    nocase: bool,
    view: ObjectView,
    places: list[Range],
    low: int,
    high: int,
    *,
    one: bool,
) -> list[Range]:
    """Places of a part behind the gap after one of `places`; with `one` the nearest will do."""
    found: dict[int, Range] = {}
    if high == NO_BOUND:
        nearest = min(end for _, end in places) + low
        reached = part_places(part, nocase, view, nearest, view.size)
        return list(islice(reached, 1 if one else MAX_PLACES))
    for _, end in places:
        for place in part_places(part, nocase, view, end + low, end + high):
            found[place[0]] = place
    return list(found.values())


def _reaching(
    part: tuple[Any, ...],
    nocase: bool,
    view: ObjectView,
    places: list[Range],
    low: int,
    high: int,
    *,
    one: bool,
) -> list[Range]:
    """Places of a part before the gap in front of one of `places`; with `one` the last will do."""
    found: dict[int, Range] = {}
    shortest, longest = part[4], part[5]
    for start, _ in reversed(places):
        last = start - low - shortest
        first = 0 if high == NO_BOUND else max(0, start - high - longest)
        for place in part_places(part, nocase, view, first, last):
            gap = start - place[1]
            if gap >= low and (high == NO_BOUND or gap <= high):
                found[place[0]] = place
        if high == NO_BOUND:
            break  # the last place looks furthest back
    if one and found:
        return [found[max(found)]]
    return list(found.values())


def _form_matches(
    form: tuple[Any, ...],
    nocase: bool,
    view: ObjectView,
    ranges: list[Range] | None,
    limit: int | None,
) -> list[int]:
    parts = form[0]
    if len(parts) > 1:
        return _chain(form, nocase, view, ranges, limit)
    starts: list[int] = []
    for start, _ in _places_in(parts[0], nocase, view, ranges):
        starts.append(start)
        if limit is not None and len(starts) >= limit:
            break
        _bound(starts)
    return starts


def _places_in(
    part: tuple[Any, ...], nocase: bool, view: ObjectView, ranges: list[Range] | None
) -> Iterator[Range]:
    if ranges is None:
        yield from part_places(part, nocase, view, 0, view.size)
        return
    for low, high in ranges:
        yield from part_places(part, nocase, view, max(low, 0), high)


def part_places(
    part: tuple[Any, ...], nocase: bool, view: ObjectView, low: int, high: int
) -> Iterator[Range]:
    """Start and end of each place of a part that starts from `low` to `high`, both included."""
    _, _, anchor, anchor_at, shortest, _ = part
    high = min(high, view.size - shortest)
    if low > high:
        return
    if low == high:
        end = part_end(part, nocase, view, low)
        if end >= 0:
            yield low, end
        return
    if not anchor:
        yield from _places_by_regex(part, view, low, high)
        return
    data = view.lower if nocase else view.data
    last = high + anchor_at + len(anchor)
    place = data.find(anchor, low + anchor_at, last)
    seen = 0
    while place >= 0:
        start = place - anchor_at
        end = part_end(part, nocase, view, start)
        if end >= 0:
            yield start, end
        seen += 1
        if seen % CHECK_EVERY == 0:
            view.check_time()
        place = data.find(anchor, place + 1, last)


def _places_by_regex(
    part: tuple[Any, ...], view: ObjectView, low: int, high: int
) -> Iterator[Range]:
    regex = part_regex(part[1])
    match = regex.search(view.data, low)
    seen = 0
    while match and match.start() <= high:
        yield match.span()
        seen += 1
        if seen % CHECK_EVERY == 0:
            view.check_time()
        match = regex.search(view.data, match.start() + 1)


def _chain(
    form: tuple[Any, ...],
    nocase: bool,
    view: ObjectView,
    ranges: list[Range] | None,
    limit: int | None,
) -> list[int]:
    """Starts of the chains, one for each place of the last part."""
    parts, gaps = form
    if not _all_present(parts, nocase, view):
        return []
    stop_at_one = gaps[0][1] == NO_BOUND
    ends, starts = _first_places(parts[0], nocase, view, ranges, stop_at_one=stop_at_one)
    for place, (low, high) in enumerate(gaps):
        if not ends:
            return []
        last = place == len(gaps) - 1
        follows_freely = last or gaps[place + 1][1] == NO_BOUND
        enough = limit if last else 1 if follows_freely else None
        ends, starts = _next_places(
            parts[place + 1], nocase, view, ends, starts, low, high, enough=enough
        )
    return starts


def _all_present(parts: tuple[Any, ...], nocase: bool, view: ObjectView) -> bool:
    """Whether every anchor stands somewhere: one search each, the longest first."""
    data = view.lower if nocase else view.data
    anchors = sorted((part[2] for part in parts if part[2]), key=len, reverse=True)
    return all(anchor in data for anchor in anchors)


def _first_places(
    part: tuple[Any, ...],
    nocase: bool,
    view: ObjectView,
    ranges: list[Range] | None,
    *,
    stop_at_one: bool,
) -> tuple[list[int], list[int]]:
    ends: list[int] = []
    starts: list[int] = []
    for start, end in _places_in(part, nocase, view, ranges):
        ends.append(end)
        starts.append(start)
        if stop_at_one:
            break  # the earliest end reaches whatever a later one reaches
        _bound(ends)
    return _by_end(part, ends, starts)


def _next_places(
    part: tuple[Any, ...],
    nocase: bool,
    view: ObjectView,
    ends: list[int],
    starts: list[int],
    low: int,
    high: int,
    *,
    enough: int | None,
) -> tuple[list[int], list[int]]:
    """Places of the part that one of `ends` reaches over a gap of `low` to `high` bytes."""
    next_ends: list[int] = []
    next_starts: list[int] = []
    furthest = view.size if high == NO_BOUND else ends[-1] + high
    for start, end in part_places(part, nocase, view, ends[0] + low, furthest):
        newest = bisect_right(ends, start - low) - 1
        oldest = 0 if high == NO_BOUND else bisect_left(ends, start - high)
        if newest < oldest:
            continue
        next_ends.append(end)
        next_starts.append(starts[oldest])
        if enough is not None and len(next_ends) >= enough:
            break
        _bound(next_ends)
    return _by_end(part, next_ends, next_starts)


def _by_end(
    part: tuple[Any, ...], ends: list[int], starts: list[int]
) -> tuple[list[int], list[int]]:
    """Order by end, which a part of varying length does not do by itself."""
    if part[4] == part[5] or len(ends) < 2:
        return ends, starts
    pairs = sorted(zip(ends, starts, strict=True))
    return [end for end, _ in pairs], [start for _, start in pairs]


def _bound(places: list[int]) -> None:
    if len(places) > MAX_PLACES:
        raise LimitReached(f"a part of a signature matches at more than {MAX_PLACES} places")

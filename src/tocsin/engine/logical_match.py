"""Whether a signature holds for an object: conditions, then its expression, lazily.

An evaluation starts from what the atoms have shown. A sub-signature whose atoms are in the
search and were not seen is known not to match without looking; the others are looked up
when the expression asks for them, each pattern once an object.

Sources: ClamAV manual, "Logical signatures", "Byte compare subsignatures", "PCRE
subsignatures", "Macro subsignatures"; evaluation order and counting measured with clamscan
1.4.6.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, NamedTuple

from tocsin.database.layout import BYTES, CONTENT, MACRO
from tocsin.engine.body_match import PartialHit, content_matches
from tocsin.engine.byte_compare import compares
from tocsin.engine.pcre_match import pcre_count
from tocsin.engine.view import ObjectView
from tocsin.formats.layout import Layout

ANY_TYPE = "ANY"


class Shown(NamedTuple):
    """What the atoms have shown of a sub-signature.

    Attributes:
        starts: where it matches, when `complete`.
        complete: whether that is all there is; otherwise it has to be looked up.
        hits: where parts of it were seen, to look up around; empty when anywhere.
    """

    starts: list[int]
    complete: bool
    hits: list[PartialHit]


NOT_SEARCHED = Shown([], False, [])


class Outcome(NamedTuple):
    """Truth of an expression, the matches behind it and the sub-signatures that took part."""

    true: bool
    matches: int
    subs: frozenset[int]


FALSE = Outcome(False, 0, frozenset())


class Evaluation:
    """One signature held against one object.

    Args:
        signature: as SIGNATURE in `database.layout`.
        view: the object.
        shown: what the atoms have shown, by number of the sub-signature.
        macros: members of the macro groups.
    """

    def __init__(
        self,
        signature: tuple[Any, ...],
        view: ObjectView,
        shown: dict[int, Shown],
        macros: dict[int, list[tuple[int, Any]]],
    ) -> None:
        self._conditions = signature[3]
        self._expression = signature[4]
        self._subs = signature[5]
        self._indexed: frozenset[int] = signature[6]
        self._view = view
        self._shown = shown
        self._macros = macros
        self._counts: dict[tuple[int, int | None], int] = {}
        self.first_offset: int | None = None

    def holds(self) -> bool:
        """Whether the signature matches."""
        if not conditions_hold(self._conditions, self._view):
            return False
        return self._evaluate(self._expression, summed=False).true

    def _evaluate(self, expression: tuple[Any, ...], *, summed: bool) -> Outcome:
        """Truth, number of matches and the sub-signatures that took part.

        Args:
            expression: as EXPRESSION.
            summed: whether a bound around it needs the exact number of matches; if not,
                looking stops as soon as the truth is known.
        """
        if len(expression) == 3:
            return self._evaluate_leaf(expression, summed=summed)
        joined, left_side, right_side, operator, matches, distinct = expression
        inner = summed or bool(operator)
        left = self._evaluate(left_side, summed=inner)
        if joined == "&" and not left.true:
            true, count, subs = FALSE
        elif joined == "|" and left.true and not inner:
            true, count, subs = left
        else:
            right = self._evaluate(right_side, summed=inner)
            true = right.true if joined == "&" else left.true or right.true
            count = left.matches + right.matches if true else 0
            subs = left.subs | right.subs if true else frozenset()
        if not operator:
            return Outcome(true, count, subs)
        if not _compare(count, operator, matches) or (distinct and len(subs) < distinct):
            return FALSE
        return Outcome(True, count, frozenset())

    def _evaluate_leaf(self, leaf: tuple[Any, ...], *, summed: bool) -> Outcome:
        index, operator, matches = leaf
        limit = None if summed else matches + 1 if operator else 1
        count = self._count(index, limit)
        if _compare(count, operator, matches) if operator else count > 0:
            return Outcome(True, count, frozenset((index,)))
        return FALSE

    def _count(self, index: int, limit: int | None) -> int:
        key = (index, limit)
        count = self._counts.get(key)
        if count is None:
            self._counts[key] = 0  # a sub-signature that asks for itself finds nothing
            count = self._counts[key] = self._look_up(index, limit)
        return count

    def _look_up(self, index: int, limit: int | None) -> int:
        sub = self._subs[index]
        kind = sub[0]
        if kind == CONTENT:
            if self._followed_by_macro(index):
                return self._macro_counts(index)[0]
            return len(self._matches(index, limit))
        if kind == MACRO:
            return self._macro_counts(index - 1)[1] if index else 0
        if kind == BYTES:
            return self._compare_bytes(index, sub)
        return self._run_regex(sub)

    def _followed_by_macro(self, index: int) -> bool:
        return index + 1 < len(self._subs) and self._subs[index + 1][0] == MACRO

    def _matches(self, index: int, limit: int | None) -> list[int]:
        shown = self._shown.get(index)
        if shown is None:
            if index in self._indexed:
                return []  # its atoms are in the search and were not seen
            shown = NOT_SEARCHED
        if shown.complete:
            found = shown.starts
        else:
            content = self._subs[index]
            found = content_matches(content, self._view, limit=limit, hits=shown.hits)
        if found and (self.first_offset is None or found[0] < self.first_offset):
            self.first_offset = found[0]
        return found

    def _compare_bytes(self, index: int, sub: tuple[Any, ...]) -> int:
        trigger = sub[1]
        if trigger >= len(self._subs) or self._subs[trigger][0] != CONTENT or trigger == index:
            return 0
        found = self._matches(trigger, None)
        return int(bool(found) and compares(sub, self._view.data, found[-1]))

    def _run_regex(self, sub: tuple[Any, ...]) -> int:
        _, offset, trigger, pattern, flags = sub
        if not self._evaluate(trigger, summed=False).true:
            return 0
        return pcre_count(pattern, flags, self._view.starts(offset), self._view)

    def _macro_counts(self, index: int) -> tuple[int, int]:
        """Matches that count for a sub-signature and for the macro that follows it.

        The first match stands; from the second on, each asks whether the newest member of
        the group seen so far starts within the macro's range behind the one that stands. If
        so the macro counts once more, if not the new match takes the old one's place. The end
        of the object asks once more. So a macro needs two matches before it.
        """
        _, group, low, high = self._subs[index + 1]
        places = self._matches(index, None)
        members = sorted(
            place
            for target, content in self._macros.get(group, ())
            if target in (0, self._view.target)
            for place in content_matches((*content[:1], None, *content[2:]), self._view)
        )
        count = macro_count = previous = 0
        for place in places:
            count += 1
            if count == 1:
                previous = place
                continue
            if _member_behind(members, previous, low, high, before=place):
                macro_count += 1
            else:
                count -= 1
                previous = place
        if count > 1:
            if _member_behind(members, previous, low, high, before=self._view.size):
                macro_count += 1
            else:
                count -= 1
        return count, macro_count


def _member_behind(members: list[int], place: int, low: int, high: int, *, before: int) -> bool:
    """Whether the newest member of a macro group seen by then stands where it should."""
    seen = bisect_left(members, before)
    return seen > 0 and place + low <= members[seen - 1] <= place + high


def conditions_hold(conditions: tuple[Any, ...], view: ObjectView) -> bool:
    """Whether an object is what a target description block asks for."""
    file_size, entry_point, sections, container, intermediates = conditions
    if file_size is not None and not file_size[0] <= view.size <= file_size[1]:
        return False
    if container and container != (view.parents[-1] if view.parents else ANY_TYPE):
        return False
    if intermediates and not _inside(intermediates, view.parents):
        return False
    if entry_point is None and sections is None:
        return True
    layout = view.layout
    return layout is not None and _layout_fits(layout, entry_point, sections)


def _layout_fits(
    layout: Layout, entry_point: tuple[int, int] | None, sections: tuple[int, int] | None
) -> bool:
    if entry_point is not None:
        if layout.entry_point is None:
            return False
        if not entry_point[0] <= layout.entry_point <= entry_point[1]:
            return False
    return sections is None or sections[0] <= len(layout.sections) <= sections[1]


def _inside(intermediates: tuple[str, ...], parents: tuple[str, ...]) -> bool:
    """Whether the innermost containers are these, the outermost first.

    As in clamscan 1.4.6 an `ANY` counts for how deep an object must lie, and stands for no
    container in particular: `A>ANY` asks for A directly around the object.
    """
    if len(intermediates) > len(parents):
        return False
    named = [wanted for wanted in intermediates if wanted != ANY_TYPE]
    return not named or tuple(named) == parents[len(parents) - len(named) :]


def _compare(count: int, operator: str, matches: int) -> bool:
    if operator == "=":
        return count == matches
    if operator == ">":
        return count > matches
    return count < matches

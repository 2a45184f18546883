"""Whether a signature holds for an object: conditions, then its expression, lazily.

An evaluation starts from what the atoms have shown. A sub-signature whose atoms are in the
search and were not seen is known not to match without looking; the others are looked up
when the expression asks for them, each pattern once an object.

Sources: ClamAV manual, "Logical signatures", "Byte compare subsignatures", "PCRE
subsignatures", "Macro subsignatures"; evaluation order and counting measured with clamscan
1.4.6.
"""

from __future__ import annotations

from typing import Any

from tocsin.database.compiled import BYTES, CONTENT, MACRO
from tocsin.engine.body_match import content_matches
from tocsin.engine.byte_compare import compares
from tocsin.engine.pcre_match import pcre_count
from tocsin.engine.view import ObjectView
from tocsin.formats.layout import Layout

ANY_TYPE = "ANY"


class Evaluation:
    """One signature held against one object.

    Args:
        signature: as SIGNATURE in `database.compiled`.
        view: the object.
        shown: what the atoms have shown, by number of the sub-signature: where it matches,
            or None when it may match and has to be looked up.
        macros: members of the macro groups.
    """

    def __init__(
        self,
        signature: tuple[Any, ...],
        view: ObjectView,
        shown: dict[int, list[int] | None],
        macros: dict[int, list[tuple[int, Any]]],
    ) -> None:
        self._conditions = signature[3]
        self._expression = signature[4]
        self._subs = signature[5]
        self._indexed: frozenset[int] = signature[6]
        self._counted: bool = signature[7]
        self._view = view
        self._shown = shown
        self._macros = macros
        self._counts: dict[int, int] = {}
        self.first_offset: int | None = None

    def holds(self) -> bool:
        """Whether the signature matches."""
        return conditions_hold(self._conditions, self._view) and self._true(self._expression)

    def _true(self, expression: tuple[Any, ...]) -> bool:
        if not self._counted:
            return self._plain(expression)
        return self._evaluate(expression)[0]

    def _plain(self, expression: tuple[Any, ...]) -> bool:
        """Truth of an expression without counts, without looking further than needed."""
        if len(expression) == 3:
            index, operator, matches = expression
            count = self._count(index)
            if operator == "=":
                return count == matches
            return count > 0
        if expression[0] == "&":
            return self._plain_and(expression)
        return self._plain(expression[1]) or self._plain(expression[2])

    def _plain_and(self, expression: tuple[Any, ...]) -> bool:
        """All children of nested ANDs: first those whose answer is already known."""
        waiting = [expression]
        later: list[tuple[Any, ...]] = []
        while waiting:
            branch = waiting.pop()
            for child in (branch[1], branch[2]):
                if len(child) != 3 and child[0] == "&" and not child[3]:
                    waiting.append(child)
                elif len(child) == 3 and child[0] in self._indexed:
                    if not self._plain(child):
                        return False
                else:
                    later.append(child)
        return all(self._plain(child) for child in later)

    def _evaluate(self, expression: tuple[Any, ...]) -> tuple[bool, int, frozenset[int]]:
        """Truth, number of matches and the sub-signatures that took part."""
        if len(expression) == 3:
            index, operator, matches = expression
            count = self._count(index)
            if _compare(count, operator, matches) if operator else count > 0:
                return True, count, frozenset((index,))
            return False, 0, frozenset()
        joined, left_side, right_side, operator, matches, distinct = expression
        left = self._evaluate(left_side)
        right = self._evaluate(right_side)
        true = (left[0] and right[0]) if joined == "&" else (left[0] or right[0])
        count = left[1] + right[1] if true else 0
        subs = left[2] | right[2] if true else frozenset()
        if not operator:
            return true, count, subs
        if not _compare(count, operator, matches) or (distinct and len(subs) < distinct):
            return False, 0, frozenset()
        return True, count, frozenset()

    def _count(self, index: int) -> int:
        count = self._counts.get(index)
        if count is None:
            self._counts[index] = 0  # a sub-signature that asks for itself finds nothing
            count = self._counts[index] = self._look_up(index)
        return count

    def _look_up(self, index: int) -> int:
        sub = self._subs[index]
        kind = sub[0]
        if kind == CONTENT:
            following = self._subs[index + 1] if index + 1 < len(self._subs) else (None,)
            if following[0] == MACRO:
                return self._macro_counts(index)[0]
            return len(self._matches(index))
        if kind == MACRO:
            return self._macro_counts(index - 1)[1] if index else 0
        if kind == BYTES:
            return self._compare_bytes(index, sub)
        return self._run_regex(sub)

    def _matches(self, index: int) -> list[int]:
        if index in self._indexed:
            shown = self._shown.get(index, [])  # in the search and not seen: no match
        else:
            shown = None
        found = (
            content_matches(self._subs[index], self._view, every=self._wants_all(index))
            if shown is None
            else shown
        )
        if found and (self.first_offset is None or found[0] < self.first_offset):
            self.first_offset = found[0]
        return found

    def _wants_all(self, index: int) -> bool:
        if self._counted:
            return True
        following = self._subs[index + 1 :]
        return any(sub[0] == BYTES and sub[1] == index for sub in self._subs) or bool(
            following and following[0][0] == MACRO
        )

    def _compare_bytes(self, index: int, sub: tuple[Any, ...]) -> int:
        trigger = sub[1]
        if trigger >= len(self._subs) or self._subs[trigger][0] != CONTENT or trigger == index:
            return 0
        found = self._matches(trigger)
        return int(bool(found) and compares(sub, self._view.data, found[-1]))

    def _run_regex(self, sub: tuple[Any, ...]) -> int:
        _, offset, trigger, pattern, flags = sub
        if not self._evaluate(trigger)[0]:
            return 0
        return pcre_count(pattern, flags, self._view.starts(offset), self._view)

    def _macro_counts(self, index: int) -> tuple[int, int]:
        """Matches that count for a sub-signature and for the macro that follows it.

        Each match is weighed when the next one comes, and the last at the end of the
        object: it counts when the newest member of the group seen by then starts within the
        macro's range behind it. A single match is never weighed, so a macro needs two.
        """
        _, group, low, high = self._subs[index + 1]
        places = self._matches(index)
        members = sorted(
            place
            for target, content in self._macros.get(group, ())
            if target in (0, self._view.target)
            for place in content_matches((*content[:1], None, *content[2:]), self._view, every=True)
        )
        if len(places) < 2:
            return len(places), 0
        count = macro_count = 0
        for place, following in zip(places, [*places[1:], self._view.size], strict=True):
            before = [member for member in members if member < following]
            if before and place + low <= before[-1] <= place + high:
                count += 1
                macro_count += 1
        return count, macro_count


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
    """Whether the innermost containers are these, read from the direct parent outwards."""
    if len(intermediates) > len(parents):
        return False
    innermost = parents[len(parents) - len(intermediates) :]
    return all(
        wanted in (ANY_TYPE, actual)
        for wanted, actual in zip(intermediates, innermost, strict=True)
    )


def _compare(count: int, operator: str, matches: int) -> bool:
    if operator == "=":
        return count == matches
    if operator == ">":
        return count > matches
    return count < matches

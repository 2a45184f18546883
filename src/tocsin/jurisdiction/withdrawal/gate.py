"""The gate that every act goes through: asks `decide`, and remembers what it said for how long."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from tocsin.jurisdiction.decide import decide
from tocsin.jurisdiction.question import Question
from tocsin.jurisdiction.rulebook import Rulebook
from tocsin.jurisdiction.vocabulary import Operation, Outcome, Product
from tocsin.jurisdiction.withdrawal.closings import BEFORE_ALL, BLOCKED
from tocsin.jurisdiction.withdrawal.population import Profile
from tocsin.jurisdiction.withdrawal.strictest import strictest


class Answer(NamedTuple):
    """What the rules say of an act.

    Attributes:
        outcome: the answer.
        blocked: whether the act is not done.
        why: outcome and rules, for the journal; empty where it is done.
    """

    outcome: Outcome
    blocked: bool
    why: str


class Track:
    """Answers to one question over all time.

    Attributes:
        bounds: seconds since 1970 at which the answer may be another one, sorted.
        answers: one more than bounds: before the first, and from each on.
    """

    def __init__(self, book: Rulebook, question: Question) -> None:
        first = decide(book, question._replace(at=BEFORE_ALL))
        times = first.changes_after(BEFORE_ALL)
        self.bounds = [ceil(time.timestamp()) for time in times]
        self.answers = [_answer(book, question._replace(at=time)) for time in (BEFORE_ALL, *times)]

    def at(self, second: int) -> Answer:
        """The answer at an instant, in seconds since 1970."""
        return self.answers[bisect_right(self.bounds, second)]

    def holds_until(self, second: int, last: int) -> int:
        """Until when the answer of an instant holds for sure; at most `last`."""
        place = bisect_right(self.bounds, second)
        return self.bounds[place] if place < len(self.bounds) else last

    def blocked_between(self, begins: int, ends: int) -> list[tuple[int, int]]:
        """Stretches within a time in which the act is not done."""
        marks = [begins, *(each for each in self.bounds if begins < each < ends), ends]
        found: list[tuple[int, int]] = []
        for first, last in pairwise(marks):
            if not self.at(first).blocked:
                continue
            if found and found[-1][1] == first:
                found[-1] = (found[-1][0], last)
            else:
                found.append((first, last))
        return found


class Gate:
    """Asks the rules, by the strictest of their readings.

    Args:
        book: the rules.
        supplier: its identifier.
    """

    def __init__(self, book: Rulebook, supplier: str) -> None:
        self._book = strictest(book)
        self._supplier = supplier
        self._tracks: dict[tuple[Profile, Operation, Product, int | None], Track] = {}

    def track(
        self, profile: Profile, operation: Operation, product: Product, device: int | None = None
    ) -> Track:
        """The answers for an act; see `Profile.question`."""
        key = (profile, operation, product, device)
        if key not in self._tracks:
            question = profile.question(
                operation, product, self._supplier, BEFORE_ALL, device=device
            )
            self._tracks[key] = Track(self._book, question)
        return self._tracks[key]


def _answer(book: Rulebook, question: Question) -> Answer:
    decision = decide(book, question)
    blocked = decision.outcome in BLOCKED
    rules = ", ".join(each.rule.id for each in decision.deciding)
    if decision.outcome is Outcome.UNDETERMINED:
        rules = " and ".join(decision.facts.unknown) or rules
    why = f"{decision.outcome.value}: {rules}" if blocked else ""
    return Answer(decision.outcome, blocked, why)


def instant(second: int) -> datetime:
    """Seconds since 1970 as an instant."""
    return datetime.fromtimestamp(second, UTC)

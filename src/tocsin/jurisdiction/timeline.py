"""Decisions over time: operations against dates, and requests one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tocsin.errors import LawError
from tocsin.jurisdiction.decide import Decision, decide
from tocsin.jurisdiction.question import Question
from tocsin.jurisdiction.rulebook import Rulebook
from tocsin.jurisdiction.vocabulary import Operation, Outcome, Product

MOST_QUESTIONS = 10_000
MOST_DAYS = 100_000
"""That are counted one by one."""


class Span(NamedTuple):
    """A stretch of time with one outcome by the same rules.

    Attributes:
        begins: its first instant.
        ends: the first instant that is not in it.
        outcome: of every instant in it.
        rules: identifiers of the rules it follows from.
    """

    begins: datetime
    ends: datetime
    outcome: Outcome
    rules: tuple[str, ...]


class Row(NamedTuple):
    """One operation on one class of product over the whole time; its spans follow one another."""

    operation: Operation
    product: Product | None
    spans: tuple[Span, ...]

    def at(self, time: datetime) -> Span:
        """The span that an instant is in."""
        return next(span for span in reversed(self.spans) if span.begins <= time)

    @property
    def changes(self) -> bool:
        """Whether its outcome does."""
        return len({span.outcome for span in self.spans}) > 1


class Timeline(NamedTuple):
    """Rows over one period.

    Attributes:
        first: where it begins.
        last: where it ends; not in it.
        rows: in the order that was asked for.
        assumptions: what was taken for granted.
    """

    first: datetime
    last: datetime
    rows: tuple[Row, ...]
    assumptions: tuple[str, ...]

    @property
    def instants(self) -> tuple[datetime, ...]:
        """The beginning, and every instant at which an outcome changes."""
        found = {self.first}
        for row in self.rows:
            for before, after in zip(row.spans, row.spans[1:], strict=False):
                if before.outcome is not after.outcome:
                    found.add(after.begins)
        return tuple(sorted(found))


class Change(NamedTuple):
    """An outcome that becomes another one.

    Attributes:
        at: the first instant of the later one.
        operation: of which operation.
        product: of which class of product.
        before: the outcome until then.
        after: the outcome from then on.
        rules: identifiers of the rules that the later one follows from.
    """

    at: datetime
    operation: Operation
    product: Product | None
    before: Outcome
    after: Outcome
    rules: tuple[str, ...]


def timeline(
    rulebook: Rulebook, questions: Sequence[Question], first: datetime, last: datetime
) -> Timeline:
    """What a rulebook says of questions from one instant to another.

    Args:
        rulebook: the rules.
        questions: a row each; their own instants do not matter.
        first: with a time zone.
        last: after it; not in the period.

    Raises:
        LawError: no period, or too many questions.
    """
    first, last = first.astimezone(UTC), last.astimezone(UTC)
    if last <= first:
        raise LawError(f"the period ends on {last.isoformat()}, which is not after it begins")
    if len(questions) > MOST_QUESTIONS:
        raise LawError(f"more than {MOST_QUESTIONS:,} rows; name some operations and products")
    rows = []
    assumptions: dict[str, None] = {}
    for question in questions:
        spans = tuple(_spans(rulebook, question, first, last))
        rows.append(Row(question.operation, question.product, spans))
        assumptions |= dict.fromkeys(decide(rulebook, question).assumptions)
    return Timeline(first, last, tuple(rows), tuple(assumptions))


def changes(of: Timeline) -> tuple[Change, ...]:
    """The changes in a period, in their order."""
    found = [
        Change(after.begins, row.operation, row.product, before.outcome, after.outcome, after.rules)
        for row in of.rows
        for before, after in zip(row.spans, row.spans[1:], strict=False)
        if before.outcome is not after.outcome
    ]
    return tuple(sorted(found, key=lambda change: change.at))


def days(of: Timeline) -> Iterator[tuple[datetime, Counter[Outcome]]]:
    """How many rows have which outcome at the beginning of each day of 24 hours.

    Raises:
        LawError: they are too many.
    """
    count = -((of.first - of.last) // timedelta(days=1))
    if count > MOST_DAYS:
        raise LawError(f"a period of {count:,} days; at most {MOST_DAYS:,} are counted")
    for day in range(count):
        time = of.first + timedelta(days=day)
        yield time, Counter(row.at(time).outcome for row in of.rows)


def run_diary(rulebook: Rulebook, requests: Iterable[Question]) -> Iterator[Decision]:
    """Decide requests one after the other, each at its own instant."""
    return (decide(rulebook, request) for request in requests)


def _spans(
    rulebook: Rulebook, question: Question, first: datetime, last: datetime
) -> Iterator[Span]:
    begins, held = first, decide(rulebook, question._replace(at=first))
    for time in held.changes_after(first):
        if time >= last:
            break
        following = decide(rulebook, question._replace(at=time))
        if _of(following) != _of(held):
            yield Span(begins, time, *_of(held))
            begins, held = time, following
    yield Span(begins, last, *_of(held))


def _of(decision: Decision) -> tuple[Outcome, tuple[str, ...]]:
    return decision.outcome, tuple(each.rule.id for each in decision.deciding)

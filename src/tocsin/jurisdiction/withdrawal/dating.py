"""Dates of a plan: steps stand before, at or after an instant, none before the announcement."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from tocsin.jurisdiction.rulebook import BoundRule, Rulebook
from tocsin.jurisdiction.vocabulary import Operation
from tocsin.jurisdiction.withdrawal.model import Closing, Ground, Step, Timing, local
from tocsin.jurisdiction.withdrawal.strictest import begins
from tocsin.jurisdiction.withdrawal.terms import Terms


class Calendar:
    """Takes steps, and dates each.

    Args:
        book: the rules, for reasons.
        place: that is left, for its clocks.
        announced: no step is earlier.
        closings: what becomes forbidden.
        terms: numbers of days.

    Attributes:
        steps: so far.
        cautions: what turned out to be too near, in sentences.
    """

    def __init__(
        self,
        book: Rulebook,
        place: str,
        announced: datetime,
        closings: Iterable[Closing],
        terms: Terms,
    ) -> None:
        self.place = place
        self.announced = announced
        self.terms = terms
        self.steps: list[Step] = []
        self.cautions: list[str] = []
        self._rules = {rule.id: rule for rule in book.rules}
        self._closings = tuple(closings)

    def end_of(self, *operations: Operation) -> datetime | None:
        """The first instant at which one of some operations is forbidden; None: never."""
        times = [
            each.at or self.announced for each in self._closings if each.operation in operations
        ]
        return max(min(times), self.announced) if times else None

    def grounds(self, *operations: Operation) -> tuple[Ground, ...]:
        """The rules by which some operations are forbidden."""
        found = dict.fromkeys(
            rule for each in self._closings if each.operation in operations for rule in each.rules
        )
        return tuple(ground(self._rules[rule]) for rule in found)

    def before(
        self, end: datetime, margin: timedelta, identifier: str, title: str, **words: str
    ) -> datetime:
        """A step to be done some time before an end; `words` are the fields of a `Step`.

        Returns:
            The instant that it got: at once, if the announcement leaves no time.
        """
        wanted = end - margin
        late = wanted < self.announced
        if late:
            left = end - self.announced
            self.cautions.append(
                f"Too near: {title.lower()} should be done {_length(margin)} before "
                f"{_utc(end)}, and the announcement leaves {_length(left)}"
                if left > timedelta(0)
                else f"Over already: {title.lower()}; forbidden since {_utc(end)} or before. "
                "Do it at once"
            )
        return self._add(Timing.BY, max(wanted, self.announced), identifier, title, late, words)

    def at(self, time: datetime, identifier: str, title: str, **words: str) -> datetime:
        """A step that takes effect at an instant."""
        return self._add(Timing.AT, time, identifier, title, False, words)

    def begin(self, time: datetime, identifier: str, title: str, **words: str) -> datetime:
        """A step that begins at an instant and goes on."""
        return self._add(Timing.FROM, max(time, self.announced), identifier, title, False, words)

    def _add(
        self,
        timing: Timing,
        at: datetime,
        identifier: str,
        title: str,
        late: bool,
        words: dict[str, str],
    ) -> datetime:
        operations = [Operation(name) for name in words.pop("by_rules_on", "").split()]
        at = at.astimezone(UTC)
        self.steps.append(
            Step(
                id=identifier,
                timing=timing,
                at=at,
                local=local(at, self.place),
                title=title,
                grounds=self.grounds(*operations),
                late=late,
                **words,
            )
        )
        return at


def ground(rule: BoundRule) -> Ground:
    """A rule as a reason."""
    instrument, stated = rule.instrument, rule.rule
    planned = begins(stated)
    notes = [stated.note] if stated.note else []
    for reading in stated.readings:
        notes.append(
            f"another reading has it begin on {_utc(reading.effective)} ({reading.note}; "
            f"{reading.basis.value})"
        )
    if stated.readings:
        notes.append(f"planned by the strictest of them, {_utc(planned)}")
    return Ground(
        rule=rule.id,
        summary=stated.summary,
        authority=instrument.authority,
        citation=instrument.citation,
        link=instrument.link,
        basis=stated.basis,
        effective=stated.effective.astimezone(UTC),
        planned=planned.astimezone(UTC),
        note="; ".join(notes),
    )


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _length(length: timedelta) -> str:
    hours = int(length.total_seconds() // 3600)
    return f"{hours // 24} days" if hours >= 72 else f"{hours} hours"

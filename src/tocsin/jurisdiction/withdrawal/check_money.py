"""Check that refunds add up to the day: replays every agreement from the journal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from tocsin.jurisdiction.places import zone_of
from tocsin.jurisdiction.withdrawal.journal import Entry, Journal, Kind
from tocsin.jurisdiction.withdrawal.oracle import Oracle, Stop
from tocsin.jurisdiction.withdrawal.population import DAY, Customer
from tocsin.jurisdiction.withdrawal.terms import Terms
from tocsin.jurisdiction.withdrawal.verdict import Notes


class _Agreement:
    def __init__(self, begins: int, days: int, cents: int) -> None:
        self.begins, self.days, self.cents = begins, days, cents
        self.ends = begins + days * DAY


def check_money(
    customer: Customer,
    own: Sequence[Entry],
    oracle: Oracle,
    journal: Journal,
    place: str,
    terms: Terms,
    notes: Notes,
) -> int | None:
    """Replay what a customer had, and hold what was paid back against what was due.

    A refund is due when a customer asks for it or for deletion, when a transfer is withheld that
    they chose, and when supply has stopped for `terms.refund_days`. It is for the days from then,
    or from the day on which supply stopped if that is earlier, to the end of the term.

    Returns:
        When a rule began that ended supply under an agreement that ran; None: none did.
    """
    replay = _Replay(customer, own, oracle, journal, place, terms, notes)
    replay.run()
    return replay.stopped_by_rule


class _Replay:
    def __init__(
        self,
        customer: Customer,
        own: Sequence[Entry],
        oracle: Oracle,
        journal: Journal,
        place: str,
        terms: Terms,
        notes: Notes,
    ) -> None:
        held = customer.licence
        self._held = _Agreement(held.begins, held.days, held.cents) if held else None
        self._customer, self._own, self._notes = customer, own, notes
        self._zone = zone_of(place)
        self._ends = journal.ends
        self._wait = terms.refund_days * DAY
        self._stops = list(oracle.stops(customer.number, journal.begins, journal.ends))
        self._due: tuple[int, int, int] | None = None
        self.stopped_by_rule: int | None = None

    def run(self) -> None:
        """Go through the entries, and the days on which a stop has lasted long enough."""
        waits = [stop for stop in self._stops if stop.begins + self._wait <= stop.ends]
        begun = list(self._stops)
        for entry in self._own:
            while begun and begun[0].begins <= entry.at:
                self._stop_begins(begun.pop(0))
            while waits and waits[0].begins + self._wait < entry.at:
                self._stop_lasted(waits.pop(0))
            self._overdue(entry.at)
            self._take(entry, waits)
        while begun:
            self._stop_begins(begun.pop(0))
        while waits:
            self._stop_lasted(waits.pop(0))
        self._overdue(self._ends)

    def _stop_begins(self, stop: Stop) -> None:
        runs = self._held is not None and self._held.begins <= stop.begins < self._held.ends
        if stop.by_rule and runs and self.stopped_by_rule is None:
            self.stopped_by_rule = stop.begins

    def _stop_lasted(self, stop: Stop) -> None:
        """Nobody was paid in the time in which it was due."""
        at = stop.begins + self._wait
        held = self._held
        if held is not None and held.ends > at and at < self._ends and self._due is None:
            days, cents = self._unused(held, max(stop.begins, held.begins))
            if days:
                self._wrong(at, f"{cents} cents for {days} days were due and not paid")
            self._held = None

    def _overdue(self, at: int) -> None:
        """What fell due by a customer's own act is paid at once, in the same second."""
        if self._due is not None and self._due[0] < at:
            when, days, cents = self._due
            self._wrong(when, f"{cents} cents for {days} days were due and not paid")
            self._due = None

    def _take(self, entry: Entry, waits: list[Stop]) -> None:
        kind, at = entry.kind, entry.at
        if kind in (Kind.SELL, Kind.RENEW) and entry.done:
            self._held = _Agreement(at, entry.days, entry.cents)
        elif kind in (Kind.REFUND_ASKED, Kind.DELETE_ASKED) or (
            kind is Kind.TRANSFER and not entry.done
        ):
            self._fall_due(at)
        elif kind is Kind.TRANSFER:
            self._held = None
        elif kind in (Kind.REFUND, Kind.OWED):
            self._paid(entry, waits)

    def _fall_due(self, at: int) -> None:
        held = self._held
        if held is None or held.ends <= at or self._due is not None:
            return
        stopped = [stop.begins for stop in self._stops if stop.begins <= at < stop.ends]
        days, cents = self._unused(held, max(stopped[0] if stopped else at, held.begins))
        self._held = None
        if days:
            self._due = (at, days, cents)

    def _paid(self, entry: Entry, waits: list[Stop]) -> None:
        self._notes.checked["refunds"] += 1
        what = "refunded" if entry.kind is Kind.REFUND else "owed"
        self._notes.figures[f"cents {what}"] += entry.cents
        if (entry.kind is Kind.REFUND) is not self._customer.account_open:
            self._wrong(entry.at, "paid to a closed account, or owed for an open one")
        if self._due is not None:
            _, days, cents = self._due
            self._due = None
        elif waits and self._held is not None and waits[0].begins <= entry.at:
            stop = waits.pop(0)
            days, cents = self._unused(self._held, max(stop.begins, self._held.begins))
            self._held = None
        else:
            self._wrong(entry.at, f"{entry.cents} cents were paid back without a reason, or twice")
            return
        if (entry.days, entry.cents) != (days, cents):
            self._wrong(
                entry.at,
                f"{entry.cents} cents for {entry.days} days, where {cents} for {days} were due",
            )

    def _unused(self, held: _Agreement, since: int) -> tuple[int, int]:
        first, last = (
            datetime.fromtimestamp(second, self._zone).toordinal() for second in (since, held.ends)
        )
        days = sorted((0, last - first, held.days))[1]
        part = Decimal(held.cents) * days / held.days
        return days, int(part.quantize(Decimal(1), ROUND_HALF_UP))

    def _wrong(self, at: int, detail: str) -> None:
        self._notes.wrong("refunds", self._customer.number, at, detail)

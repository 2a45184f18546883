"""Run customers through a plan, day by day and second by second, every act through the gate.

What happens comes from three sides: what customers want, what the plan has due, and devices that
ask. All of it is taken in the order of time. Nothing is done but through `_Run._act`, which asks
the gate at the act's own instant, for the customer as known at that instant.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from tocsin.errors import LawError
from tocsin.jurisdiction.rulebook import Rulebook
from tocsin.jurisdiction.vocabulary import Operation, Outcome, Product
from tocsin.jurisdiction.withdrawal.gate import Gate, Track
from tocsin.jurisdiction.withdrawal.journal import (
    ANSWERS,
    NETWORK,
    OPERATION_OF,
    SERVICE_OF,
    SERVICES,
    Entry,
    Journal,
    Kind,
    Service,
    product_of,
)
from tocsin.jurisdiction.withdrawal.model import Plan
from tocsin.jurisdiction.withdrawal.money import Unused, unused
from tocsin.jurisdiction.withdrawal.population import DAY, Customer, Licence, Scene, make_population

MOST_CUSTOMER_DAYS = 6_000_000
"""Customers times days: what a simulation may be; its journal is some 25 bytes for each."""

_MARGIN = frozenset({Kind.SELL, Kind.RENEW, Kind.DOWNLOAD, Kind.TRANSFER})
_PLACE = {operation: number for number, operation in enumerate(SERVICES)}
_ISSUE_AT = 10 * 60
_LETTER_TAKES = 5 * DAY


class State(NamedTuple):
    """Where customers stand at the end of a day, or how many acts there were on it.

    Attributes:
        day: seconds since 1970, of the day's beginning.
        standing: customers by where they stand (`STANDINGS`).
        acts: acts by what they are.
    """

    day: int
    standing: Counter[str]
    acts: Counter[str]


STANDINGS = {
    "updates": "protected, with updates",
    "moved": "moved to a successor by their own opt-in",
    "last-database": "scanning with the last database",
    "refunded": "the same, and paid back",
    "unknown": "a fact is unknown: nothing is supplied until it is stated",
    "expired": "licence ran out; scanning with what they have",
    "removed": "removed the product, or had everything deleted",
}
"""Where a customer can stand, each in one of them."""


class Simulation(NamedTuple):
    """What came of it.

    Attributes:
        scene: when and where.
        customers: with their facts.
        journal: what the supplier wrote down.
        days: one each.
    """

    scene: Scene
    customers: tuple[Customer, ...]
    journal: Journal
    days: tuple[State, ...]


def scene_of(plan: Plan, days: int) -> Scene:
    """When and where a plan is tried: from its announcement on, for so many days."""
    begins = int(plan.announced.timestamp())
    opens = plan.step("opt-in")
    sales = [each.at for each in plan.closings if each.operation is Operation.SELL and each.at]
    return Scene(
        plan.place,
        begins,
        begins + days * DAY,
        int(opens.at.timestamp()) if opens else begins,
        int(plan.cutoff.timestamp()) if plan.cutoff else None,
        int(min(sales).timestamp()) if sales else None,
    )


def simulate(
    book: Rulebook,
    plan: Plan,
    *,
    customers: int = 10_000,
    days: int = 120,
    seed: int = 1,
    progress: Callable[[str], None] = lambda _: None,
) -> Simulation:
    """Simulate.

    Args:
        book: the rules that the plan was made from.
        plan: what is done when.
        customers: how many; they are synthetic.
        days: of the period, which begins with the announcement.
        seed: of the population.
        progress: is told in words how far it is.

    Raises:
        LawError: no customers, no days, or too many.
    """
    if customers < 1 or days < 1:
        raise LawError("a simulation needs at least one customer and one day")
    if customers * days > MOST_CUSTOMER_DAYS:
        raise LawError(
            f"{customers:,} customers over {days:,} days are more than {MOST_CUSTOMER_DAYS:,} "
            "days of customers; take fewer of one"
        )
    progress(f"making {customers:,} customers")
    scene = scene_of(plan, days)
    population = make_population(customers, seed, scene)
    run = _Run(book, plan, scene, population)
    states = []
    for number in range(days):
        progress(f"day {number + 1} of {days}: {len(run.service):,} acts of devices")
        states.append(run.day(scene.begins + number * DAY))
    run.entries.sort(key=lambda entry: entry.at)
    journal = Journal(scene.begins, scene.ends, run.entries, run.service)
    return Simulation(scene, population, journal, tuple(states))


class _Standing:
    """What is so of one customer now."""

    __slots__ = (
        "carried", "customer", "deleted", "episode", "is_listed", "is_reached", "issues", "licence",
        "moved", "opted", "refunded", "removed", "stops", "tracks",
    )  # fmt: skip

    def __init__(self, customer: Customer) -> None:
        self.customer = customer
        self.licence = customer.licence
        self.episode = -1
        self.tracks: list[tuple[int, tuple[tuple[int, Track], ...]]] = []
        self.stops: list[tuple[int, int]] = []
        self.issues = [0] * len(customer.devices)
        self.opted: tuple[int, str, bool] | None = None
        self.moved = self.refunded = self.removed = self.deleted = self.carried = False
        self.is_reached = self.is_listed = False


class _Run:
    def __init__(
        self, book: Rulebook, plan: Plan, scene: Scene, population: Sequence[Customer]
    ) -> None:
        self.entries: list[Entry] = []
        self.service = Service()
        self._plan, self._scene = plan, scene
        self._gate = Gate(book, plan.supplier)
        self._standings = [_Standing(each) for each in population]
        self._margin = int(plan.terms.margin / timedelta(seconds=1))
        self._due: list[tuple[int, int, int, Callable[[int], None]]] = []
        self._count = 0
        self._issue = 0
        self._acts: Counter[str] = Counter()
        for standing in self._standings:
            self._enter(standing)
        self._schedule_plan()

    # --- time -----------------------------------------------------------------------------

    def _at(self, second: int, order: int, what: Callable[[int], None]) -> None:
        """Have something happen; of what is at one second the lower order comes first."""
        if second < self._scene.ends:
            self._count += 1
            heapq.heappush(self._due, (second, order, self._count, what))

    def day(self, begins: int) -> State:
        """Run through a day of 24 hours."""
        self._acts = Counter()
        for second, standing, device in self._contacts(begins):
            while self._due and self._due[0][0] <= second:
                self._next()
            self._contact(second, standing, device)
        while self._due and self._due[0][0] < begins + DAY:
            self._next()
        last = begins + DAY - 1
        return State(begins, Counter(self._where(each, last) for each in self._standings), self._acts)

    def _next(self) -> None:
        second, _, _, what = heapq.heappop(self._due)
        what(second)

    def _contacts(self, begins: int) -> list[tuple[int, _Standing, int]]:
        found: list[tuple[int, int, int]] = []
        # A day of the period begins when one does in the place; devices count days in UTC.
        for number, standing in enumerate(self._standings):
            if standing.removed or standing.licence is None:
                continue
            for device, each in enumerate(standing.customer.devices):
                for utc_day in (begins - begins % DAY, begins - begins % DAY + DAY):
                    second = each.contact(utc_day)
                    if second is not None and begins <= second < begins + DAY:
                        found.append((second, number, device))
        found.sort()
        return [(second, self._standings[number], device) for second, number, device in found]

    def _schedule_plan(self) -> None:
        scene, plan = self._scene, self._plan
        for day in range(scene.begins, scene.ends, DAY):
            self._at(day + _ISSUE_AT, 1, self._publish)
        for step in plan.steps:
            second = int(step.at.timestamp())
            if step.id.startswith("notice-"):
                number = int(step.id.removeprefix("notice-"))
                self._at(second, 2, lambda at, number=number: self._notify_all(at, number))
            elif step.id == "last-database":
                self._at(second, 1, self._publish)
            elif step.id == "not-reached":
                self._at(second, 8, self._list_unreached)
        if scene.cutoff is not None:
            self._at(scene.cutoff, 8, self._list_unreached)

    # --- one customer ---------------------------------------------------------------------

    def _enter(self, standing: _Standing) -> None:
        """Have everything about a customer happen in its time."""
        customer = standing.customer
        self._know(standing, 0)
        for number, (begins, _) in enumerate(customer.episodes[1:], 1):
            if begins < self._scene.ends:
                self._at(
                    max(begins, self._scene.begins),
                    0,
                    lambda _, number=number: self._know(standing, number),
                )
        for wish in customer.wishes:
            act = getattr(self, f"_wish_{wish.what.replace('-', '_')}")
            self._at(wish.at, 4, lambda at, act=act, wish=wish: act(at, standing, wish))
        if standing.licence is not None:
            self._at(standing.licence.ends, 3, lambda at: self._expire(at, standing))
        standing.stops = self._stops(customer)
        for begins, ends in standing.stops:
            due = begins + self._plan.terms.refund_days * DAY
            if due <= ends:
                self._at(
                    due - 3600, 6, lambda at, begins=begins: self._refund_stopped(at, standing, begins)
                )

    def _know(self, standing: _Standing, number: int) -> None:
        """What is known of a customer from now on."""
        customer = standing.customer
        profile = customer.episodes[number][1]
        operations = [SERVICE_OF[customer.product]]
        if customer.product is Product.ANTIVIRUS:
            operations.append(Operation.SOFTWARE_UPDATE)
            if customer.statistics:
                operations += sorted(NETWORK)
        standing.episode = number
        standing.tracks = []
        for device in range(len(customer.devices)):
            tracks = tuple(
                (
                    _PLACE[each],
                    self._gate.track(profile, each, product_of(each, customer.product), device),
                )
                for each in operations
            )
            standing.tracks.append((device, tracks))

    def _stops(self, customer: Customer) -> list[tuple[int, int]]:
        """Stretches of the period in which the first device is not served."""
        found: list[tuple[int, int]] = []
        ends = [begins for begins, _ in customer.episodes[1:]] + [self._scene.ends]
        for (begins, profile), end in zip(customer.episodes, ends, strict=True):
            first, last = max(begins, self._scene.begins), min(end, self._scene.ends)
            if first >= last:
                continue
            operation = SERVICE_OF[customer.product]
            track = self._gate.track(profile, operation, customer.product, 0)
            for stretch in track.blocked_between(first, last):
                if found and found[-1][1] == stretch[0]:
                    found[-1] = (found[-1][0], stretch[1])
                else:
                    found.append(stretch)
        return found

    def _where(self, standing: _Standing, second: int) -> str:
        if standing.customer.licence is None and standing.licence is None and not standing.refunded:
            return "none"
        if standing.removed:
            return "removed"
        if standing.moved:
            return "moved"
        if standing.refunded:
            return "refunded"
        if standing.licence is None:
            return "expired"
        answer = standing.tracks[0][1][0][1].at(second)
        if not answer.blocked:
            return "updates"
        return "unknown" if answer.outcome is Outcome.UNDETERMINED else "last-database"

    # --- acts -----------------------------------------------------------------------------

    def _write(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._acts[entry.kind.value if entry.done else f"{entry.kind.value} withheld"] += 1

    def _act(self, at: int, standing: _Standing, kind: Kind, **words: str | int) -> bool:
        """Do something for a customer, if the rules allow it then; else write down why not.

        Sales, renewals, first downloads and transfers end the plan's margin before the rules do.
        """
        customer = standing.customer
        operation = OPERATION_OF[kind]
        track = self._gate.track(customer.profile(at), operation, customer.product)
        why = track.at(at).why
        if not why and kind in _MARGIN and (later := track.at(at + self._margin).why):
            why = f"margin of the plan; from its instant on {later}"
        self._write(Entry(at, customer.number, kind, not why, why=why, **words))  # type: ignore[arg-type]
        return not why

    def _publish(self, at: int) -> None:
        self._issue += 1
        self._write(Entry(at, -1, Kind.PUBLISH, detail=str(self._issue)))

    def _contact(self, at: int, standing: _Standing, device: int) -> None:
        """A device asks for what its owner pays for; each answer goes through the gate."""
        licence = standing.licence
        if licence is None or standing.removed:
            return
        customer = standing.customer
        is_day_of_software = (at // DAY + customer.number) % 30 == 0
        for what, track in standing.tracks[device][1]:
            operation = SERVICES[what]
            issue = 0
            if operation is Operation.SIGNATURE_UPDATE:
                issue = self._issue
                if standing.issues[device] >= issue:
                    continue
            elif customer.product is Product.ANTIVIRUS:
                if operation is Operation.SOFTWARE_UPDATE and not is_day_of_software:
                    continue
            elif (at // DAY + customer.number) % 7:
                continue
            answer = track.at(at)
            reason = self.service.reason(answer.why)
            self.service.add(at, customer.number, device, what, issue, reason)
            if answer.blocked:
                self._acts[f"{operation.value} withheld"] += 1
                self._explain(at, standing)
                continue
            self._acts[operation.value] += 1
            if issue:
                standing.issues[device] = issue

    def _expire(self, at: int, standing: _Standing) -> None:
        licence = standing.licence
        if licence is None or licence.ends != at or standing.deleted:
            return
        days, cents = standing.customer.wants
        if standing.customer.renews and not standing.removed:
            if self._act(at, standing, Kind.RENEW, days=days, cents=cents):
                self._begin(at, standing, days, cents)
                return
        standing.licence = None

    def _begin(self, at: int, standing: _Standing, days: int, cents: int) -> None:
        standing.licence = licence = Licence(at, days, cents)
        self._at(licence.ends, 3, lambda later: self._expire(later, standing))

    # --- wishes ---------------------------------------------------------------------------

    def _wish_buy(self, at: int, standing: _Standing, _: object) -> None:
        days, cents = standing.customer.wants
        if self._act(at, standing, Kind.SELL, days=days, cents=cents):
            self._begin(at, standing, days, cents)
            self._act(at, standing, Kind.DOWNLOAD)

    def _wish_opt_in(self, at: int, standing: _Standing, wish: object) -> None:
        detail, carry = wish.detail, wish.carry  # type: ignore[attr-defined]
        if standing.deleted or not self._ever_had(standing):
            return
        standing.opted = (at, detail, carry)
        told = f"{detail}; carry the licence over" if carry else detail
        self._write(Entry(at, standing.customer.number, Kind.OPT_IN, detail=told))
        waits = self._plan.terms.consent_hours * 3600
        self._at(at + waits, 5, lambda later: self._move(later, standing))

    def _ever_had(self, standing: _Standing) -> bool:
        return standing.licence is not None or standing.customer.licence is not None

    def _wish_revoke(self, at: int, standing: _Standing, _: object) -> None:
        if standing.opted is not None:
            standing.opted = None
            self._write(Entry(at, standing.customer.number, Kind.REVOKE))

    def _move(self, at: int, standing: _Standing) -> None:
        if standing.opted is None or standing.deleted:
            return
        _, successor, carry = standing.opted
        if carry and standing.licence is not None:
            if self._act(at, standing, Kind.TRANSFER, detail=successor):
                standing.licence, standing.carried = None, True
            else:
                self._refund(at, standing)
        standing.moved = True
        self._write(Entry(at, standing.customer.number, Kind.MOVE, detail=successor))

    def _wish_refund(self, at: int, standing: _Standing, _: object) -> None:
        if standing.licence is not None:
            self._write(Entry(at, standing.customer.number, Kind.REFUND_ASKED))
            self._refund(at, standing)

    def _wish_export(self, at: int, standing: _Standing, _: object) -> None:
        self._own_right(at, standing, Kind.EXPORT_ASKED)

    def _wish_uninstall(self, at: int, standing: _Standing, _: object) -> None:
        if not standing.removed and self._own_right(at, standing, Kind.UNINSTALL_ASKED):
            standing.removed = True

    def _wish_delete(self, at: int, standing: _Standing, _: object) -> None:
        if standing.deleted or not self._own_right(at, standing, Kind.DELETE_ASKED):
            return
        self._refund(at, standing)
        standing.removed = standing.deleted = True
        standing.licence = None

    def _own_right(self, at: int, standing: _Standing, asked: Kind) -> bool:
        self._write(Entry(at, standing.customer.number, asked))
        return self._act(at, standing, ANSWERS[asked])

    # --- money ----------------------------------------------------------------------------

    def _refund_stopped(self, at: int, standing: _Standing, begins: int) -> None:
        """Pay back who was not served since an instant, if nothing else became of the licence."""
        if standing.licence is not None and not standing.deleted:
            self._refund(at, standing, begins)

    def _refund(self, at: int, standing: _Standing, since: int | None = None) -> None:
        licence = standing.licence
        if licence is None:
            return
        if since is None:
            stops = [begins for begins, ends in standing.stops if begins <= at < ends]
            since = stops[0] if stops else at
        due: Unused = unused(licence, max(since, licence.begins), self._scene.place)
        standing.licence, standing.refunded = None, True
        if due.days:
            kind = Kind.REFUND if standing.customer.account_open else Kind.OWED
            number = standing.customer.number
            self._write(Entry(at, number, kind, cents=due.cents, days=due.days))

    # --- notices --------------------------------------------------------------------------

    def _is_concerned(self, at: int, standing: _Standing) -> bool:
        """Whether something ends for a customer by what is known now."""
        if standing.licence is None or standing.deleted:
            return False
        return any(
            track.blocked_between(at, self._scene.ends)
            for _, tracks in standing.tracks
            for _, track in tracks
        )

    def _concerned(self, at: int) -> Iterator[_Standing]:
        return (each for each in self._standings if self._is_concerned(at, each))

    def _notify_all(self, at: int, number: int) -> None:
        for standing in self._concerned(at):
            self._notify(at, standing, number)

    def _notify(self, at: int, standing: _Standing, number: int) -> None:
        customer = standing.customer
        name = customer.number
        sent = at + name * 7919 % 3600
        if customer.has_email:
            proof = f"accepted by the receiving server at {sent}"
            self._write(Entry(sent, name, Kind.NOTICE, detail="e-mail", proof=proof))
            standing.is_reached = True
        else:
            self._write(Entry(sent, name, Kind.NOTICE, done=False, detail="e-mail", why="bounced"))
        if customer.sees_app and not standing.removed:
            self._at(at + DAY * 2 + name % 3600, 7, lambda later: self._show(later, standing))
        if number >= 2 and not standing.is_reached and customer.has_address:
            self._at(at + _LETTER_TAKES, 7, lambda later: self._letter(later, standing))

    def _show(self, at: int, standing: _Standing) -> None:
        if standing.removed:
            return
        proof = f"confirmed by the device at {at}"
        self._write(
            Entry(at, standing.customer.number, Kind.NOTICE, detail="in the product", proof=proof)
        )
        standing.is_reached = True

    def _letter(self, at: int, standing: _Standing) -> None:
        if not standing.is_reached:
            proof = f"receipt of the letter at {at}"
            name = standing.customer.number
            self._write(Entry(at, name, Kind.NOTICE, detail="letter", proof=proof))
            standing.is_reached = True

    def _explain(self, at: int, standing: _Standing) -> None:
        """Tell whoever is not served for the first time why, on the device."""
        if standing.is_reached or standing.is_listed:
            return
        if standing.customer.sees_app:
            self._show(at, standing)
        else:
            self._list(at, standing)

    def _list_unreached(self, at: int) -> None:
        for standing in self._concerned(at):
            if not standing.is_reached and not standing.is_listed:
                self._list(at, standing)

    def _list(self, at: int, standing: _Standing) -> None:
        standing.is_listed = True
        self._write(Entry(at, standing.customer.number, Kind.NOT_REACHED, done=False))

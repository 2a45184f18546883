"""Run customers through a plan, day by day and second by second, every act through the gate.

What happens comes from three sides: what customers want, what the plan has due, and devices that
ask. All of it is taken in the order of time. Nothing is done but through `_Run._act`, which asks
the gate at the act's own instant, for the customer as known at that instant.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from tocsin.errors import LawError
from tocsin.jurisdiction.rulebook import Rulebook
from tocsin.jurisdiction.vocabulary import Operation, Outcome, Product
from tocsin.jurisdiction.withdrawal.gate import Gate
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
from tocsin.jurisdiction.withdrawal.notify import Notices
from tocsin.jurisdiction.withdrawal.population import (
    DAY,
    Customer,
    Licence,
    Scene,
    Wish,
    make_population,
)
from tocsin.jurisdiction.withdrawal.standing import NOTHING, Asked, DeviceService, Standing, State

MOST_CUSTOMER_DAYS = 6_000_000
"""Customers times days: what a simulation may be; its journal is some 25 bytes for each."""

_MARGIN = frozenset({Kind.SELL, Kind.RENEW, Kind.DOWNLOAD, Kind.TRANSFER})
_PLACE = {operation: number for number, operation in enumerate(SERVICES)}
_EVERY = {
    Operation.SIGNATURE_UPDATE: 0,
    Operation.SOFTWARE_UPDATE: 30,
    Operation.COLLECT_STATISTICS: 1,
    Operation.LOOK_UP_REPUTATION: 1,
}
"""How often a device with antivirus asks, in days; 0: whenever there is a new database."""

_ISSUE_AT = 10 * 60


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
        int(opens.at.timestamp()) if opens else begins + days * DAY,  # or never
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


class _Run:
    def __init__(
        self, book: Rulebook, plan: Plan, scene: Scene, population: Sequence[Customer]
    ) -> None:
        self.entries: list[Entry] = []
        self.service = Service()
        self._plan, self._scene = plan, scene
        self._gate = Gate(book, plan.supplier)
        self._standings = [Standing(each) for each in population]
        self._margin = int(plan.terms.margin / timedelta(seconds=1))
        self._due: list[tuple[int, int, int, Callable[..., None], tuple[object, ...]]] = []
        self._count = 0
        self._issue = 0
        self._acts: Counter[str] = Counter()
        self._notices = Notices(self._standings, scene.ends, self._write, self._at)
        for standing in self._standings:
            self._enter(standing)
        self._schedule_plan()

    # --- time -----------------------------------------------------------------------------

    def _at(self, second: int, order: int, what: Callable[..., None], *words: object) -> None:
        """Have something happen; of what is at one second the lower order comes first."""
        if second < self._scene.ends:
            self._count += 1
            heapq.heappush(self._due, (second, order, self._count, what, words))

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
        return State(
            begins, Counter(self._where(each, last) for each in self._standings), self._acts
        )

    def _next(self) -> None:
        second, _, _, what, words = heapq.heappop(self._due)
        what(second, *words)

    def _contacts(self, begins: int) -> list[tuple[int, Standing, int]]:
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
                self._at(second, 2, self._notices.round, number)
            elif step.id == "last-database":
                self._at(second, 1, self._publish)
            elif step.id == "not-reached":
                self._at(second, 3, self._notices.list_unreached)
        if scene.cutoff is not None:
            self._at(scene.cutoff, 3, self._notices.list_unreached)

    # --- one customer ---------------------------------------------------------------------

    def _enter(self, standing: Standing) -> None:
        """Have everything about a customer happen in its time."""
        customer = standing.customer
        self._know(0, standing, 0)
        for number, (begins, _) in enumerate(customer.episodes[1:], 1):
            if begins < self._scene.ends:
                self._at(
                    max(begins, self._scene.begins),
                    0,
                    self._know,
                    standing,
                    number,
                )
        wishes: dict[str, Callable[[int, Standing, Wish], None]] = {
            "buy": self._wish_buy,
            "opt-in": self._wish_opt_in,
            "revoke": self._wish_revoke,
            "refund": self._wish_refund,
            "export": self._wish_export,
            "delete": self._wish_delete,
            "uninstall": self._wish_uninstall,
        }
        for wish in customer.wishes:
            self._at(wish.at, 4, wishes[wish.what], standing, wish)
        if standing.licence is not None:
            self._at(standing.licence.ends, 3, self._expire, standing)
        standing.stops = self._stops(customer)
        for begins, ends in standing.stops:
            due = begins + self._plan.terms.refund_days * DAY
            if due <= ends:
                self._at(
                    max(begins, due - 3600),
                    6,
                    self._refund_stopped,
                    standing,
                    begins,
                )

    def _know(self, _: int, standing: Standing, number: int) -> None:
        """What is known of a customer from now on."""
        customer = standing.customer
        profile = customer.episodes[number][1]
        operations = [SERVICE_OF[customer.product]]
        if customer.product is Product.ANTIVIRUS:
            operations.append(Operation.SOFTWARE_UPDATE)
            if customer.statistics:
                operations += sorted(NETWORK)
        standing.tracks = [
            tuple(
                (
                    _PLACE[each],
                    self._gate.track(profile, each, product_of(each, customer.product), device),
                )
                for each in operations
            )
            for device in range(len(customer.devices))
        ]
        standing.asked = [NOTHING] * len(customer.devices)

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

    def _where(self, standing: Standing, second: int) -> str:
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
        answer = standing.tracks[0][0][1].at(second)
        if not answer.blocked:
            return "updates"
        return "unknown" if answer.outcome is Outcome.UNDETERMINED else "last-database"

    # --- acts -----------------------------------------------------------------------------

    def _write(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._acts[entry.kind.value if entry.done else f"{entry.kind.value} withheld"] += 1

    def _act(self, at: int, standing: Standing, kind: Kind, **words: str | int) -> bool:
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

    def _contact(self, at: int, standing: Standing, device: int) -> None:
        """A device asks for what its owner pays for; each answer goes through the gate."""
        licence = standing.licence
        if licence is None or standing.removed:
            return
        asked = standing.asked[device]
        if at >= asked.until:
            standing.asked[device] = asked = self._ask_for(at, standing, device)
        number = standing.customer.number
        for what, name, every, blocked, reason in asked.services:
            issue = 0
            if not every:
                issue = self._issue
                if standing.issues[device] >= issue:
                    continue
            elif every > 1 and (at // DAY + number) % every:
                continue
            self.service.add(at, number, device, what, issue, reason)
            self._acts[name] += 1
            if blocked:
                self._notices.explain(at, standing)
            elif issue:
                standing.issues[device] = issue

    def _ask_for(self, at: int, standing: Standing, device: int) -> Asked:
        """Ask the gate about all that a device wants; its answers say until when they hold."""
        is_antivirus = standing.customer.product is Product.ANTIVIRUS
        services, until = [], self._scene.ends
        for what, track in standing.tracks[device]:
            operation, answer = SERVICES[what], track.at(at)
            until = min(until, track.holds_until(at, until))
            every = 7
            if is_antivirus:
                every = _EVERY[operation]
            services.append(
                DeviceService(
                    what,
                    f"{operation.value} withheld" if answer.blocked else operation.value,
                    every,
                    answer.blocked,
                    self.service.reason(answer.why),
                )
            )
        return Asked(until, tuple(services))

    def _expire(self, at: int, standing: Standing) -> None:
        licence = standing.licence
        if licence is None or licence.ends != at or standing.deleted:
            return
        days, cents = standing.customer.wants
        renews = standing.customer.renews and not standing.removed
        if renews and self._act(at, standing, Kind.RENEW, days=days, cents=cents):
            self._begin(at, standing, days, cents)
        else:
            standing.licence = None

    def _begin(self, at: int, standing: Standing, days: int, cents: int) -> None:
        standing.licence = licence = Licence(at, days, cents)
        self._at(licence.ends, 3, self._expire, standing)

    # --- wishes ---------------------------------------------------------------------------

    def _wish_buy(self, at: int, standing: Standing, _: Wish) -> None:
        days, cents = standing.customer.wants
        if self._act(at, standing, Kind.SELL, days=days, cents=cents):
            self._begin(at, standing, days, cents)
            self._act(at, standing, Kind.DOWNLOAD)

    def _wish_opt_in(self, at: int, standing: Standing, wish: Wish) -> None:
        detail, carry = wish.detail, wish.carry
        if standing.deleted or not self._ever_had(standing):
            return
        standing.opted = (at, detail, carry)
        told = f"{detail}; carry the licence over" if carry else detail
        self._write(Entry(at, standing.customer.number, Kind.OPT_IN, detail=told))
        waits = self._plan.terms.consent_hours * 3600
        self._at(at + waits, 5, self._move, standing)

    def _ever_had(self, standing: Standing) -> bool:
        return standing.licence is not None or standing.customer.licence is not None

    def _wish_revoke(self, at: int, standing: Standing, _: Wish) -> None:
        if standing.opted is not None:
            standing.opted = None
            self._write(Entry(at, standing.customer.number, Kind.REVOKE))

    def _move(self, at: int, standing: Standing) -> None:
        if standing.opted is None or standing.deleted:
            return
        _, successor, carry = standing.opted
        if carry and standing.licence is not None:
            if self._act(at, standing, Kind.TRANSFER, detail=successor):
                standing.licence = None
            else:
                self._refund(at, standing)
        standing.moved = True
        self._write(Entry(at, standing.customer.number, Kind.MOVE, detail=successor))

    def _wish_refund(self, at: int, standing: Standing, _: Wish) -> None:
        if standing.licence is not None:
            self._write(Entry(at, standing.customer.number, Kind.REFUND_ASKED))
            self._refund(at, standing)

    def _wish_export(self, at: int, standing: Standing, _: Wish) -> None:
        self._own_right(at, standing, Kind.EXPORT_ASKED)

    def _wish_uninstall(self, at: int, standing: Standing, _: Wish) -> None:
        if not standing.removed and self._own_right(at, standing, Kind.UNINSTALL_ASKED):
            standing.removed = True

    def _wish_delete(self, at: int, standing: Standing, _: Wish) -> None:
        if standing.deleted or not self._own_right(at, standing, Kind.DELETE_ASKED):
            return
        self._refund(at, standing)
        standing.removed = standing.deleted = True
        standing.licence = None

    def _own_right(self, at: int, standing: Standing, asked: Kind) -> bool:
        self._write(Entry(at, standing.customer.number, asked))
        return self._act(at, standing, ANSWERS[asked])

    # --- money ----------------------------------------------------------------------------

    def _refund_stopped(self, at: int, standing: Standing, begins: int) -> None:
        """Pay back who was not served since an instant, if nothing else became of the licence."""
        if standing.licence is not None and not standing.deleted:
            self._refund(at, standing, begins)

    def _refund(self, at: int, standing: Standing, since: int | None = None) -> None:
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

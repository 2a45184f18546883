"""What the checker knows of its own: facts of customers, and `decide`, asked anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tocsin.jurisdiction.decide import decide
from tocsin.jurisdiction.rulebook import Rulebook
from tocsin.jurisdiction.vocabulary import Operation, Outcome, Product
from tocsin.jurisdiction.withdrawal.journal import SERVICE_OF, SERVICES, product_of
from tocsin.jurisdiction.withdrawal.population import Customer
from tocsin.jurisdiction.withdrawal.strictest import strictest

_NEVER = 1 << 62
_SUPPLIED = (Outcome.ALLOWED, Outcome.WARNED)


class Said(NamedTuple):
    """An answer: whether an act may be done, until when that holds, and by which rules."""

    may: bool
    until: int
    by: str


class Stop(NamedTuple):
    """A stretch in which the first device is not served, in seconds since 1970.

    Attributes:
        begins: its first second.
        ends: the first that is not in it.
        by_rule: whether a rule began or ended then, and no fact changed.
    """

    begins: int
    ends: int
    by_rule: bool


class Oracle:
    """Asks the rules as they stand and by their strictest reading; either may forbid.

    Args:
        book: the rules.
        supplier: its identifier.
        customers: with their facts; their numbers are their places.
    """

    def __init__(self, book: Rulebook, supplier: str, customers: Sequence[Customer]) -> None:
        self._books = (book, strictest(book))
        self._supplier = supplier
        self._customers = customers
        self._held: dict[int, tuple[int, Said]] = {}

    def ask(
        self, customer: int, operation: Operation, second: int, device: int | None = None
    ) -> Said:
        """Whether an act for a customer may be done at an instant."""
        facts = self._customers[customer]
        product = product_of(operation, facts.product)
        until = min((begins for begins, _ in facts.episodes if begins > second), default=_NEVER)
        at = datetime.fromtimestamp(second, UTC)
        profile = facts.profile(second)
        may, by = True, ""
        for book in self._books:
            question = profile.question(operation, product, self._supplier, at, device=device)
            decision = decide(book, question)
            if decision.outcome not in _SUPPLIED:
                may = False
                by = by or decision.outcome.value
            if change := decision.next_change:
                until = min(until, -int(-change[0].timestamp() // 1))
        return Said(may, until, by)

    def ask_often(self, customer: int, device: int, what: int, second: int) -> Said:
        """The same for what devices ask: an answer is kept while it says of itself that it holds.

        Args:
            customer: number.
            device: of the customer's.
            what: place in `SERVICES`.
            second: since 1970.
        """
        key = (customer * 256 + device) * 16 + what
        held = self._held.get(key)
        if held is not None and held[0] <= second < held[1].until:
            return held[1]
        said = self.ask(customer, SERVICES[what], second, device)
        self._held[key] = (second, said)
        return said

    def stops(self, customer: int, begins: int, ends: int) -> Iterator[Stop]:
        """Stretches of a time in which the first device gets nothing of what is paid for."""
        facts = self._customers[customer]
        operation = SERVICE_OF.get(facts.product, Operation.SOFTWARE_UPDATE)
        changes = {each for each, _ in facts.episodes}
        first: int | None = None
        second = begins
        while second < ends:
            said = self.ask(customer, operation, second, 0)
            if not said.may and first is None:
                first = second
            if said.may and first is not None:
                yield Stop(first, second, first not in changes and first != begins)
                first = None
            second = said.until
        if first is not None:
            yield Stop(first, ends, first not in changes and first != begins)

    def forbidden_within(
        self, customer: int, operation: Operation, second: int, margin: timedelta
    ) -> bool:
        """Whether an act is forbidden at an instant, or within a margin after it.

        Facts are taken as known at the instant.
        """
        facts = self._customers[customer]
        profile = facts.profile(second)
        product: Product = product_of(operation, facts.product)
        for book in self._books:
            for at in (second, second + int(margin.total_seconds())):
                question = profile.question(
                    operation, product, self._supplier, datetime.fromtimestamp(at, UTC)
                )
                if decide(book, question).outcome not in _SUPPLIED:
                    return True
        return False

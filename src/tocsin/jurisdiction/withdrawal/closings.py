"""When what becomes forbidden in a place: asked of `decide`, never known beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from tocsin.jurisdiction.decide import Decision, decide
from tocsin.jurisdiction.question import Question, ask
from tocsin.jurisdiction.rulebook import Rulebook
from tocsin.jurisdiction.vocabulary import Addressee, Operation, Outcome, Product
from tocsin.jurisdiction.withdrawal.model import Closing, local
from tocsin.jurisdiction.withdrawal.strictest import strictest

BLOCKED = frozenset({Outcome.PROHIBITED, Outcome.UNDETERMINED})
"""Outcomes with which nothing is supplied."""

BEFORE_ALL = datetime(1, 1, 1, tzinfo=UTC)

_TRADE = (
    Operation.SELL,
    Operation.RENEW,
    Operation.TRANSFER_LICENCE,
    Operation.RESELL,
    Operation.LICENSE_FOR_RESALE,
    Operation.INTEGRATE,
)
_SOFTWARE = (
    *_TRADE,
    Operation.DOWNLOAD,
    Operation.SOFTWARE_UPDATE,
    Operation.BUY,
    Operation.INSTALL,
    Operation.USE,
)
_INFORMATION = (Operation.SELL, Operation.RENEW, Operation.RESELL, Operation.BUY)
OFFERS: dict[Product, tuple[Operation, ...]] = {
    Product.ANTIVIRUS: (*_SOFTWARE, Operation.SIGNATURE_UPDATE),
    Product.SECURITY_NETWORK: (Operation.COLLECT_STATISTICS, Operation.LOOK_UP_REPUTATION),
    Product.VPN: _SOFTWARE,
    Product.PASSWORD_MANAGER: _SOFTWARE,
    Product.THREAT_INTELLIGENCE: (*_INFORMATION, Operation.PROVIDE_THREAT_INTELLIGENCE),
    Product.TRAINING: (*_INFORMATION, Operation.PROVIDE_TRAINING),
    Product.CONSULTING: (*_INFORMATION, Operation.CONSULT),
}
"""Classes of product that a maker of such software sells, with what it takes to supply them."""

BY_CUSTOMER = frozenset({Operation.BUY, Operation.INSTALL, Operation.USE})
"""What customers do: a rule about these alone is theirs to keep, and the supplier's to tell."""


def is_blocked(decision: Decision) -> bool:
    """Whether nothing is to be supplied, as far as a plan goes.

    Of a group of countries it may be unknown whether one of them warns; nothing ends by that.
    """
    if decision.outcome is Outcome.UNDETERMINED and not decision.facts.is_unsure:
        return any(one.rule.forbids for one in decision.deciding)
    return decision.outcome in BLOCKED


class Stretch(NamedTuple):
    """Time with one answer to whether something is supplied.

    Attributes:
        begins: its first instant; None: since ever.
        ends: the first instant that is not in it; None: never.
        blocked: whether nothing is supplied.
        decision: at its beginning.
    """

    begins: datetime | None
    ends: datetime | None
    blocked: bool
    decision: Decision


class Asked(NamedTuple):
    """An operation on a class of product, with what the rules say of it over all time.

    Attributes:
        operation: which.
        product: of which class.
        stretches: from ever on, one after the other.
        last: the decision after every change.
    """

    operation: Operation
    product: Product
    stretches: tuple[Stretch, ...]
    last: Decision


def stretches(book: Rulebook, question: Question) -> tuple[Stretch, ...]:
    """What a book says of a question over all time, divided where supply stops or starts again."""
    first = decide(book, question._replace(at=BEFORE_ALL))
    found = [Stretch(None, None, is_blocked(first), first)]
    for time in first.changes_after(BEFORE_ALL):
        decision = decide(book, question._replace(at=time))
        if is_blocked(decision) != found[-1].blocked:
            found[-1] = found[-1]._replace(ends=time)
            found.append(Stretch(time, None, is_blocked(decision), decision))
    return tuple(found)


def ask_all(
    book: Rulebook,
    supplier: str,
    place: str,
    products: Sequence[Product],
    addressees: Iterable[Addressee] = (),
) -> Iterator[Asked]:
    """Ask about everything that supplying those classes in a place takes."""
    for product in products:
        for operation in OFFERS.get(product, _SOFTWARE):
            question = ask(
                operation, product, supplier, BEFORE_ALL, places=(place,), addressees=addressees
            )
            first = decide(book, question)
            last = max(first.changes_after(BEFORE_ALL), default=BEFORE_ALL)
            yield Asked(
                operation,
                product,
                stretches(book, question),
                decide(book, question._replace(at=last)),
            )


def find_closings(
    book: Rulebook,
    supplier: str,
    place: str,
    products: Sequence[Product],
    since: datetime | None,
    addressees: Iterable[Addressee] = (),
) -> tuple[Closing, ...]:
    """What becomes forbidden in a place, or is, after an instant.

    Args:
        book: the rules; each is taken by its strictest reading.
        supplier: its identifier.
        place: code.
        products: classes that are supplied.
        since: what ended before does not count; None: everything does.
        addressees: what the customers are; empty: private persons, as the assumptions say.

    Returns:
        In the order of time, one for each operation and class, the first of several.
    """
    held = list(ask_all(strictest(book), supplier, place, products, addressees))
    plain = list(ask_all(book, supplier, place, products, addressees))
    found = []
    for strict, stated in zip(held, plain, strict=True):
        stretch = next((each for each in strict.stretches if _counts(each, since)), None)
        if stretch is None:
            continue
        same = next((each for each in stated.stretches if _counts(each, since)), None)
        differs = same is not None and same.begins != stretch.begins
        found.append(
            Closing(
                operation=strict.operation,
                product=strict.product,
                at=stretch.begins,
                local="" if stretch.begins is None else local(stretch.begins, place),
                until=stretch.ends,
                outcome=stretch.decision.outcome,
                stated=same.begins if same is not None and differs else None,
                rules=tuple(each.rule.id for each in stretch.decision.deciding),
            )
        )
    return tuple(
        sorted(found, key=lambda each: (each.at or BEFORE_ALL, each.product, each.operation))
    )


def _counts(stretch: Stretch, since: datetime | None) -> bool:
    return stretch.blocked and (since is None or stretch.ends is None or stretch.ends > since)

"""Check a withdrawal from its journal alone: asks the rules anew, and believes no one.

What is checked is `verdict.CLAIMS`. The checker shares with what it checks the rules, the facts of
the customers and the form of the journal; not the gate, nor how anything was worked out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from tocsin.jurisdiction.rulebook import Rulebook
from tocsin.jurisdiction.vocabulary import ALWAYS_ALLOWED, Operation
from tocsin.jurisdiction.withdrawal.check_money import check_money
from tocsin.jurisdiction.withdrawal.journal import (
    ANSWERS,
    OPERATION_OF,
    SERVICES,
    Entry,
    Journal,
    Kind,
)
from tocsin.jurisdiction.withdrawal.oracle import Oracle
from tocsin.jurisdiction.withdrawal.population import DAY, Customer
from tocsin.jurisdiction.withdrawal.terms import Terms
from tocsin.jurisdiction.withdrawal.verdict import Notes, Verdict

_ANSWERED_WITHIN = DAY
_ACTS = frozenset({*OPERATION_OF, Kind.MOVE})
_ENDING = frozenset({Kind.REFUND, Kind.OWED, Kind.REFUND_ASKED, Kind.DELETE, Kind.UNINSTALL})


def check(
    book: Rulebook,
    supplier: str,
    place: str,
    terms: Terms,
    customers: Sequence[Customer],
    journal: Journal,
) -> Verdict:
    """Check.

    Args:
        book: the rules.
        supplier: its identifier.
        place: code of the place that was left, whose days refunds are counted in.
        terms: what was promised.
        customers: with their facts; their numbers are their places.
        journal: what was written down.
    """
    oracle, notes = Oracle(book, supplier, customers), Notes()
    entries = sorted(_of_somebody(journal, len(customers), notes), key=lambda entry: entry.at)
    by_customer: dict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_customer[entry.customer].append(entry)
    withheld_first = _acts_of_devices(journal, oracle, notes)
    _entries(entries, oracle, terms, notes)
    for customer in customers:
        own = by_customer.get(customer.number, [])
        _consent(own, terms, notes)
        _rights(own, journal.ends, notes)
        money = check_money(customer, own, oracle, journal, place, terms, notes)
        _notice(customer, own, money, withheld_first, terms, notes)
    issues = [entry for entry in entries if entry.kind is Kind.PUBLISH and entry.done]
    _last_updates(customers, journal, by_customer, issues, oracle, notes)
    return Verdict(notes.checked, notes.counted, tuple(notes.violations), dict(notes.figures))


def _of_somebody(journal: Journal, customers: int, notes: Notes) -> Iterator[Entry]:
    """The entries that can be held against facts: what was done for nobody known is wrong."""
    for entry in journal.entries:
        if 0 <= entry.customer < customers or entry.kind is Kind.PUBLISH:
            yield entry
        elif entry.done:
            told = f"{entry.kind.value}: for nobody whose facts are known"
            notes.wrong("nothing-forbidden", entry.customer, entry.at, told)
        if entry.done and entry.kind in _ACTS and not journal.begins <= entry.at < journal.ends:
            told = f"{entry.kind.value}: an act outside of the period"
            notes.wrong("nothing-forbidden", entry.customer, entry.at, told)


def _acts_of_devices(journal: Journal, oracle: Oracle, notes: Notes) -> dict[int, int]:
    """Hold the columns against the rules.

    Returns:
        When something was withheld first, by customer.
    """
    service = journal.service
    first: dict[int, int] = {}
    columns = zip(
        service.at, service.customer, service.device, service.what, service.why, strict=True
    )
    for at, customer, device, what, why in columns:
        said = oracle.ask_often(customer, device, what, at)
        if why:
            first.setdefault(customer, at)
            if said.may:
                notes.wrong("nothing-needless", customer, at, f"{SERVICES[what].value} withheld")
        elif not said.may:
            notes.wrong("nothing-forbidden", customer, at, f"{SERVICES[what].value}: {said.by}")
        elif not journal.begins <= at < journal.ends:
            notes.wrong("nothing-forbidden", customer, at, "an act outside of the period")
    withheld = sum(map(bool, service.why))
    notes.checked["nothing-needless"] += withheld
    notes.checked["nothing-forbidden"] += len(service) - withheld
    return first


def _entries(entries: Iterable[Entry], oracle: Oracle, terms: Terms, notes: Notes) -> None:
    for entry in entries:
        operation = OPERATION_OF.get(entry.kind)
        if operation is None or entry.customer < 0:
            continue
        if entry.done:
            notes.checked["nothing-forbidden"] += 1
            said = oracle.ask(entry.customer, operation, entry.at)
            if not said.may:
                told = f"{operation.value}: {said.by}"
                notes.wrong("nothing-forbidden", entry.customer, entry.at, told)
        elif operation not in ALWAYS_ALLOWED:
            notes.checked["nothing-needless"] += 1
            if not oracle.forbidden_within(entry.customer, operation, entry.at, terms.margin):
                told = f"{operation.value} withheld: {entry.why}"
                notes.wrong("nothing-needless", entry.customer, entry.at, told)


def _consent(own: Sequence[Entry], terms: Terms, notes: Notes) -> None:
    opted: Entry | None = None
    for entry in own:
        if entry.kind is Kind.OPT_IN:
            opted = entry
        elif entry.kind is Kind.REVOKE:
            opted = None
        elif entry.kind in (Kind.MOVE, Kind.TRANSFER) and entry.done:
            notes.checked["consent"] += 1
            wrong = ""
            if opted is None:
                wrong = "without an opt-in"
            elif opted.detail.split(";")[0] != entry.detail:
                wrong = f"opted in to {opted.detail}, not to {entry.detail}"
            elif entry.at < opted.at + terms.consent_hours * 3600:
                wrong = f"less than {terms.consent_hours} hours after the opt-in"
            elif entry.kind is Kind.TRANSFER and "carry" not in opted.detail:
                wrong = "the licence was not to be carried over"
            if wrong:
                notes.wrong("consent", entry.customer, entry.at, f"{entry.kind.value}: {wrong}")


def _rights(own: Sequence[Entry], ends: int, notes: Notes) -> None:
    for number, entry in enumerate(own):
        if entry.kind in ANSWERS:
            notes.checked["rights"] += 1
            answer = ANSWERS[entry.kind]
            last = entry.at + _ANSWERED_WITHIN
            is_done = any(
                later.kind is answer and later.done and later.at <= last
                for later in own[number + 1 :]
            )
            if not is_done and last < ends:
                told = f"{answer.value} was asked for and not done"
                notes.wrong("rights", entry.customer, entry.at, told)
        operation = OPERATION_OF.get(entry.kind)
        if operation in ALWAYS_ALLOWED and not entry.done:
            told = f"{entry.kind.value} was withheld"
            notes.wrong("rights", entry.customer, entry.at, told)


def _notice(
    customer: Customer,
    own: Sequence[Entry],
    stopped_by_rule: int | None,
    withheld_first: dict[int, int],
    terms: Terms,
    notes: Notes,
) -> None:
    """Whoever supply stopped for knew before, or is listed.

    Args:
        customer: who.
        own: entries.
        stopped_by_rule: when a rule began that ended supply under a running agreement.
        withheld_first: when something was first withheld, by customer.
        terms: of the notice.
        notes: taken down.
    """
    told = [entry.at for entry in own if entry.kind is Kind.NOTICE and entry.done and entry.proof]
    listed = [entry.at for entry in own if entry.kind is Kind.NOT_REACHED]
    for entry in own:
        if entry.kind is Kind.NOTICE and entry.done and not entry.proof:
            notes.wrong("notice", customer.number, entry.at, "a notice without proof of delivery")
    times = {stopped_by_rule, withheld_first.get(customer.number)} - {None}
    for at in times:
        assert at is not None
        notes.checked["notice"] += 1
        if not any(each <= at for each in (*told, *listed)):
            notes.wrong("notice", customer.number, at, "neither notified nor listed as not reached")
    if stopped_by_rule is not None:
        demanded = stopped_by_rule - terms.notice_days * DAY
        reached = min(told, default=stopped_by_rule + 1)
        if reached <= demanded:
            notes.figures[f"notified {terms.notice_days} days before supply stopped, or more"] += 1
        elif reached <= stopped_by_rule:
            notes.figures["notified later than that, and before supply stopped"] += 1
        else:
            notes.figures["listed as not reached when supply stopped"] += 1


def _last_updates(
    customers: Sequence[Customer],
    journal: Journal,
    by_customer: dict[int, list[Entry]],
    issues: Sequence[Entry],
    oracle: Oracle,
    notes: Notes,
) -> None:
    """Each device's last contact before updates ended for it gave it the latest database."""
    what = SERVICES.index(Operation.SIGNATURE_UPDATE)
    got: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    service = journal.service
    columns = zip(
        service.at, service.customer, service.device, service.what, service.issue, service.why,
        strict=True,
    )  # fmt: skip
    for at, customer, device, doing, issue, why in columns:
        if doing == what and not why:
            got[customer, device].append((at, issue))
    for customer in customers:
        if customer.product.value != "antivirus":
            continue
        own = by_customer.get(customer.number, [])
        for device, each in enumerate(customer.devices):
            end = _end_of_updates(customer.number, device, journal, oracle)
            if end is None:
                continue
            day = end - end % DAY
            contacts = (each.contact(day - back * DAY) for back in range(40))
            last = next((at for at in contacts if at is not None and at < end), None)
            if last is None or last < journal.begins or not _is_served(customer, own, last):
                continue
            newest = max((int(one.detail) for one in issues if one.at <= last), default=0)
            held = max(
                (issue for at, issue in got[customer.number, device] if at <= last), default=0
            )
            notes.checked["last-update"] += 1
            if held < newest:
                told = f"device {device} had issue {held} of {newest} when updates ended"
                notes.wrong("last-update", customer.number, last, told)


def _end_of_updates(customer: int, device: int, journal: Journal, oracle: Oracle) -> int | None:
    """The first second at which updates to a device, allowed before, are not."""
    second, before = journal.begins, False
    while second < journal.ends:
        said = oracle.ask(customer, Operation.SIGNATURE_UPDATE, second, device)
        if before and not said.may:
            return second
        before = said.may
        second = said.until
    return None


def _is_served(customer: Customer, own: Sequence[Entry], at: int) -> bool:
    """Whether there was an agreement and the product was there at an instant."""
    ends = customer.licence.ends if customer.licence else 0
    for entry in own:
        if entry.at > at:
            break
        if entry.kind in (Kind.SELL, Kind.RENEW) and entry.done:
            ends = entry.at + entry.days * DAY
        elif entry.kind in _ENDING or (entry.kind is Kind.TRANSFER and entry.done):
            ends = 0
    return at < ends

"""Plan a withdrawal from a place: pure, from the rules, the same for the same rules and terms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from tocsin.errors import LawError
from tocsin.jurisdiction.decide import decide
from tocsin.jurisdiction.places import day_begins, place_name
from tocsin.jurisdiction.question import ask
from tocsin.jurisdiction.rulebook import BoundRule, Rulebook
from tocsin.jurisdiction.vocabulary import (
    ALWAYS_ALLOWED,
    Addressee,
    Kind,
    Operation,
    Outcome,
    Product,
)
from tocsin.jurisdiction.withdrawal.closings import (
    BY_CUSTOMER,
    OFFERS,
    Asked,
    ask_all,
    find_closings,
)
from tocsin.jurisdiction.withdrawal.dating import Calendar, ground
from tocsin.jurisdiction.withdrawal.model import Closing, Continuing, Plan
from tocsin.jurisdiction.withdrawal.steps import add_steps
from tocsin.jurisdiction.withdrawal.strictest import strictest
from tocsin.jurisdiction.withdrawal.terms import Terms

_ALWAYS = tuple(each for each in Operation if each in ALWAYS_ALLOWED)
_EARLIEST, _LATEST = 1980, 2900
"""Years in which a withdrawal may be announced: times of all clocks exist some years on."""

_WARNED = frozenset({Outcome.WARNED, Outcome.UNDETERMINED})
"""Of what goes on: it is allowed, but in a country of a group an authority may warn."""

_DELIVERIES = frozenset({Operation.SIGNATURE_UPDATE, Operation.SOFTWARE_UPDATE})


def make_plan(
    book: Rulebook,
    supplier: str,
    place: str,
    *,
    announced: datetime | None = None,
    products: Sequence[Product] = tuple(OFFERS),
    addressees: Iterable[Addressee] = (),
    terms: Terms | None = None,
) -> Plan:
    """Plan.

    Args:
        book: the rules.
        supplier: its identifier in the book.
        place: code of the place that is left.
        announced: when the withdrawal is announced, with a time zone; None: on the day on which
            the authority announced the first rule that forbids something there.
        products: classes that the supplier sells there.
        addressees: what its customers are; empty: private persons.
        terms: numbers of days; None: the defaults.

    Raises:
        LawError: an announcement that is centuries away.
    """
    terms, addressees = terms or Terms(), tuple(addressees)
    every = find_closings(book, supplier, place, products, None, addressees)
    rules = {rule.id: rule for rule in book.rules_about(supplier)}
    asked = tuple(ask_all(strictest(book), supplier, place, products, addressees))
    if announced is None:
        announced, announced_by = _announced(book, place, every, rules, asked)
    else:
        announced, announced_by = announced.astimezone(UTC), "as stated"
    if not _EARLIEST <= announced.year <= _LATEST:
        raise LawError(
            f"announced in the year {announced.year}: state a day between {_EARLIEST} and {_LATEST}"
        )
    closings = find_closings(book, supplier, place, products, announced, addressees)
    needed = any(each.operation not in BY_CUSTOMER for each in closings)
    calendar = Calendar(book, place, announced, closings, terms)
    cutoff = calendar.end_of(*_DELIVERIES)
    add_steps(calendar, cutoff)
    warnings = _warnings(book, asked, announced, cutoff)
    question = ask(
        Operation.SELL, products[0], supplier, announced, places=(place,), addressees=addressees
    )
    return Plan(
        place=place,
        place_name=place_name(place),
        supplier=supplier,
        supplier_name=book.suppliers[supplier].name,
        edition=book.edition.number,
        rulebook_sha256=book.sha256,
        needed=needed,
        summary=_summary(place, closings, needed=needed, warned=bool(warnings)),
        announced=announced,
        announced_by=announced_by,
        cutoff=cutoff,
        terms=terms,
        assumptions=(
            *decide(book, question).assumptions,
            f"sold there: {', '.join(each.value for each in products)}",
            "of several readings of a rule the strictest is planned by",
            "hours are also given by the clocks of the place's seat of government; others "
            "there may "
            "differ, the instant is the same",
        ),
        cautions=(*_cautions(calendar, closings, rules), *_taken_away(asked)),
        closings=closings,
        steps=tuple(calendar.steps),
        continues=tuple(_continuing(asked, closings)),
        warnings=tuple(ground(rules[rule]) for rule in warnings),
    )


def _announced(
    book: Rulebook,
    place: str,
    closings: Sequence[Closing],
    rules: dict[str, BoundRule],
    asked: Sequence[Asked],
) -> tuple[datetime, str]:
    """The day that the authority's announcement suggests, and why it."""
    named = dict.fromkeys(rule for each in closings for rule in each.rules)
    found = [rules[rule] for rule in named]
    if not found:
        found = [
            one.rule
            for each in asked
            for one in each.last.considered
            if one.rule.warns and one.rule.instrument.jurisdiction == place
        ]
    days = [
        (day, rule.instrument.id)
        for rule in found
        if (day := rule.instrument.announced or rule.instrument.published) is not None
    ]
    if days:
        day, which = min(days)
        return (
            day_begins(day, place).astimezone(UTC),
            f"the day on which {which} was announced; state another with --announced",
        )
    return (
        day_begins(book.edition.checked, place).astimezone(UTC),
        "the day on which the rulebook was last checked, since no rule names one; state "
        "another with "
        "--announced",
    )


def _warnings(
    book: Rulebook, asked: Sequence[Asked], announced: datetime, cutoff: datetime | None
) -> list[str]:
    """Rules that warn at some time from the announcement on, by identifier."""
    found: dict[str, None] = {}
    for each in asked:
        question = each.stretches[0].decision.question
        first = decide(book, question._replace(at=announced))
        times = [announced, *first.changes_after(announced)]
        for time in times:
            if cutoff is not None and time > cutoff:
                break
            decision = decide(book, question._replace(at=time))
            found |= {
                one.rule.id: None
                for one in decision.applying
                if one.rule.warns  # of a group of countries: or may, in one of them
            }
    return sorted(found)


def _cautions(
    calendar: Calendar, closings: Sequence[Closing], rules: dict[str, BoundRule]
) -> list[str]:
    found = list(calendar.cautions)
    groups: dict[tuple[Operation, datetime | None, Outcome], list[Closing]] = {}
    for each in closings:
        groups.setdefault((each.operation, each.at, each.outcome), []).append(each)
    for those in groups.values():
        one = those[0]
        name = f"{one.operation.value} of {', '.join(each.product.value for each in those)}"
        is_open, since = one.outcome is Outcome.UNDETERMINED, one.local or "ever"
        if one.at is not None and one.at <= calendar.announced:
            what = "may be forbidden" if is_open else "is forbidden"
            found.append(f"{name} {what} already, since {since}: stop it at once")
        elif one.at is None and not is_open:
            found.append(f"{name}: forbidden at all times")
        if is_open:
            found.append(
                f"{name}: whether it is forbidden from {since} on is not known; planned as if it "
                "were"
            )
    named = dict.fromkeys(rule for each in closings for rule in each.rules)
    for rule in named:
        stated = rules[rule].rule
        if stated.readings:
            found.append(f"{rule}: {ground(rules[rule]).note}")
    for instrument in {
        rules[rule].instrument.id: rules[rule].instrument for rule in named
    }.values():
        found += [f"{instrument.id}: sources conflict: {text}" for text in instrument.conflicts]
    return list(dict.fromkeys(found))


def _taken_away(asked: Sequence[Asked]) -> Iterable[str]:
    """What goes on only since another act says so than the one that forbids it."""
    return dict.fromkeys(
        f"{rule.id} ({rule.instrument.authority}) is taken away by {exemption}, which is another "
        "act; whether it may is not for the rulebook to say"
        for each in asked
        for rule, exemption in each.last.taken_away
    )


def _continuing(asked: Sequence[Asked], closings: Sequence[Closing]) -> list[Continuing]:
    closed = {(each.operation, each.product) for each in closings}
    found = [
        Continuing(
            product=None,
            operations=_ALWAYS,
            why="always allowed, whatever any rule says: scanning with what one has, removing the "
            "product, taking out and deleting one's own data",
        )
    ]
    for product in dict.fromkeys(each.product for each in asked):
        going_on = [
            each
            for each in asked
            if each.product is product and (each.operation, product) not in closed
        ]
        for warned in (False, True):
            those = [each for each in going_on if (each.last.outcome in _WARNED) is warned]
            if not those:
                continue
            rules = dict.fromkeys(
                one.rule.id
                for each in those
                for one in each.last.deciding
                if one.rule.rule.kind is Kind.EXEMPTION or one.rule.warns
            )
            why = "no rule of the book forbids it"
            if warned:
                why = "allowed; an authority warns or advises against it"
            elif rules:
                why = "exempt"
            found.append(
                Continuing(
                    product=product,
                    operations=tuple(each.operation for each in those),
                    why=why,
                    rules=tuple(rules),
                    warned=warned,
                )
            )
    return found


def _summary(place: str, closings: Sequence[Closing], *, needed: bool, warned: bool) -> str:
    where = place_name(place)
    if not needed and warned:
        return (
            f"No withdrawal is needed: nothing that the supplier does in {where} is forbidden. An "
            "authority warns or advises, which forbids nothing; say so openly to customers."
        )
    if not needed and closings:
        return f"No withdrawal is needed: what is forbidden in {where} binds customers; tell them."
    if not needed:
        return f"No withdrawal is needed: no rule of the book forbids anything in {where}."
    times = [each.at for each in closings if each.at is not None]
    count = len(dict.fromkeys(times))
    when = "at one instant" if count == 1 else f"at {count} instants"
    return (
        f"{len(closings)} operations end in {where}, {when}. Nothing is done from its "
        "instant on; what is owed to customers is done before."
    )

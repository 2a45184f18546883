"""Decide whether something may be supplied: pure, by the rules, with the reason of each.

A rule is held against the facts with three values: it applies, it does not, or that is unknown.
Then, in this order:

1. What is always allowed is allowed, whatever any rule says.
2. A rule that forbids, applies and is not exempted: prohibited.
3. One of which that is unknown, or whether an exemption takes it away: undetermined.
4. A fact was stated to be unknown: undetermined, since a rule that no book has yet may need it.
5. A warning, recommendation or duty to replace of which it is unknown whether it applies:
   undetermined; one that applies: warned.
6. Otherwise allowed.

So an unknown fact never ends in `allowed`, and another rule can make an answer only stricter,
unless it is an exemption.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from functools import cached_property, lru_cache
from typing import NamedTuple

from tocsin.jurisdiction.places import place_name
from tocsin.jurisdiction.question import Facts, Person, Question
from tocsin.jurisdiction.rulebook import BoundRule, Rulebook
from tocsin.jurisdiction.vocabulary import (
    ALWAYS_ALLOWED,
    Embedded,
    Kind,
    Outcome,
    Status,
)


class Truth(IntEnum):
    """Whether something holds; the lesser of several is whether all do (Kleene's logic)."""

    NO = 0
    UNKNOWN = 1
    YES = 2


class Considered(NamedTuple):
    """What became of one rule.

    Attributes:
        rule: the rule.
        applies: at the instant of the question.
        reason: why, for people.
        exempted_by: identifiers of exemptions that take it away.
    """

    rule: BoundRule
    applies: Truth
    reason: str
    exempted_by: tuple[str, ...] = ()


class Held(NamedTuple):
    """A rule that may be about the question, whatever the time.

    Attributes:
        rule: the rule.
        applies: but for the time.
    """

    rule: BoundRule
    applies: Truth

    def at(self, time: datetime) -> Truth:
        """Whether it applies at an instant."""
        stated = self.rule.rule
        if time < stated.effective or (stated.ends is not None and time >= stated.ends):
            return Truth.NO
        if stated.certain_from is not None and time < stated.certain_from:
            return min(self.applies, Truth.UNKNOWN)
        return self.applies


class Decision:
    """An answer; what explains it is worked out when it is asked for.

    Attributes:
        question: what was asked.
        outcome: the answer.
        facts: the question with its assumptions.
    """

    def __init__(self, ruling: Ruling, question: Question) -> None:
        self.question = question
        self.facts = ruling.facts
        self.outcome = ruling.outcome(question.at)
        self._ruling = ruling

    @cached_property
    def considered(self) -> tuple[Considered, ...]:
        """Every rule about the supplier, by identifier, with the reason."""
        return tuple(self._ruling.considered(self.question.at))

    @property
    def applying(self) -> tuple[Considered, ...]:
        """The rules that make the answer, or might."""
        return tuple(each for each in self.considered if each.applies and not each.exempted_by)

    @property
    def deciding(self) -> tuple[Considered, ...]:
        """Of those that apply, the ones that the outcome follows from."""
        kinds = {
            Outcome.PROHIBITED: lambda one: one.applies is Truth.YES and one.rule.forbids,
            Outcome.WARNED: lambda one: one.applies is Truth.YES and one.rule.warns,
            Outcome.UNDETERMINED: lambda one: (
                one.rule.rule.kind is not Kind.EXEMPTION
                and (one.applies is Truth.UNKNOWN or one.rule.forbids)
            ),
            Outcome.ALLOWED: lambda one: one.rule.rule.kind is Kind.EXEMPTION,
        }
        return tuple(filter(kinds[self.outcome], self.applying))

    @property
    def obligations(self) -> tuple[tuple[BoundRule, str], ...]:
        """What whoever is bound must do, with the rule that says so."""
        return tuple(
            (each.rule, text)
            for each in self.applying
            if each.applies is Truth.YES
            for text in each.rule.rule.obligations
        )

    @property
    def taken_away(self) -> tuple[tuple[BoundRule, str], ...]:
        """Rules that would count but for an exemption of another instrument, with its rule's id.

        An act frees from itself; whether another one may is for its author to answer.
        """
        return tuple(
            (each.rule, exemption)
            for each in self.considered
            for exemption in each.exempted_by
            if exemption.partition("/")[0] != each.rule.instrument.id
        )

    @cached_property
    def next_change(self) -> tuple[datetime, Outcome] | None:
        """The next instant at which the answer is another one, and which; None: never."""
        return self._ruling.next_change(self.question.at, self.outcome)

    def changes_after(self, time: datetime) -> tuple[datetime, ...]:
        """Instants after a time at which a rule that may apply begins or ends, in UTC."""
        return tuple(each.astimezone(UTC) for each in self._ruling.changes if each > time)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What was taken for granted."""
        return self.facts.assumptions


class Ruling:
    """What a rulebook says of a question at every instant.

    Args:
        rulebook: the rules.
        question: its instant does not matter here.

    Attributes:
        facts: the question with its assumptions.
        held: the rules that apply or may, but for the time.
        changes: instants at which one of those begins, becomes certain or ends; sorted.
    """

    def __init__(self, rulebook: Rulebook, question: Question) -> None:
        self.facts = Facts(question)
        self._rulebook = rulebook
        self._always = question.operation in ALWAYS_ALLOWED
        about, product = (
            rulebook.rules_about(question.supplier, question.operation),
            question.product,
        )
        if product is not None:  # most are about others: what comes after takes longer
            about = tuple([rule for rule in about if product in rule.products])
        self.held = [Held(rule, truth) for rule in about if (truth := _hold(rule, self.facts))]
        self.changes = sorted({time for one in self.held for time in one.rule.boundaries()})
        self._outcomes: dict[int, Outcome] = {}

    def outcome(self, time: datetime) -> Outcome:
        """The answer at an instant."""
        return self._after(bisect_right(self.changes, time))

    def _after(self, place: int) -> Outcome:
        """The answer from a change on, counted from 1; 0: before all of them."""
        if place not in self._outcomes:
            time = self.changes[place - 1] if place else _BEFORE_ALL
            self._outcomes[place] = self._outcome(time)
        return self._outcomes[place]

    def next_change(self, time: datetime, outcome: Outcome) -> tuple[datetime, Outcome] | None:
        """The first instant after a time at which the answer is not the given one."""
        for number in range(bisect_right(self.changes, time), len(self.changes)):
            following = self._after(number + 1)
            if following is not outcome:
                return self.changes[number], following
        return None

    def considered(self, time: datetime) -> Iterator[Considered]:
        """What becomes of every rule at an instant."""
        held = {one.rule.id: one for one in self.held}
        for rule in self._rulebook.rules_about(self.facts.question.supplier):
            one = held.get(rule.id)
            if one is None:
                yield Considered(rule, Truth.NO, _why(rule, self.facts))
                continue
            applies = one.at(time)
            exempted = tuple(
                other.rule.id for other in self._exempting(rule, time, at_least=Truth.YES)
            )
            reason = _why_at(rule, self.facts, time)
            yield Considered(rule, applies, reason, exempted if applies else ())

    def _exempting(self, rule: BoundRule, time: datetime, *, at_least: Truth) -> Iterator[Held]:
        for other in self.held:
            if rule.is_exempted_by(other.rule) and other.at(time) >= at_least:
                yield other

    def _outcome(self, time: datetime) -> Outcome:
        if self._always:
            return Outcome.ALLOWED
        result = Outcome.ALLOWED
        is_open = self.facts.is_unsure
        for one in self.held:
            applies = one.at(time)
            if applies is Truth.NO or one.rule.rule.kind is Kind.EXEMPTION:
                continue
            exempting = [
                other.at(time) for other in self._exempting(one.rule, time, at_least=Truth.UNKNOWN)
            ]
            if Truth.YES in exempting:
                continue
            if exempting:
                applies = Truth.UNKNOWN
            if applies is Truth.UNKNOWN:
                is_open = True
            elif one.rule.forbids:
                return Outcome.PROHIBITED
            else:
                result = Outcome.WARNED
        return Outcome.UNDETERMINED if is_open else result


def decide(rulebook: Rulebook, question: Question) -> Decision:
    """Decide.

    Args:
        rulebook: the rules.
        question: as `ask` made it; its supplier is one of the book's.
    """
    timeless = question._replace(at=_ANY_TIME)
    return Decision(_ruling(rulebook, timeless), question)


_BEFORE_ALL = datetime(1, 1, 1, tzinfo=UTC)
_ANY_TIME = _BEFORE_ALL


@lru_cache(4096)
def _ruling(rulebook: Rulebook, question: Question) -> Ruling:
    return Ruling(rulebook, question)


# --- whether one rule is about the facts, but for the time ---------------------------------


def _hold(rule: BoundRule, facts: Facts) -> Truth:
    """Hold a rule against the facts: it applies if all that it needs does."""
    found = Truth.YES
    for condition in _TESTS:
        truth = condition(rule, facts)
        if truth is Truth.NO:
            return Truth.NO
        if truth is Truth.UNKNOWN:
            found = Truth.UNKNOWN
    return found


def _why(rule: BoundRule, facts: Facts) -> str:
    """Why a rule applies, or does not, or may, in words."""
    held = [(condition(rule, facts), words) for condition, words in _CONDITIONS]
    for wanted in (Truth.NO, Truth.UNKNOWN, Truth.YES):
        said = [words(rule, facts, truth) for truth, words in held if truth is wanted]
        if said:
            return said[0] if wanted is Truth.NO else "; ".join(filter(None, said))
    return ""


def _in_force(rule: BoundRule, _: Facts) -> Truth:
    status = rule.instrument.status
    was_law = status is Status.ENDED and rule.rule.ends is not None  # until then
    return Truth.YES if status is Status.IN_FORCE or was_law else Truth.NO


def _in_force_words(rule: BoundRule, _: Facts, truth: Truth) -> str:
    return "" if truth else f"it is {rule.instrument.status.value}, not in force"


def _operation(rule: BoundRule, facts: Facts) -> Truth:
    return Truth.YES if facts.question.operation in rule.rule.operations else Truth.NO


def _operation_words(_: BoundRule, facts: Facts, truth: Truth) -> str:
    return "" if truth else f"it is not about {facts.question.operation.value!r}"


def _product(rule: BoundRule, facts: Facts) -> Truth:
    product = facts.question.product
    if product is None:
        return Truth.UNKNOWN
    return Truth.YES if product in rule.products else Truth.NO


def _product_words(rule: BoundRule, facts: Facts, truth: Truth) -> str:
    product, about = facts.question.product, _listed(rule.rule.products)
    if product is None:
        return "unknown of which class the product is"
    return f"about {about}" if truth else f"it is about {about}, not {product.value}"


def _is_tied(rule: BoundRule, person: Person) -> bool:
    return person.country in rule.persons and person.tie in rule.ties


def _nexus(rule: BoundRule, facts: Facts) -> Truth:
    if not rule.places.isdisjoint(facts.systems):
        return Truth.YES
    for person in facts.persons:
        if _is_tied(rule, person):
            return Truth.YES
    if (rule.places and facts.systems_open) or (rule.persons and facts.persons_open):
        return Truth.UNKNOWN
    if not rule.places.isdisjoint(facts.systems_within):
        return Truth.UNKNOWN
    for person in facts.persons_within:
        if _is_tied(rule, person):
            return Truth.UNKNOWN
    return Truth.NO


def _nexus_words(rule: BoundRule, facts: Facts, truth: Truth) -> str:
    nexus = rule.rule.nexus
    if truth is Truth.YES:
        for system in facts.systems:
            if system in rule.places:
                return f"the system stands in {place_name(system)}"
        tied = next(person for person in facts.persons if _is_tied(rule, person))
        return f"the person is {tied}"
    if truth is Truth.UNKNOWN:
        if rule.places and (facts.systems_open or not rule.places.isdisjoint(facts.systems_within)):
            return f"unknown whether the system stands in {_named(nexus.places)}"
        return f"unknown whether the person is one of {_named(nexus.persons)}"
    what = [f"a system in {_named(nexus.places)}"] if nexus.places else []
    what += [f"persons of {_named(nexus.persons)}"] if nexus.persons else []
    return f"it is about {' and '.join(what)}"


def _addressee(rule: BoundRule, facts: Facts) -> Truth:
    wanted = rule.addressees
    if not wanted or not wanted.isdisjoint(facts.addressees):
        return Truth.YES
    return Truth.NO if wanted <= facts.not_addressees else Truth.UNKNOWN


def _addressee_words(rule: BoundRule, facts: Facts, truth: Truth) -> str:
    wanted = rule.addressees
    if truth is Truth.YES:
        found = wanted & facts.addressees
        return f"who is supplied is {_listed(found)}" if found else ""
    about = _listed(wanted)
    if truth is Truth.NO:
        return f"it is about {about}"
    return f"unknown whether who is supplied is {about}"


def _circumstances(rule: BoundRule, facts: Facts) -> Truth:
    found = Truth.YES
    for each in rule.rule.circumstances:
        if each in facts.absent:
            return Truth.NO
        if each not in facts.holding:
            found = Truth.UNKNOWN
    return found


def _circumstances_words(rule: BoundRule, facts: Facts, truth: Truth) -> str:
    stated = rule.rule.circumstances
    if truth is Truth.NO:
        absent = _listed([each for each in stated if each in facts.absent])
        return f"it is about what is {absent}, and this is not"
    if truth is Truth.UNKNOWN:
        unsure = [each for each in stated if each not in facts.holding]
        return f"unknown whether it is {' and '.join(each.value for each in unsure)}"
    return "".join(f"{each.value}, as stated" for each in stated[:1])


def _embedded(rule: BoundRule, facts: Facts) -> Truth:
    embedded, about = facts.question.embedded, rule.rule.embedded
    if about is Embedded.INCLUDED or embedded is False:
        return Truth.YES
    return Truth.NO if about is Embedded.EXCLUDED and embedded else Truth.UNKNOWN


def _embedded_words(rule: BoundRule, _: Facts, truth: Truth) -> str:
    if truth is Truth.NO:
        return "it is not about code that is part of another product"
    if truth is Truth.YES:
        return ""
    if rule.rule.embedded is Embedded.EXCLUDED:
        return "unknown whether the product is part of another, which is left out"
    return "unknown whether it is about code that is part of another product"


_CONDITIONS: tuple[
    tuple[Callable[[BoundRule, Facts], Truth], Callable[[BoundRule, Facts, Truth], str]], ...
] = (
    (_in_force, _in_force_words),
    (_operation, _operation_words),
    (_product, _product_words),
    (_nexus, _nexus_words),
    (_addressee, _addressee_words),
    (_circumstances, _circumstances_words),
    (_embedded, _embedded_words),
)
"""What a rule needs, each with its words."""

_TESTS = (_addressee, _nexus, _circumstances, _embedded, _product, _in_force)
"""The same without what the index of a rulebook is by; first what leaves out most."""


def _why_at(rule: BoundRule, facts: Facts, time: datetime) -> str:
    stated = rule.rule
    if time < stated.effective:
        return f"it begins on {_instant(stated.effective)}"
    if stated.ends is not None and time >= stated.ends:
        return f"it ended on {_instant(stated.ends)}"
    if stated.certain_from is not None and time < stated.certain_from:
        return (
            f"unknown whether it has begun: no source says the day, between "
            f"{_instant(stated.effective)} and {_instant(stated.certain_from)}"
        )
    readings = "".join(
        f"; by another reading since {_instant(each.effective)} ({each.note})"
        for each in stated.readings
    )
    return f"{_why(rule, facts)}; since {_instant(stated.effective)}{readings}"


def _instant(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _listed(words: Iterable[StrEnum]) -> str:
    return " or ".join(sorted(word.value for word in words))


def _named(codes: Iterable[str]) -> str:
    return " or ".join(sorted(map(place_name, codes)))

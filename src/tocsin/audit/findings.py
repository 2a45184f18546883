"""What the rules say of what was found: pure, from matches, a rulebook and stated facts.

A component is judged as its marks tell: by every class of product that they name, of which the
strictest answer counts, and as a part of another product if the component or its surest mark says
so. Using it is one question; what a user gets from the supplier, or does with it, are others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from tocsin.audit.matching import confidence
from tocsin.audit.model import Component, Match, SupplierFinding
from tocsin.jurisdiction.decide import Considered, Decision, Ruling, Truth, decide
from tocsin.jurisdiction.places import place_name, within
from tocsin.jurisdiction.question import Question
from tocsin.jurisdiction.rulebook import BoundRule, Rulebook
from tocsin.jurisdiction.vocabulary import Kind, Operation, Outcome, Product

MIN_CONFIDENCE = 0.5
"""Below, a mark is a hint, and no finding."""

STRICTNESS = {
    Outcome.ALLOWED: 0,
    Outcome.WARNED: 1,
    Outcome.UNDETERMINED: 2,
    Outcome.PROHIBITED: 3,
}

OTHER_OPERATIONS = (
    Operation.INSTALL,
    Operation.DOWNLOAD,
    Operation.BUY,
    Operation.RENEW,
    Operation.SIGNATURE_UPDATE,
    Operation.SOFTWARE_UPDATE,
    Operation.COLLECT_STATISTICS,
    Operation.LOOK_UP_REPUTATION,
    Operation.INTEGRATE,
    Operation.RESELL,
)
"""What is asked besides `use`: what whoever has a product does with it, and is supplied with."""

_MOST_REASONS = 3


class Bearing(NamedTuple):
    """What one rule does about a component.

    Attributes:
        rule: the rule.
        outcome: that follows from it.
        operations: for which.
        is_certain: whether the rule applies; else that is unknown.
        reason: why it applies, or what is not known.
    """

    rule: BoundRule
    outcome: Outcome
    operations: tuple[Operation, ...]
    is_certain: bool
    reason: str


class Judge:
    """Judges components by one rulebook and one set of facts.

    Args:
        rulebook: the rules.
        facts: a question whose operation, product and supplier do not matter.
        is_embedded_stated: whether the question's `embedded` was stated, so that what components
            and marks say of it does not matter.
        min_confidence: from 0 to 1; marks that are less sure are hints.

    Attributes:
        weaker: how many components had hints and nothing surer.
    """

    def __init__(
        self,
        rulebook: Rulebook,
        facts: Question,
        *,
        is_embedded_stated: bool = False,
        min_confidence: float = MIN_CONFIDENCE,
    ) -> None:
        self._rulebook = rulebook
        self._facts = facts
        self._is_embedded_stated = is_embedded_stated
        self._min_confidence = min_confidence
        self._known: dict[tuple[str, tuple[Product, ...], bool | None], tuple[Decision, ...]] = {}
        self.weaker = 0

    def judge(
        self, component: Component, matches: Mapping[str, Sequence[Match]]
    ) -> Iterator[SupplierFinding]:
        """The findings of one component, one a supplier.

        Args:
            component: which.
            matches: its traces that are marks, by the supplier's identifier.
        """
        is_weak = False
        for supplier, found in sorted(matches.items()):
            surest_first = sorted(
                found, key=lambda match: (-match.confidence, match.marker.embedded)
            )
            sure = confidence(surest_first)
            if sure < self._min_confidence:
                is_weak = True
                continue
            use, *others = self._decisions(
                supplier,
                self._products(surest_first),
                self._embedded(component, surest_first[0]),
            )
            yield SupplierFinding(component, tuple(surest_first), sure, use, tuple(others))
        self.weaker += is_weak

    def _products(self, surest_first: Sequence[Match]) -> tuple[Product, ...]:
        """The classes that the marks name which are sure enough, or the surest one."""
        enough = min(self._min_confidence, surest_first[0].confidence)
        named = {
            product
            for match in surest_first
            if match.confidence >= enough
            for product in match.marker.products
        }
        return tuple(product for product in Product if product in named) or (Product.OTHER,)

    def _embedded(self, component: Component, surest: Match) -> bool | None:
        if self._is_embedded_stated:
            return self._facts.embedded
        return surest.marker.embedded if component.embedded is None else component.embedded

    def _decisions(
        self, supplier: str, products: tuple[Product, ...], embedded: bool | None
    ) -> tuple[Decision, ...]:
        """Of `use` and of every other operation, the strictest of all classes of product."""
        key = (supplier, products, embedded)
        if key not in self._known:
            self._known[key] = tuple(
                max(
                    (
                        decide(
                            self._rulebook,
                            self._facts._replace(
                                operation=operation,
                                product=product,
                                supplier=supplier,
                                embedded=embedded,
                            ),
                        )
                        for product in products
                    ),
                    key=lambda decision: STRICTNESS[decision.outcome],
                )
                for operation in (Operation.USE, *OTHER_OPERATIONS)
            )
        return self._known[key]


def outcome_of(finding: SupplierFinding) -> Outcome:
    """The strictest outcome of a finding, over all operations."""
    return max(
        (each.outcome for each in (finding.use, *finding.decisions)), key=STRICTNESS.__getitem__
    )


def affects_use(finding: SupplierFinding) -> bool:
    """Whether any rule says something of going on to use what is there."""
    return finding.use.outcome is not Outcome.ALLOWED


def bearings(finding: SupplierFinding) -> tuple[Bearing, ...]:
    """What the rules do about a component, the strictest first; empty: no rule does anything."""
    return _bearings((finding.use, *finding.decisions))


def next_change(finding: SupplierFinding) -> tuple[datetime, Operation, Outcome] | None:
    """The next instant at which an answer about a component is another one; None: never."""
    found = [
        (change[0], decision.question.operation, change[1])
        for decision in (finding.use, *finding.decisions)
        if (change := decision.next_change) is not None
    ]
    return min(found, key=lambda each: each[0], default=None)


@lru_cache(4096)
def why_allowed(decision: Decision) -> str:
    """Why no rule is against an operation, in one line for people."""
    question = decision.question
    about = [
        each
        for each in decision.considered
        if question.operation in each.rule.rule.operations
        and each.rule.rule.kind is not Kind.EXEMPTION
        and _is_of(each, question)
    ]
    if exempt := [each for each in decision.deciding if each.applies is Truth.YES]:
        return "; ".join(f"{each.rule.id}: {each.rule.rule.summary}" for each in exempt)
    if about:
        said = "; ".join(f"{each.rule.id}: {each.reason}" for each in about[:_MOST_REASONS])
        rest = len(about) - _MOST_REASONS
        return said + (f"; and {rest} more" if rest > 0 else "")
    where = " and ".join(map(place_name, question.places)) or "the place"
    if not decision.considered:
        return f"the rulebook has no rule about {question.supplier!r}"
    return (
        f"none of the {len(decision.considered)} rules about {question.supplier!r} is about "
        f"{question.operation.value!r} in {where}"
    )


def relevant_rules(
    rulebook: Rulebook, facts: Question, suppliers: Iterable[str]
) -> tuple[BoundRule, ...]:
    """The rules that hold, held or will hold for such facts, whatever the class of product.

    Args:
        rulebook: the rules.
        facts: a question whose operation, product and supplier do not matter.
        suppliers: identifiers of those to look at.
    """
    found: dict[str, BoundRule] = {}
    for supplier in suppliers:
        for operation in (Operation.USE, *OTHER_OPERATIONS):
            if not rulebook.rules_about(supplier, operation):
                continue
            for product in Product:
                asked = facts._replace(operation=operation, product=product, supplier=supplier)
                found |= {one.rule.id: one.rule for one in Ruling(rulebook, asked).held}
    return tuple(found[rule] for rule in sorted(found))


@lru_cache(4096)
def _bearings(decisions: tuple[Decision, ...]) -> tuple[Bearing, ...]:
    """Cached, since thousands of components may share the same few decisions."""
    operations: dict[tuple[str, Outcome], list[Operation]] = {}
    considered: dict[tuple[str, Outcome], Considered] = {}
    for decision in decisions:
        if decision.outcome is Outcome.ALLOWED:
            continue
        for each in decision.deciding:
            key = (each.rule.id, decision.outcome)
            operations.setdefault(key, []).append(decision.question.operation)
            considered.setdefault(key, each)
    found = [
        Bearing(
            considered[key].rule,
            key[1],
            tuple(done),
            considered[key].applies is Truth.YES,
            considered[key].reason,
        )
        for key, done in operations.items()
    ]
    return tuple(sorted(found, key=lambda one: (-STRICTNESS[one.outcome], one.rule.id)))


def _is_of(considered: Considered, question: Question) -> bool:
    """Whether a rule is of a place or of persons that the question names."""
    nexus = considered.rule.rule.nexus
    countries = {*nexus.places, *nexus.persons}
    named = {*question.places, *question.systems, *(each.country for each in question.persons)}
    return any(within(code) & countries for code in named)

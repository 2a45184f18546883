"""What a plan is made of; its JSON form is these types, and `docs/withdrawal-plan.schema.json`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from tocsin.jurisdiction.places import zone_of
from tocsin.jurisdiction.vocabulary import Basis, Operation, Outcome, Product
from tocsin.jurisdiction.withdrawal.terms import Terms

PLAN_FORMAT = 1
NO_ADVICE = "This is no legal advice: have it checked by those who may give it before you act."


class Timing(StrEnum):
    """What a step's instant is to it."""

    BY = "by"
    AT = "at"
    FROM = "from"


TIMINGS = {
    Timing.BY: "done before this instant",
    Timing.AT: "takes effect at this very instant",
    Timing.FROM: "begins here and goes on",
}


class _Value(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a plan."""


class Ground(_Value, frozen=True, kw_only=True):
    """A rule that is a reason.

    Attributes:
        rule: its identifier.
        summary: what it says.
        authority: who said it.
        citation: where.
        link: to the text.
        basis: how well it was checked.
        effective: from when on it holds, as the rulebook has it.
        planned: from when on it is planned for: of several readings the strictest.
        note: what a reader should know of it.
    """

    rule: str
    summary: str
    authority: str
    citation: str
    link: str
    basis: Basis
    effective: datetime
    planned: datetime
    note: str = ""


class Closing(_Value, frozen=True, kw_only=True):
    """An operation on a class of product that becomes forbidden, or may be.

    Attributes:
        operation: which.
        product: of which class.
        at: from which instant on, by the strictest reading; None: at all times.
        local: the same in the place.
        until: until when; None: no end is known.
        outcome: prohibited or undetermined.
        stated: the instant by the rulebook's own reading, if that is another one.
        rules: identifiers of the rules that it follows from.
    """

    operation: Operation
    product: Product
    at: datetime | None
    local: str
    until: datetime | None
    outcome: Outcome
    stated: datetime | None
    rules: tuple[str, ...]


class Step(_Value, frozen=True, kw_only=True):
    """One thing to do.

    Attributes:
        id: stable, within the plan.
        timing: what the instant is to it.
        at: the instant, in UTC.
        local: the same in the place.
        title: in a few words.
        what: is to be done, in sentences.
        who: does it.
        why: in a sentence.
        proof: what proves that it was done.
        grounds: rules that demand it; empty: it is owed to the customers.
        late: whether it should have been earlier, and the announcement was too late for that.
    """

    id: str
    timing: Timing
    at: datetime
    local: str
    title: str
    what: str
    who: str
    why: str
    proof: str
    grounds: tuple[Ground, ...] = ()
    late: bool = False


class Continuing(_Value, frozen=True, kw_only=True):
    """What may go on.

    Attributes:
        product: class of product; None: every one.
        operations: that may.
        why: in a sentence.
        rules: identifiers of exemptions it follows from.
        warned: whether an authority warns of it.
    """

    product: Product | None
    operations: tuple[Operation, ...]
    why: str
    rules: tuple[str, ...] = ()
    warned: bool = False


class Plan(_Value, frozen=True, kw_only=True):
    """A dated plan.

    Attributes:
        format: of this form.
        place: code of the place that is left.
        place_name: in words.
        supplier: identifier of who leaves.
        supplier_name: in full.
        edition: number of the rulebook's edition.
        rulebook_sha256: digest of the rulebook's portable form.
        needed: whether anything that the supplier does becomes forbidden.
        summary: in a sentence or two.
        announced: when the withdrawal is announced; nothing is planned earlier.
        announced_by: how that was chosen.
        cutoff: when deliveries to installed products end; None: they do not.
        terms: numbers of days that were planned with.
        assumptions: what was taken for granted.
        cautions: what is wrong or doubtful with this plan; above all deadlines that are too near.
        closings: what becomes forbidden.
        steps: in the order of time.
        continues: what may go on.
        warnings: rules that warn or advise and forbid nothing.
        notice: that this is no legal advice.
    """

    format: int = PLAN_FORMAT
    place: str
    place_name: str
    supplier: str
    supplier_name: str
    edition: int
    rulebook_sha256: str
    needed: bool
    summary: str
    announced: datetime
    announced_by: str
    cutoff: datetime | None
    terms: Terms
    assumptions: tuple[str, ...]
    cautions: tuple[str, ...]
    closings: tuple[Closing, ...]
    steps: tuple[Step, ...]
    continues: tuple[Continuing, ...]
    warnings: tuple[Ground, ...]
    notice: str = NO_ADVICE

    @property
    def title(self) -> str:
        """What it is about, in a few words."""
        if self.needed:
            return f"{self.supplier_name} leaves {self.place_name}"
        return f"{self.supplier_name} in {self.place_name}: no withdrawal is needed"

    def step(self, identifier: str) -> Step | None:
        """A step by its identifier."""
        return next((each for each in self.steps if each.id == identifier), None)


def plan_json(plan: Plan) -> bytes:
    """A plan as JSON, a line end behind it."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n"


def plan_schema() -> dict[str, Any]:
    """The JSON Schema of what `plan_json` writes."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tocsin: a plan to leave a market",
        **msgspec.json.schema(Plan),
    }


def local(at: datetime, place: str) -> str:
    """An instant by the clocks of a place's seat of government: `2024-09-29 00:00:00 EDT`."""
    return at.astimezone(zone_of(place)).strftime("%Y-%m-%d %H:%M:%S %Z")

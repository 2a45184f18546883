"""What every format of report is made from: the result, and what it was asked about."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from tocsin.audit.findings import STRICTNESS, outcome_of
from tocsin.audit.model import Audit
from tocsin.audit.report.words import moment
from tocsin.jurisdiction.places import place_name, zone_of
from tocsin.jurisdiction.question import Facts, Question
from tocsin.jurisdiction.rulebook import BoundRule
from tocsin.jurisdiction.vocabulary import Outcome

DISCLAIMER = "No legal advice: what files say, held against rules that people wrote down."


class Format(StrEnum):
    """In which form a report is written, besides the table for a terminal."""

    JSON = "json"
    SARIF = "sarif"
    CYCLONEDX = "cyclonedx"
    HTML = "html"


class Report(NamedTuple):
    """An audit with what it was asked about.

    Attributes:
        audit: the result.
        facts: a question; its operation, product and supplier do not matter.
        is_embedded_stated: whether its `embedded` was stated, and not taken as found.
        meant: how the instant was understood, where that is not plain; may be empty.
        rules: that hold, held or will hold for such facts.
        edition: number of the rulebook's edition.
        rulebook: where the rulebook comes from, in words.
        rulebook_sha256: of its portable form, in hex.
        looked_in: files, folders and lists that were looked through.
        unseen: paths that were named and of which nothing could be looked at or read.
        undecided: places of components of which cannot be told whether they are malicious.
        advisories_from: where advisories come from; empty: none were asked for.
        min_confidence: below which a mark is a hint and no finding.
        weaker: how many components had such hints and nothing surer.
        made: when the report was made, with a time zone.
    """

    audit: Audit
    facts: Question
    is_embedded_stated: bool
    meant: str
    rules: tuple[BoundRule, ...]
    edition: int
    rulebook: str
    rulebook_sha256: str
    looked_in: tuple[str, ...]
    unseen: tuple[str, ...]
    undecided: tuple[str, ...]
    advisories_from: tuple[str, ...]
    min_confidence: float
    weaker: int
    made: datetime

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What was taken for granted, in sentences."""
        said = [self.meant] if self.meant else []
        return (*said, *Facts(self.facts).assumptions)

    @property
    def where(self) -> str:
        """The places, in words."""
        return " and ".join(map(place_name, self.facts.places)) or "no place named"

    @property
    def at(self) -> datetime:
        """The instant that was asked about, in the zone of the first place."""
        places = self.facts.places
        return self.facts.at.astimezone(zone_of(places[0])) if places else self.facts.at

    @property
    def instant(self) -> str:
        """The same for people, and in UTC."""
        there, utc = moment(self.at), moment(self.facts.at)
        return there if there == utc else f"{there} ({utc})"

    def tally(self) -> Counter[str]:
        """How many findings there are of each outcome, and `malicious`, `vulnerable`, `skipped`."""
        found: Counter[str] = Counter(outcome_of(each).value for each in self.audit.suppliers)
        found.update(
            "malicious" if each.advisory.is_malicious else "vulnerable"
            for each in self.audit.advisories
        )
        found["skipped"] = len(self.audit.skipped)
        return found

    def headline(self) -> str:
        """What matters most, in one sentence."""
        tally = self.tally()
        said = [
            f"{tally[word]:,} {_NOUNS[word][tally[word] != 1]}" for word in _NOUNS if tally[word]
        ]
        if not said:
            also = " or is known to be malicious or vulnerable" if self.advisories_from else ""
            return (
                f"Of {_components(self.audit.looked_at)}, none comes from a supplier under a rule"
                f"{also}."
            )
        *first, last = said
        all_of_it = f"{', '.join(first)} and {last}" if first else last
        return f"Of {_components(self.audit.looked_at)}: {all_of_it}."


_NOUNS = {
    "malicious": ("malicious package", "malicious packages"),
    Outcome.PROHIBITED.value: (
        "component under a prohibition", "components under a prohibition",
    ),
    Outcome.UNDETERMINED.value: (
        "component with an undetermined answer", "components with an undetermined answer",
    ),
    Outcome.WARNED.value: ("component under a warning", "components under a warning"),
    "vulnerable": ("known vulnerability", "known vulnerabilities"),
    Outcome.ALLOWED.value: (
        "component of a known supplier that no rule is against",
        "components of known suppliers that no rule is against",
    ),
}  # fmt: skip


def _components(number: int) -> str:
    return f"{number:,} component" + ("" if number == 1 else "s")


def in_order(audit: Audit) -> Audit:
    """The same with the strictest findings first, then by place and name; each only once."""
    return audit._replace(
        suppliers=tuple(
            sorted(
                audit.suppliers,
                key=lambda one: (
                    -STRICTNESS[outcome_of(one)],
                    -one.confidence,
                    one.component.place,
                    one.component.name,
                    one.component.version,
                ),
            )
        ),
        advisories=tuple(
            sorted(
                audit.advisories,
                key=lambda one: (
                    not one.advisory.is_malicious,
                    one.component.place,
                    one.component.name,
                    one.component.version,
                    one.advisory.id,
                ),
            )
        ),
        skipped=tuple(sorted(dict.fromkeys(audit.skipped))),
    )

"""What a check finds: claims, how much of each was looked at, and what was wrong."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

CLAIMS = {
    "nothing-forbidden": "no act was done that is prohibited or undetermined for that customer at "
    "that instant, by any reading of the rules",
    "nothing-needless": "nothing was withheld that was allowed, but for the plan's margin",
    "consent": "nobody was moved to a successor, and no licence went to one, without a recorded "
    "opt-in to it before, which was not taken back",
    "notice": "whoever supply stopped for was notified with proof before, or is listed as not "
    "reached",
    "rights": "removal, export and deletion were never withheld, and done for everybody who asked",
    "refunds": "refunds add up to the day: each that is due once, none else, none lost",
    "last-update": "each device that was on had the last database before updates ended for it",
}
MOST_KEPT = 1_000
"""Violations that are kept of one claim; all are counted."""


class Violation(NamedTuple):
    """One thing that was wrong.

    Attributes:
        claim: that does not hold.
        customer: number.
        at: in seconds since 1970.
        detail: in words.
    """

    claim: str
    customer: int
    at: int
    detail: str


class Verdict(NamedTuple):
    """What a check found.

    Attributes:
        checked: how many things, by claim.
        counted: how many of them were wrong.
        violations: at most `MOST_KEPT` of each claim.
        figures: what else was counted, by words.
    """

    checked: dict[str, int]
    counted: dict[str, int]
    violations: tuple[Violation, ...]
    figures: dict[str, int]

    @property
    def holds(self) -> bool:
        """Whether all that is claimed does."""
        return not any(self.counted.values())


class Notes:
    """Takes down what is checked and what is wrong."""

    def __init__(self) -> None:
        self.checked = dict.fromkeys(CLAIMS, 0)
        self.counted = dict.fromkeys(CLAIMS, 0)
        self.violations: list[Violation] = []
        self.figures: dict[str, int] = defaultdict(int)

    def wrong(self, claim: str, customer: int, at: int, detail: str) -> None:
        """Take down that something was wrong."""
        self.counted[claim] += 1
        if self.counted[claim] <= MOST_KEPT:
            self.violations.append(Violation(claim, customer, at, detail))

"""Where each customer of a simulation stands, from second to second."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from tocsin.jurisdiction.withdrawal.gate import Track
from tocsin.jurisdiction.withdrawal.population import Customer


class State(NamedTuple):
    """Where customers stand at the end of a day, or how many acts there were on it.

    Attributes:
        day: seconds since 1970, of the day's beginning.
        standing: customers by where they stand (`STANDINGS`).
        acts: acts by what they are.
    """

    day: int
    standing: Counter[str]
    acts: Counter[str]


STANDINGS = {
    "updates": "protected, with updates",
    "moved": "moved to a successor by their own opt-in",
    "last-database": "scanning with the last database",
    "refunded": "the same, and paid back",
    "unknown": "a fact is unknown: nothing is supplied until it is stated",
    "expired": "licence ran out; scanning with what they have",
    "removed": "removed the product, or had everything deleted",
}
"""Where a customer can stand, each in one of them."""


class DeviceService(NamedTuple):
    """What a device asks for, and what becomes of it for now.

    Attributes:
        what: place in `SERVICES`.
        name: of the act in the counts.
        every: on every so many days; 0: on each on which there is something new.
        blocked: whether it is withheld.
        reason: place of the reason in the journal.
    """

    what: int
    name: str
    every: int
    blocked: bool
    reason: int


class Asked(NamedTuple):
    """What a device's services are until an instant, which is the first that may differ."""

    until: int
    services: tuple[DeviceService, ...]


NOTHING = Asked(0, ())


class Standing:
    """What is so of one customer now."""

    __slots__ = (
        "asked", "customer", "deleted", "is_listed", "is_reached", "issues", "licence", "moved",
        "opted", "refunded", "removed", "stops", "tracks",
    )  # fmt: skip

    def __init__(self, customer: Customer) -> None:
        self.customer = customer
        self.licence = customer.licence
        self.tracks: list[tuple[tuple[int, Track], ...]] = []
        self.asked: list[Asked] = []
        self.stops: list[tuple[int, int]] = []
        self.issues = [0] * len(customer.devices)
        self.opted: tuple[int, str, bool] | None = None
        self.moved = self.refunded = self.removed = self.deleted = False
        self.is_reached = self.is_listed = False

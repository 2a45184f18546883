"""What is unused of an agreement, to the day: how refunds are reckoned."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from tocsin.jurisdiction.places import zone_of
from tocsin.jurisdiction.withdrawal.population import Licence


class Unused(NamedTuple):
    """What is left of a term: whole days, and their part of the price in cents."""

    days: int
    cents: int


def unused(licence: Licence, since: int, place: str) -> Unused:
    """What is unused of a licence from a day on, that day with it.

    Args:
        licence: with term and price.
        since: an instant of the first day that does not count as used, in seconds since 1970.
        place: whose days are counted.

    Returns:
        Price * days left / days of the term, rounded to the nearest cent, halves up.
    """
    zone = zone_of(place)
    first = datetime.fromtimestamp(since, zone).date()
    last = datetime.fromtimestamp(licence.ends, zone).date()
    days = min(max((last - first).days, 0), licence.days)
    return Unused(days, (2 * licence.cents * days + licence.days) // (2 * licence.days))

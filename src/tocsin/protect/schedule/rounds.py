"""When a device asks for updates: at moments of its own, so that not all devices ask at once. Pure.

Moments are seconds since 1970 by the wall clock. Each device has a number of its own, by which
its moments lie somewhere between those of the others, the same every day. What failed is tried
again soon, then ever later, and never more often than is polite to a mirror that is overrun.
"""

from __future__ import annotations

import hashlib

import msgspec

FIRST_WITHIN = 300.0
"""Seconds within which a device asks that has just begun, or whose moment was missed."""

RETRY_AFTER = 300.0
"""Seconds after the first failure; twice as many after each further one."""

LATE = 600.0
"""Seconds after its moment from which it counts as missed: the machine was off, or slept."""


class Round(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered between two rounds.

    Attributes:
        seed: the device's own number, told to nobody.
        every: seconds between two rounds by which `next` was planned.
        next: when the next one is due; 0: not planned yet.
        failures: rounds that failed in a row.
        began: when the last one was begun; 0: never.
    """

    seed: str
    every: float = 0.0
    next: float = 0.0
    failures: int = 0
    began: float = 0.0


def share(seed: str, what: str) -> float:
    """A device's place between 0 and 1 (exclusive), the same for ever.

    Args:
        seed: the device's own number.
        what: the places of one device for different things have nothing to do with each other.
    """
    digest = hashlib.sha256(f"{what} {seed}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)


def regular(after: float, every: float, seed: str) -> float:
    """The device's first regular moment behind another moment.

    Args:
        after: seconds since 1970.
        every: seconds between two of its moments; more than 0.
        seed: the device's own number.
    """
    offset = share(seed, "moment") * every
    return after + every - (after - offset) % every


def planned(known: Round, every: float, now: float) -> Round:
    """What is remembered, with a next moment that makes sense now.

    It is planned anew when nothing was planned, the settings say something else now, the clock
    was set back, or the moment was missed.

    Args:
        known: what was remembered.
        every: seconds between two rounds; more than 0.
        now: seconds since 1970.
    """
    wait = known.next - now
    if known.next and known.every == every and -LATE <= wait <= every + FIRST_WITHIN:
        return known
    soon = now + share(known.seed, "first") * min(every, FIRST_WITHIN)
    # One who has asked not long ago, and only has other settings or another clock, need not hurry.
    recently = 0 <= now - known.began < every
    moment = min(regular(now, every, known.seed), now + every) if recently else soon
    return msgspec.structs.replace(known, every=every, next=moment)


def after_round(known: Round, every: float, now: float, *, failed: bool) -> Round:
    """What is remembered when a round has ended.

    Args:
        known: what was remembered when it began.
        every: seconds between two rounds; more than 0.
        now: seconds since 1970.
        failed: whether it is to be tried again sooner than the next regular moment.
    """
    moment = regular(now, every, known.seed)
    failures = known.failures + 1 if failed else 0
    if failed:
        wait = min(every, RETRY_AFTER * 2.0 ** min(failures - 1, 20))
        spread = 0.75 + 0.5 * share(known.seed, f"retry {failures}")
        moment = min(moment, now + wait * spread)
    return msgspec.structs.replace(known, every=every, next=moment, failures=failures)

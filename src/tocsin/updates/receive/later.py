"""Which later version of something a device is to have, where only later ones are taken: pure.

Releases of the software and editions of the rulebook go by this. The publisher's signed metadata
says when a version is for whom; a lower one than was in use is never taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from tocsin.updates.layout import ReleaseTarget, RulebookTarget


class Ordered(Protocol):
    """A version that can be compared: a number, or a release's."""

    def __lt__(self, other: Any, /) -> bool:
        """Whether it is the earlier one."""


_Version = TypeVar("_Version", bound=Ordered)
_Target = TypeVar("_Target", ReleaseTarget, RulebookTarget)


class Offered(NamedTuple, Generic[_Version, _Target]):
    """Something on offer: its version as it is compared, and what the metadata says."""

    version: _Version
    target: _Target


class LaterChoice(NamedTuple, Generic[_Version, _Target]):
    """What was decided.

    Attributes:
        candidates: what may be installed, the best first; empty to keep what is there.
        why: in words.
        waiting: a later version that is not due here yet; empty for none.
        due: when that is due here; None where that is not known.
        failed: whether what is there did not pass its test here.
    """

    candidates: tuple[Offered[_Version, _Target], ...]
    why: str
    waiting: str = ""
    due: datetime | None = None
    failed: bool = False


def choose_later(
    offers: Iterable[Offered[_Version, _Target]],
    floor: _Version,
    refused: Collection[str],
    due_at: Callable[[_Target], datetime | None],
    now: datetime,
    *,
    word: str = "version",
    in_use: _Version | None = None,
    with_floor: bool = False,
) -> LaterChoice[_Version, _Target]:
    """Decide.

    Args:
        offers: what the metadata offers, the newest first.
        floor: the highest version that was ever in use here; nothing lower is taken.
        refused: SHA-256 of what did not pass its test on this device.
        due_at: when something is for this device, by channel and ring; None for never.
        now: time that everything is judged by.
        word: what a version is called.
        in_use: the version that is, where somebody may have gone back from the highest.
        with_floor: whether that very version is taken too: there is none in this place yet.
    """
    later = [
        each for each in offers if floor < each.version or (with_floor and each.version == floor)
    ]
    if not later and in_use is not None and in_use < floor:
        return LaterChoice((), f"went back from {word} {floor}; waiting for a later one")
    if not later:
        return LaterChoice((), f"{word} {floor} is the newest")
    usable = [each for each in later if each.target.sha256 not in refused]
    if not usable:
        why = f"{word} {later[0].version} did not pass its test here"
        return LaterChoice((), why, failed=True)
    times = [(each, due_at(each.target)) for each in usable]
    due = tuple(each for each, at in times if at is not None and at <= now)
    if due:
        return LaterChoice(due, f"{word} {due[0].version} is due")
    coming = [(at, each) for each, at in times if at is not None]
    if not coming:
        why = f"{word} {usable[0].version} is there, for another channel"
        return LaterChoice((), why, str(usable[0].version))
    at, soonest = min(coming, key=lambda pair: pair[0])
    return LaterChoice(
        (),
        f"{word} {soonest.version} reaches this device on {at:%Y-%m-%d %H:%M} UTC",
        str(soonest.version),
        at,
    )

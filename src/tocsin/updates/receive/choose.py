"""Which version a device is to have: pure.

The publisher's signed metadata lists versions, when each is for whom, and which were pulled
back; the user may have pinned one or gone back. The lower of two versions is never taken
because of a time, only because the user or a signed withdrawal says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from tuf.api.metadata import Targets

from tocsin.updates.layout import (
    DatabaseTarget,
    DeltaTarget,
    Withdrawn,
    database_target,
    parse_custom,
    parse_withdrawn,
)
from tocsin.updates.receive.state import Installed


class Delta(NamedTuple):
    """A delta on offer: its TUF target path, what it says, and its length in bytes."""

    path: str
    custom: DeltaTarget
    length: int


class Offer(NamedTuple):
    """What the metadata offers.

    Attributes:
        databases: by version.
        deltas: all of them.
        withdrawn: by version.
    """

    databases: Mapping[int, DatabaseTarget]
    deltas: tuple[Delta, ...]
    withdrawn: Mapping[int, Withdrawn]


class Act(StrEnum):
    """What is to be done."""

    KEEP = "keep"
    INSTALL = "install"
    USE_KEPT = "use kept"


class Choice(NamedTuple):
    """What was decided.

    Attributes:
        act: what is to be done.
        version: the version that is to be in use; 0 for none.
        why: in words.
        waiting: a later version that is not due here yet; 0 for none.
        due: when that is due here; None where that is not known.
        failed: a later version that did not pass its test here; 0 for none.
    """

    act: Act
    version: int
    why: str
    waiting: int = 0
    due: datetime | None = None
    failed: int = 0


class Timing(NamedTuple):
    """When a version is for a device.

    Attributes:
        is_due: whether it is yet, by channel and ring.
        has_begun: whether the channel has begun with it, whatever the ring.
        due_at: when it is; None for never.
    """

    is_due: Callable[[DatabaseTarget], bool]
    has_begun: Callable[[DatabaseTarget], bool] = lambda _: False
    due_at: Callable[[DatabaseTarget], datetime | None] = lambda _: None


def offer_of(targets: Targets) -> Offer:
    """Read what signed targets offer.

    Raises:
        LayoutError: a database or delta is described in a way that cannot be read.
    """
    databases: dict[int, DatabaseTarget] = {}
    deltas = []
    for path, target in targets.targets.items():
        custom: Any = parse_custom(target.custom, DatabaseTarget, DeltaTarget)
        if isinstance(custom, DatabaseTarget) and path == database_target(custom.version):
            databases[custom.version] = custom
        elif isinstance(custom, DeltaTarget):
            deltas.append(Delta(path, custom, target.length))
    withdrawn = {each.version: each for each in parse_withdrawn(targets.unrecognized_fields)}
    return Offer(databases, tuple(deltas), withdrawn)


def choose(
    offer: Offer,
    installed: Installed,
    kept: Collection[int],
    refused: Collection[str],
    timing: Timing,
) -> Choice:
    """Decide.

    Rings hold a version back where another one protects meanwhile; a device that has none yet
    waits for its channel only.

    Args:
        offer: what the metadata offers.
        installed: what is in use.
        kept: versions that are on this device.
        refused: SHA-256 of databases that did not pass their test on this device.
        timing: when a version is for this device.
    """
    is_due = timing.is_due
    current, withdrawn = installed.current, offer.withdrawn
    if installed.pinned:
        return _pinned(offer, installed, kept)
    pulled_back = current in withdrawn
    floor = max(current, installed.highest)
    usable = {
        version: target
        for version, target in offer.databases.items()
        if version not in withdrawn and target.sha256 not in refused
    }
    due = [version for version, target in usable.items() if version > floor and is_due(target)]
    if due:
        return Choice(Act.INSTALL, max(due), f"version {max(due)} is due")
    if pulled_back:
        return _replacement(offer, installed, usable, kept, is_due)
    if not current and not usable:
        return Choice(Act.KEEP, 0, "the publisher offers no database")
    waiting = [version for version in usable if version > floor]
    if current and current not in kept and current in usable:
        why = f"version {current} was not whole here, and is fetched again"
        return Choice(Act.INSTALL, current, why)
    if current == 0 or (current not in kept and waiting):
        begun = [version for version in waiting if timing.has_begun(usable[version])]
        if begun:
            why = f"version {max(begun)} is the first here, and waits for no ring"
            return Choice(Act.INSTALL, max(begun), why)
        return _wait(current, waiting, usable, timing, "no version is for this channel yet")
    if waiting:
        said = f"version {max(waiting)} is there, and not due here yet"
        return _wait(current, waiting, usable, timing, said)
    if floor > current:
        return Choice(Act.KEEP, current, f"went back from version {floor}; waiting for a later one")
    bad = [v for v, target in offer.databases.items() if v > floor and target.sha256 in refused]
    if bad:
        why = f"version {max(bad)} did not pass its test here; 'tocsin update --again' tries it"
        return Choice(Act.KEEP, current, why, failed=max(bad))
    return Choice(Act.KEEP, current, f"version {current} is the newest")


def _wait(
    current: int,
    waiting: Collection[int],
    usable: Mapping[int, DatabaseTarget],
    timing: Timing,
    said: str,
) -> Choice:
    """Keep what is in use, and say when the next one comes."""
    times = {version: timing.due_at(usable[version]) for version in waiting}
    soonest = min(((at, -version) for version, at in times.items() if at is not None), default=None)
    if soonest is None:
        return Choice(Act.KEEP, current, said, max(waiting, default=0))
    at, version = soonest[0], -soonest[1]
    when = f"version {version} reaches this device on {at:%Y-%m-%d %H:%M} UTC"
    return Choice(Act.KEEP, current, when, version, at)


def _pinned(offer: Offer, installed: Installed, kept: Collection[int]) -> Choice:
    pinned = installed.pinned
    said = f"version {pinned} is pinned"
    if pinned in offer.withdrawn:
        reason = offer.withdrawn[pinned].reason
        said += f", although it was pulled back ({reason}); 'tocsin update pin --off' lets it go"
    if pinned in kept and pinned == installed.current:
        return Choice(Act.KEEP, pinned, said)
    if pinned in kept:
        return Choice(Act.USE_KEPT, pinned, said)
    if pinned in offer.databases:
        return Choice(Act.INSTALL, pinned, said)
    return Choice(Act.KEEP, installed.current, f"{said}, and nobody offers it")


def _replacement(
    offer: Offer,
    installed: Installed,
    usable: Mapping[int, DatabaseTarget],
    kept: Collection[int],
    is_due: Callable[[DatabaseTarget], bool],
) -> Choice:
    """What takes the place of a version that was pulled back: none that the user went back from."""
    current = installed.current
    why = f"version {current} was pulled back: {offer.withdrawn[current].reason}"
    fresh = {v for v, target in usable.items() if v != current and is_due(target)}
    own = {v for v in kept if v != current and v not in offer.withdrawn}
    left = (fresh | own) & set(installed.left)
    best = max((fresh | own) - left, default=0)
    if not best and left:
        said = f"there is no later one, and you went back from version {max(left)}"
        why = f"{why}; {said}: 'tocsin update pin {max(left)}' takes it"
        return Choice(Act.KEEP, current, why)
    if not best:
        return Choice(Act.KEEP, current, f"{why}, and there is no other to use")
    return Choice(Act.USE_KEPT if best in own else Act.INSTALL, best, why)


def delta_path(
    deltas: Collection[Delta], held: Mapping[str, int], wanted: str, most: int
) -> list[Delta] | None:
    """The deltas with the fewest bytes from a database that is here to the wanted one.

    Args:
        deltas: on offer.
        held: versions on this device by SHA-256 of the plain database.
        wanted: SHA-256 of the plain database that is to come out.
        most: bytes from which on the whole database is fetched instead.

    Returns:
        In the order in which they are applied; None when there is no such way.
    """
    cost: dict[str, int] = {wanted: 0}
    way: dict[str, list[Delta]] = {wanted: []}
    by_result: dict[str, list[Delta]] = {}
    for delta in deltas:
        by_result.setdefault(delta.custom.to_sha256, []).append(delta)
    open_ends = [wanted]
    while open_ends:
        here = min(open_ends, key=cost.__getitem__)
        open_ends.remove(here)
        if here in held:
            return way[here]
        for delta in by_result.get(here, ()):
            before = delta.custom.from_sha256
            total = cost[here] + delta.length
            if total < most and total < cost.get(before, most):
                if before not in open_ends:
                    open_ends.append(before)
                cost[before], way[before] = total, [delta, *way[here]]
    return None

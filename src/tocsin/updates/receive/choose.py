"""Which version a device is to have: pure.

The publisher's signed metadata lists versions, when each is for whom, and which were pulled
back; the user may have pinned one or gone back. The lower of two versions is never taken
because of a time, only because the user or a signed withdrawal says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
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
    """

    act: Act
    version: int
    why: str


def offer_of(targets: Targets) -> Offer:
    """Read what signed targets offer.

    Raises:
        LayoutError: a database or delta is described in a way that cannot be read.
    """
    databases: dict[int, DatabaseTarget] = {}
    deltas = []
    for path, target in targets.targets.items():
        custom: Any = parse_custom(target.custom)
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
    is_due: Callable[[DatabaseTarget], bool],
) -> Choice:
    """Decide.

    Args:
        offer: what the metadata offers.
        installed: what is in use.
        kept: versions that are on this device.
        refused: SHA-256 of databases that did not pass their test on this device.
        is_due: whether a version is for this device yet, by channel and ring.
    """
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
        return _replacement(offer, current, usable, kept, is_due)
    if not current and not usable:
        return Choice(Act.KEEP, 0, "the publisher offers no database")
    if current == 0:
        return Choice(Act.KEEP, 0, "no version is for this channel and device yet")
    waiting = [version for version in usable if version > floor]
    if waiting:
        return Choice(Act.KEEP, current, f"version {max(waiting)} is there, and not due here yet")
    if floor > current:
        return Choice(Act.KEEP, current, f"went back from version {floor}; waiting for a later one")
    bad = [v for v, target in offer.databases.items() if v > floor and target.sha256 in refused]
    if bad:
        return Choice(Act.KEEP, current, f"version {max(bad)} did not pass its test here")
    return Choice(Act.KEEP, current, f"version {current} is the newest")


def _pinned(offer: Offer, installed: Installed, kept: Collection[int]) -> Choice:
    pinned = installed.pinned
    said = f"version {pinned} is pinned"
    if pinned in offer.withdrawn:
        reason = offer.withdrawn[pinned].reason
        said += f", although it was pulled back ({reason}); 'tocsin update pin --off' lets it go"
    if pinned == installed.current:
        return Choice(Act.KEEP, pinned, said)
    if pinned in kept:
        return Choice(Act.USE_KEPT, pinned, said)
    if pinned in offer.databases:
        return Choice(Act.INSTALL, pinned, said)
    return Choice(Act.KEEP, installed.current, f"{said}, and nobody offers it")


def _replacement(
    offer: Offer,
    current: int,
    usable: Mapping[int, DatabaseTarget],
    kept: Collection[int],
    is_due: Callable[[DatabaseTarget], bool],
) -> Choice:
    """What takes the place of a version that was pulled back."""
    why = f"version {current} was pulled back: {offer.withdrawn[current].reason}"
    fresh = [v for v, target in usable.items() if v != current and is_due(target)]
    own = [v for v in kept if v != current and v not in offer.withdrawn]
    best = max([*fresh, *own], default=0)
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

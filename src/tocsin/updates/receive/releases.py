"""Which release of the software a device is to have: pure.

As with databases, the publisher's signed metadata says when a release is for whom, and a lower
version than one that was in use is never taken. Whether a release can run on a device is seen from
its manifest, which the log entry has, so what fits is chosen from those that are due.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from packaging.utils import NormalizedName
from packaging.version import InvalidVersion, Version
from tuf.api.metadata import Targets

from tocsin.updates.errors import WheelError
from tocsin.updates.layout import ReleaseTarget, parse_custom, release_manifest_target
from tocsin.updates.receive.errors import ContentRefused
from tocsin.updates.receive.later import LaterChoice, Offered, choose_later
from tocsin.updates.receive.verify import Expected
from tocsin.updates.statement import ReleasePredicate, WheelEntry, canonical_json
from tocsin.updates.wheels import Machine, WheelName, choose_wheels, parse_name

SOFTWARE = "tocsin"


Release = Offered[Version, ReleaseTarget]
"""A release on offer."""

ReleaseChoice = LaterChoice[Version, ReleaseTarget]


class Picked(NamedTuple):
    """A wheel that suits this machine: what its name says, and how the manifest has it."""

    name: WheelName
    entry: WheelEntry


def releases_of(targets: Targets) -> tuple[Release, ...]:
    """What signed targets offer, the newest first.

    A release whose version cannot be compared is left out: it may be for later devices.

    Raises:
        LayoutError: a release is described in a way that cannot be read.
    """
    found = []
    for path, target in targets.targets.items():
        custom = parse_custom(target.custom, ReleaseTarget)
        if isinstance(custom, ReleaseTarget) and path == release_manifest_target(custom.version):
            try:
                found.append(Offered(Version(custom.version), custom))
            except InvalidVersion:
                continue
    return tuple(sorted(found, key=lambda each: each.version, reverse=True))


def newest_due(
    targets: Targets,
    running: str,
    due_at: Callable[[ReleaseTarget], datetime | None],
    now: datetime,
) -> str:
    """The version that could be installed in the place of one that runs; empty for none.

    Nothing is verified but the metadata: it is said, not used.

    Raises:
        LayoutError: a release is described in a way that cannot be read.
    """
    choice = choose_later(releases_of(targets), Version(running), (), due_at, now)
    return str(choice.candidates[0].version) if choice.candidates else ""


def release_expected(target: ReleaseTarget) -> Expected:
    """What the log entry of a release must be about."""
    return Expected(
        release_manifest_target(target.version), target.sha256, ReleasePredicate, target.version
    )


def demand_manifest(predicate: ReleasePredicate, sha256: str) -> None:
    """Insist that what a statement says is the manifest that it is about.

    Raises:
        ContentRefused: it is another one.
    """
    digest = hashlib.sha256(canonical_json(predicate)).hexdigest()
    if not hmac.compare_digest(digest, sha256):
        raise ContentRefused(
            f"release {predicate.version}: the wheels that its log entry names are not those of "
            "the manifest that was signed"
        )


def pick_wheels(predicate: ReleasePredicate, machine: Machine) -> dict[NormalizedName, Picked]:
    """The wheels of a release that suit a machine, by project.

    Raises:
        WheelError: a name is none, or the software itself has no wheel for the machine.
    """
    entries = {entry.name: entry for entry in predicate.wheels}
    if len(entries) != len(predicate.wheels):
        raise WheelError(f"release {predicate.version} names a wheel twice")
    chosen = choose_wheels(map(parse_name, entries), machine)
    own = next((name for project, name in chosen.items() if project == SOFTWARE), None)
    if own is None:
        raise WheelError(
            f"release {predicate.version} has no wheel of {SOFTWARE} for {machine.name}"
        )
    if str(own.version) != str(Version(predicate.version)):
        raise WheelError(f"release {predicate.version} has {SOFTWARE} {own.version} in it")
    return {project: Picked(name, entries[name.file]) for project, name in chosen.items()}

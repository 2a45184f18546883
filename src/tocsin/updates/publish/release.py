"""A release of the software: every wheel it needs, as targets, with one manifest that is logged.

Whoever installs it asks no registry, so the set must be whole for every machine that it is made
for: each wheel is opened, its name must be the one in its metadata, and what it needs must be in
the set in a version that it takes. `tocsin.updates.wheels` decides, here as on the devices.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tuf.api.metadata import TargetFile

from tocsin.updates.errors import WheelError
from tocsin.updates.layout import (
    ReleaseTarget,
    Ring,
    WheelTarget,
    parse_custom,
    release_manifest_target,
    wheel_target,
    write_field,
)
from tocsin.updates.publish.errors import PublishError
from tocsin.updates.publish.files import copy_file, sha256_of, write_file
from tocsin.updates.publish.metadata import Published, read_published
from tocsin.updates.publish.offering import begin_offer, begins, commit_offer, stage_target
from tocsin.updates.publish.publication import Completed, complete
from tocsin.updates.publish.session import Session
from tocsin.updates.statement import (
    ReleasePredicate,
    Statement,
    WheelEntry,
    canonical_json,
)
from tocsin.updates.wheels import (
    ARCHIVE_ERRORS,
    MOST_WHEEL_BYTES,
    Machine,
    WheelFacts,
    choose_wheels,
    demand_whole,
    machines_of,
    parse_name,
    read_facts,
    this_machine,
)

SOFTWARE = "tocsin"
KEPT_RELEASES = 3


class Wheel(NamedTuple):
    """A wheel that was looked into.

    Attributes:
        path: where it is.
        facts: what is in it.
        entry: how it stands in the manifest.
    """

    path: Path
    facts: WheelFacts
    entry: WheelEntry


class Released(NamedTuple):
    """A release that was published.

    Attributes:
        version: of the software.
        wheels: that it has.
        sha256: of its manifest.
        machines: that it is whole for, in words.
        completed: what readers see now.
    """

    version: str
    wheels: tuple[WheelEntry, ...]
    sha256: str
    machines: tuple[str, ...]
    completed: Completed


def publish_release(
    session: Session,
    folder: Path,
    *,
    channels: dict[str, int] | None = None,
    rings: tuple[Ring, ...] | None = None,
) -> Released:
    """Publish the wheels in a folder as the release of the software among them.

    Args:
        session: of the publisher.
        folder: with the wheels and nothing else that ends in `.whl`.
        channels: seconds from now at which a channel may begin; None for the settings'.
        rings: how it spreads; None for the settings'.

    Raises:
        PublishError: the set is not whole, or a wheel is damaged.
        QuorumNotMet: too few witnesses cosigned; it is staged.
    """
    complete(session)
    published = read_published(session.workspace.repository)
    wheels = read_wheels(sorted(folder.glob("*.whl")))
    version, machines = demand_installable(wheels)
    entries = tuple(sorted((one.entry for one in wheels), key=lambda one: one.name))
    predicate = ReleasePredicate(version, entries)
    manifest = canonical_json(predicate)
    digest = hashlib.sha256(manifest).hexdigest()
    name = release_manifest_target(version)
    if name in published.target_files:
        raise PublishError(f"release {version} was published already; count its version up")
    session.progress(f"staging release {version}")
    statement = Statement(name, digest, predicate)
    staged = begin_offer(session, published, statement, f"release {version}")
    target = ReleaseTarget(
        version,
        digest,
        begins(session, channels),
        session.settings.rings if rings is None else rings,
    )
    files = _kept(published)
    written = staged.folder / "manifest"
    write_file(written, manifest)
    files[name] = stage_target(staged, name, written, write_field(target))
    for wheel in wheels:
        one = wheel_target(version, wheel.path.name)
        held = staged.folder / "wheel"
        copy_file(wheel.path, held)
        files[one] = stage_target(staged, one, held, write_field(WheelTarget(version)))
        held.unlink()
    commit_offer(session, published, staged, files)
    done = complete(session)
    assert done is not None
    return Released(version, entries, digest, machines, done)


def read_wheels(paths: Iterable[Path]) -> list[Wheel]:
    """Look into wheels.

    Raises:
        PublishError: one is damaged, or its name is not that of what is in it.
    """
    return [_read_wheel(path) for path in paths]


def demand_installable(wheels: list[Wheel]) -> tuple[str, tuple[str, ...]]:
    """Check that a set has the software and all that it needs, on every machine it is made for.

    Returns:
        The software's version, and the machines in words.

    Raises:
        PublishError: it has not, or has what is needed nowhere.
    """
    own = [one.facts.name for one in wheels if one.facts.name.project == SOFTWARE]
    if len(own) != 1:
        raise PublishError(f"the folder must have one wheel of {SOFTWARE}; it has {len(own)}")
    names = [one.facts.name for one in wheels]
    machines = machines_of(names, this_machine())
    needed: set[str] = set()
    try:
        for machine in machines:
            needed |= _needed_on(wheels, machine)
    except WheelError as error:
        raise PublishError(f"{error}; gather them with 'pip download'") from error
    strange = sorted(name.file for name in names if name.project not in needed)
    if strange:  # nobody would install them, and yet they would be signed
        raise PublishError(
            f"nothing in release {own[0].version} needs {', '.join(strange[:10])}; take it out of "
            "the folder if it is not meant"
        )
    return str(own[0].version), tuple(machine.name for machine in machines)


def _needed_on(wheels: list[Wheel], machine: Machine) -> set[str]:
    """The projects that a machine needs.

    Raises:
        WheelError: one of them is missing.
    """
    by_file = {one.facts.name.file: one.facts for one in wheels}
    chosen = choose_wheels((one.facts.name for one in wheels), machine)
    facts = {project: by_file[name.file] for project, name in chosen.items()}
    return {one.name.project for one in demand_whole(facts, SOFTWARE, machine)}


def _read_wheel(path: Path) -> Wheel:
    try:
        name = parse_name(path.name)
        digest, size = sha256_of(path)
        if size > MOST_WHEEL_BYTES:
            raise PublishError(f"{path.name}: larger than {MOST_WHEEL_BYTES:,} bytes")
        with path.open("rb") as file:
            facts = read_facts(file, name)
            with zipfile.ZipFile(file) as archive:
                damaged = archive.testzip()
    except (WheelError, *ARCHIVE_ERRORS, OSError) as error:
        raise PublishError(f"{path.name}: {error}") from error
    if damaged is not None:
        raise PublishError(f"{path.name}: {damaged} in it is damaged")
    return Wheel(path, facts, WheelEntry(path.name, digest, size))


def _kept(published: Published) -> dict[str, TargetFile]:
    """The targets without releases older than the newest few, by the order of publishing."""
    releases = [
        custom.version
        for target in published.target_files.values()
        if isinstance(custom := parse_custom(target.custom), ReleaseTarget)
    ]
    dropped = set(releases[: max(0, len(releases) - KEPT_RELEASES + 1)])
    kept = {}
    for name, target in published.target_files.items():
        custom = parse_custom(target.custom)
        version = (
            custom.version
            if isinstance(custom, ReleaseTarget)
            else custom.release
            if isinstance(custom, WheelTarget)
            else None
        )
        if version not in dropped:
            kept[name] = target
    return kept

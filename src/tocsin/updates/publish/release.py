"""A release of the software: every wheel it needs, as targets, with one manifest that is logged.

Whoever installs it asks no registry, so the set must be whole: each wheel is opened, its name
must be the one in its metadata, and what it always needs must be in the set.

Formats: wheel file names and METADATA (PyPA, binary distribution format; core metadata 2.1).
"""

from __future__ import annotations

import email.parser
import hashlib
import re
import zipfile
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from tuf.api.metadata import TargetFile

from tocsin.updates.layout import (
    ReleaseTarget,
    Ring,
    WheelTarget,
    entry_path,
    parse_custom,
    proof_path,
    release_manifest_target,
    wheel_target,
    write_field,
)
from tocsin.updates.publish.add import stage_target
from tocsin.updates.publish.errors import PublishError
from tocsin.updates.publish.files import copy_file, sha256_of, write_file
from tocsin.updates.publish.metadata import Published, next_targets, read_published, signed_for
from tocsin.updates.publish.publication import Completed, complete
from tocsin.updates.publish.session import Session
from tocsin.updates.publish.staging import Staging
from tocsin.updates.statement import (
    ReleasePredicate,
    Statement,
    WheelEntry,
    canonical_json,
    sign_statement,
)

SOFTWARE = "tocsin"
KEPT_RELEASES = 3
_MOST_METADATA_BYTES = 1 << 20
_MOST_WHEEL_BYTES = 1 << 30
_WHEEL = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._]*)-(?P<version>[A-Za-z0-9._!+]+)(-[0-9][A-Za-z0-9._]*)?"
    r"-[A-Za-z0-9._]+-[A-Za-z0-9._]+-[A-Za-z0-9._]+\.whl"
)
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


class Wheel(NamedTuple):
    """A wheel that was looked into.

    Attributes:
        path: where it is.
        name: of the project, normalised.
        version: of the project.
        requires: projects that it needs wherever it is installed, normalised.
        entry: how it stands in the manifest.
    """

    path: Path
    name: str
    version: str
    requires: frozenset[str]
    entry: WheelEntry


class Released(NamedTuple):
    """A release that was published: its version, its wheels, its manifest's digest."""

    version: str
    wheels: tuple[WheelEntry, ...]
    sha256: str
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
    software = demand_whole(wheels)
    entries = tuple(sorted((one.entry for one in wheels), key=lambda one: one.name))
    predicate = ReleasePredicate(software.version, entries)
    manifest = canonical_json(predicate)
    digest = hashlib.sha256(manifest).hexdigest()
    name = release_manifest_target(software.version)
    if name in published.target_files:
        raise PublishError(
            f"release {software.version} was published already; count its version up"
        )
    session.progress(f"staging release {software.version}")
    root = published.root.signed
    role = root.roles["targets"]
    signers = session.keys.demand("targets", role.keyids, role.threshold)
    staged = Staging(
        session.workspace, f"release {software.version}", session.log().newest().head.size
    )
    staged.add_entry(
        sign_statement(Statement(name, digest, predicate), signers).to_bytes(),
        entry_path(digest),
        proof_path(digest),
    )
    target = ReleaseTarget(
        software.version,
        digest,
        {
            channel: session.now + timedelta(seconds=delay)
            for channel, delay in (channels or session.settings.channels).items()
        },
        session.settings.rings if rings is None else rings,
    )
    files = _kept(published)
    written = staged.folder / "manifest"
    write_file(written, manifest)
    files[name] = stage_target(staged, name, written, write_field(target))
    for wheel in wheels:
        one = wheel_target(software.version, wheel.path.name)
        held = staged.folder / "wheel"
        copy_file(wheel.path, held)
        files[one] = stage_target(staged, one, held, write_field(WheelTarget(software.version)))
        held.unlink()
    following = next_targets(published, files, session.settings, session.now)
    staged.commit(signed_for(following, "targets", [root], session.keys), following.version)
    done = complete(session)
    assert done is not None
    return Released(software.version, entries, digest, done)


def read_wheels(paths: Iterable[Path]) -> list[Wheel]:
    """Look into wheels.

    Raises:
        PublishError: one is damaged, or its name is not that of what is in it.
    """
    return [_read_wheel(path) for path in paths]


def demand_whole(wheels: list[Wheel]) -> Wheel:
    """Check that a set has the software and everything that its wheels always need.

    Requirements with a condition (`; python_version < "3.12"`) are not looked at: whether they
    hold is for the machine that installs.

    Returns:
        The software's wheel.

    Raises:
        PublishError: it has not.
    """
    own = [one for one in wheels if one.name == SOFTWARE]
    if len(own) != 1:
        raise PublishError(f"the folder must have one wheel of {SOFTWARE}; it has {len(own)}")
    names = {one.name for one in wheels}
    for one in wheels:
        if missing := one.requires - names:
            raise PublishError(
                f"{one.path.name} needs {', '.join(sorted(missing))}, and there is no wheel of "
                "that; gather them with 'pip download'"
            )
    return own[0]


def _read_wheel(path: Path) -> Wheel:
    stated = _WHEEL.fullmatch(path.name)
    if stated is None:
        raise PublishError(f"{path.name}: this is no name of a wheel")
    digest, size = sha256_of(path)
    if size > _MOST_WHEEL_BYTES:
        raise PublishError(f"{path.name}: larger than {_MOST_WHEEL_BYTES:,} bytes")
    try:
        with zipfile.ZipFile(path) as archive:
            found = [
                item
                for item in archive.infolist()
                if item.filename.count("/") == 1
                and item.filename.endswith(".dist-info/METADATA")
                and item.file_size <= _MOST_METADATA_BYTES
            ]
            if len(found) != 1:
                raise PublishError(f"{path.name}: it has no metadata")
            headers = email.parser.BytesHeaderParser().parsebytes(archive.read(found[0]))
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError) as error:
        raise PublishError(f"{path.name}: this is no wheel: {error}") from error
    if damaged is not None:
        raise PublishError(f"{path.name}: {damaged} in it is damaged")
    name, version = normalised(str(headers["Name"])), str(headers["Version"]).strip()
    if (name, version) != (normalised(stated["name"]), stated["version"]):
        raise PublishError(f"{path.name}: in it is {name} {version}")
    requires = {
        normalised(found_name[1])
        for line in headers.get_all("Requires-Dist", [])
        if ";" not in line and (found_name := _REQUIREMENT.match(line))
    }
    return Wheel(path, name, version, frozenset(requires), WheelEntry(path.name, digest, size))


def normalised(name: str) -> str:
    """A project's name as PyPA compares it."""
    return re.sub("[-_.]+", "-", name).lower()


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

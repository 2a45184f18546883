"""TUF metadata as a publisher has it: read from the repository, and the next versions of it.

Pure but for reading. Every version is signed by the keys that the newest root names, and, while
a root that is being published changes them, by the keys before as well: whoever reads in the
middle of it finds what they read valid under either root. TUF 1.0, sections 4 and 6.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from tocsin.updates.layout import METADATA, MOST_METADATA_BYTES
from tocsin.updates.publish.errors import PublishError, PublishingKeyError, WorkspaceError
from tocsin.updates.publish.files import read_bounded

if TYPE_CHECKING:
    from tocsin.updates.publish.keys import KeyFolder
    from tocsin.updates.publish.workspace import PublisherSettings

"""As much as python-tuf's client takes of a list of targets."""

ONLINE = ("targets", "snapshot", "timestamp")
_COMPACT = JSONSerializer(compact=True)
_Signed = TypeVar("_Signed", Root, Targets, Snapshot, Timestamp)


@dataclass(frozen=True)
class Published:
    """What a repository's readers see.

    Attributes:
        root: the newest root.
        targets: the list of targets, or None before the first.
        snapshot: what versions go together, or None before the first.
        timestamp: which snapshot is the newest, or None before the first.
    """

    root: Metadata[Root]
    targets: Metadata[Targets] | None
    snapshot: Metadata[Snapshot] | None
    timestamp: Metadata[Timestamp] | None

    @property
    def target_files(self) -> dict[str, TargetFile]:
        """The targets by their path; empty before the first."""
        return {} if self.targets is None else dict(self.targets.signed.targets)


def newest_root_version(repository: Path) -> int:
    """Number of the newest root; 0 when there is none."""
    numbers = [
        int(path.name.partition(".")[0])
        for path in (repository / METADATA).glob("*.root.json")
        if path.name.partition(".")[0].isdecimal()
    ]
    return max(numbers, default=0)


def read_published(repository: Path) -> Published:
    """Read what readers see, by the way that they take.

    Raises:
        WorkspaceError: there is none, or it is damaged.
    """
    folder = repository / METADATA
    number = newest_root_version(repository)
    if not number:
        raise WorkspaceError(
            f"{repository}: nothing is published yet; finish the ceremony with "
            "'tocsin publish finish'"
        )
    root = read_metadata(folder / f"{number}.root.json", Root)
    if not (folder / "timestamp.json").exists():
        return Published(root, None, None, None)
    timestamp = read_metadata(folder / "timestamp.json", Timestamp)
    version = timestamp.signed.snapshot_meta.version
    snapshot = read_metadata(folder / f"{version}.snapshot.json", Snapshot)
    version = snapshot.signed.meta["targets.json"].version
    targets = read_metadata(folder / f"{version}.targets.json", Targets)
    return Published(root, targets, snapshot, timestamp)


def read_metadata(path: Path, kind: type[_Signed]) -> Metadata[_Signed]:
    """Read a file of metadata; its signatures are not verified.

    Raises:
        WorkspaceError: it is missing or malformed.
    """
    return parse_metadata(read_bounded(path, MOST_METADATA_BYTES[kind.type]), kind, str(path))


def parse_metadata(data: bytes, kind: type[_Signed], name: str) -> Metadata[_Signed]:
    """Read metadata of one kind.

    Raises:
        WorkspaceError: it is malformed or of another kind.
    """
    try:
        read: Metadata[_Signed] = Metadata.from_bytes(data)
    except DeserializationError as error:
        raise WorkspaceError(f"{name}: this is no TUF metadata: {error}") from error
    if not isinstance(read.signed, kind):
        raise WorkspaceError(f"{name}: this is {read.signed.type!r} metadata, not {kind.type!r}")
    return read


def to_bytes(metadata: Metadata[Any]) -> bytes:
    """Metadata as it is written: no spaces, for it is fetched daily."""
    return metadata.to_bytes(_COMPACT)


def signed_for(
    signed: Targets | Snapshot | Timestamp, role: str, roots: Iterable[Root], keys: KeyFolder
) -> bytes:
    """Sign a role's metadata so that it is valid under the last of some roots.

    Args:
        signed: what to sign.
        role: whose it is.
        roots: the newest last; the keys of those before sign as well where they are at hand.
        keys: the keys that are at hand.

    Raises:
        PublishingKeyError: too few keys of the newest root are at hand.
        PublishError: it is larger than devices take.
    """
    held = list(roots)
    newest = held[-1].roles[role]
    keys.demand(role, newest.keyids, newest.threshold)
    wanted = [keyid for root in held for keyid in root.roles[role].keyids]
    metadata: Metadata[Any] = Metadata(signed)
    for signer in keys.signers(dict.fromkeys(wanted)):
        metadata.sign(signer, append=True)
    try:
        held[-1].verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except RepositoryError as error:
        raise PublishingKeyError(f"the role {role!r} could not be signed: {error}") from error
    data = to_bytes(metadata)
    most = MOST_METADATA_BYTES[role]
    if len(data) > most:
        raise PublishError(
            f"{role}: {len(data):,} bytes, and devices take {most:,}; keep fewer "
            "versions ('keep' and 'deltas' in publisher.json), or give shorter reasons"
        )
    return data


def next_targets(
    published: Published, files: dict[str, TargetFile], settings: PublisherSettings, now: datetime
) -> Targets:
    """The list of targets after this one; fields of its own are kept."""
    old = published.targets
    return Targets(
        version=1 if old is None else old.signed.version + 1,
        expires=now + timedelta(days=settings.targets_days),
        targets=files,
        unrecognized_fields={} if old is None else dict(old.signed.unrecognized_fields),
    )


def next_snapshot(
    published: Published, targets_version: int, settings: PublisherSettings, now: datetime
) -> Snapshot:
    """The snapshot after this one."""
    old = published.snapshot
    return Snapshot(
        version=1 if old is None else old.signed.version + 1,
        expires=now + timedelta(days=settings.snapshot_days),
        meta={"targets.json": MetaFile(targets_version)},
    )


def next_timestamp(
    published: Published, snapshot: bytes, version: int, settings: PublisherSettings, now: datetime
) -> Timestamp:
    """The timestamp after this one.

    Args:
        published: what readers see now.
        snapshot: the bytes that it is to lead to.
        version: of that snapshot.
        settings: say when it expires.
        now: the time.
    """
    old = published.timestamp
    return Timestamp(
        version=1 if old is None else old.signed.version + 1,
        expires=now + timedelta(days=settings.timestamp_days),
        snapshot_meta=MetaFile.from_data(version, snapshot, ["sha256"]),
    )


def whole_second(now: datetime) -> datetime:
    """A time as TUF writes it, without parts of a second."""
    return now.replace(microsecond=0)

"""The bytes of a database that was published, to compare with what was rebuilt.

The repository's metadata only says where they are: what counts is the digest in the log.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Snapshot, TargetFile, Targets, Timestamp

from tocsin.updates.layout import METADATA, MOST_METADATA_BYTES, DatabaseTarget, parse_custom
from tocsin.updates.rebuild.entry import DatabaseEntry
from tocsin.updates.rebuild.errors import RebuildError
from tocsin.updates.receive.download import (
    Progress,
    download_target,
    fetch_small,
    unpack_database,
)
from tocsin.updates.receive.mirrors import MirrorFetcher


def published_database(
    mirrors: MirrorFetcher, entry: DatabaseEntry, folder: Path, progress: Progress
) -> Path:
    """Fetch a database that is offered still.

    Args:
        mirrors: where from.
        entry: its log entry, which has its digest and size.
        folder: where to.
        progress: told how far it is.

    Returns:
        The plain database, which has the digest of the entry.

    Raises:
        RebuildError: it is not offered any more.
        UpdateError: what is offered is something else, or cannot be had.
    """
    packed, plain = folder / "published.tdb.zst", folder / "published.tdb"
    wanted = entry.statement.sha256
    download_target(mirrors, _target(mirrors, wanted), packed, progress)
    unpack_database(packed, plain, wanted, entry.predicate.size, progress)
    packed.unlink()
    return plain


def _target(mirrors: MirrorFetcher, sha256: str) -> TargetFile:
    timestamp = _metadata(mirrors, "timestamp.json", Timestamp)
    version = timestamp.snapshot_meta.version
    snapshot = _metadata(mirrors, f"{version}.snapshot.json", Snapshot)
    version = snapshot.meta["targets.json"].version
    targets = _metadata(mirrors, f"{version}.targets.json", Targets)
    for target in targets.targets.values():
        custom = parse_custom(target.custom)
        if isinstance(custom, DatabaseTarget) and custom.sha256 == sha256:
            return target  # type: ignore[no-any-return]
    raise RebuildError(
        "the published database is not offered any more, so what differs cannot be shown"
    )


def _metadata(mirrors: MirrorFetcher, name: str, kind: type[Any]) -> Any:
    data = fetch_small(mirrors, f"{METADATA}/{name}", MOST_METADATA_BYTES[kind.type])
    if data is None:
        raise RebuildError(f"the repository has no {name}")
    try:
        signed = Metadata[Any].from_bytes(data).signed
    except RepositoryError as error:
        raise RebuildError(f"{name}: {error}") from error
    if not isinstance(signed, kind):
        raise RebuildError(f"{name}: this is {signed.type!r} metadata")
    return signed

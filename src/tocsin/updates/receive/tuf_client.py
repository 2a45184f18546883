"""The TUF client: python-tuf's workflow, over our fetchers, with durable files and a stated time.

`tocsin-tuf` (which the conformance suite drives) and `tocsin update` are both this.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets, Timestamp
from tuf.ngclient import Updater, UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from tocsin.durable import sync_folder, write_file
from tocsin.updates.errors import LayoutError
from tocsin.updates.layout import MOST_METADATA_BYTES, stored_target
from tocsin.updates.receive.errors import MetadataRefused, NoTrust
from tocsin.updates.receive.files import changing, read_bounded, write_durably

MAX_ROOT = MOST_METADATA_BYTES["root"]
"""Most bytes of a root metadata file, here and in what waits for consent."""

_CONFIG = UpdaterConfig(
    max_root_rotations=256,
    root_max_length=MAX_ROOT,
    timestamp_max_length=MOST_METADATA_BYTES["timestamp"],
    snapshot_max_length=MOST_METADATA_BYTES["snapshot"],
    targets_max_length=MOST_METADATA_BYTES["targets"],
)


class TufClient(Updater):
    """One run over a repository's metadata.

    Args:
        metadata_dir: where trusted metadata is kept, under names without versions; made if need
            be.
        metadata_url: of the repository's metadata, for the fetcher.
        fetcher: that everything comes through.
        trusted_root: bytes of the root that the user chose; None for the one in the folder.
        at: time that expiry is judged by; None for now. It never makes an older version
            acceptable than one seen before.
        target_dir: where `download_target` puts targets.
        target_url: of the repository's targets.

    Raises:
        OSError: the folder cannot be read.
        NotWritten: it cannot be written.
        RepositoryError: the root is none.
    """

    def __init__(
        self,
        metadata_dir: Path,
        metadata_url: str,
        fetcher: FetcherInterface,
        *,
        trusted_root: bytes | None,
        at: datetime | None = None,
        target_dir: Path | None = None,
        target_url: str | None = None,
    ) -> None:
        self._looked_at: Targets | None = None
        with changing(metadata_dir):
            metadata_dir.mkdir(parents=True, exist_ok=True)
        super().__init__(
            str(metadata_dir),
            metadata_url,
            None if target_dir is None else str(target_dir),
            target_url,
            fetcher,
            _CONFIG,
            bootstrap=trusted_root,
        )
        if at is not None:
            self._trusted_set.reference_time = at.astimezone(UTC)

    @property
    def root(self) -> Root:
        """The root in force."""
        return self._trusted_set.root

    @property
    def timestamp(self) -> Timestamp:
        """The timestamp in force; only after `refresh`."""
        return self._trusted_set.timestamp

    @property
    def targets(self) -> Targets:
        """The targets in force; only after `refresh`.

        Raises:
            MetadataRefused: one has a path that leads elsewhere, or no SHA-256. Whoever holds the
                publisher's keys may not choose where a file is written either.
        """
        targets = self._trusted_set.targets
        if targets is not self._looked_at:
            for path, target in targets.targets.items():
                try:
                    stored_target(path, target.hashes.get("sha256", ""))
                except LayoutError as error:
                    raise MetadataRefused(f"the signed targets cannot be used: {error}") from None
            self._looked_at = targets
        return targets

    def _persist_root(self, version: int, data: bytes) -> None:
        with changing(Path(self._dir)):
            super()._persist_root(version, data)

    def _persist_file(self, filename: str, data: bytes) -> None:
        """As python-tuf does, but it is still there after a power loss."""
        with changing(Path(filename)):
            write_file(Path(filename), data)

    def _update_root_symlink(self) -> None:
        """As python-tuf does, without a moment in which there is none."""
        place = os.path.join(self._dir, "root.json")
        aim = os.path.join("root_history", f"{self.root.version}.root.json")
        half = f"{place}.new"
        with suppress(OSError):
            if os.readlink(place) == aim:
                return
        with changing(Path(place)):
            with suppress(FileNotFoundError):
                os.unlink(half)
            os.symlink(aim, half)
            os.replace(half, place)
            sync_folder(self._dir)


def read_root(data: bytes) -> Metadata[Root]:
    """Read a root metadata file that vouches for itself by its own threshold.

    Raises:
        MetadataRefused: it is none, or is not signed by the keys it names.
    """
    try:
        metadata = Metadata[Root].from_bytes(data)
        if not isinstance(metadata.signed, Root):
            raise MetadataRefused("this is not root metadata but of another role")
        metadata.signed.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
    except RepositoryError as error:
        raise MetadataRefused(
            f"not a root metadata file that vouches for itself: {error}"
        ) from None
    return metadata


def install_root(metadata_dir: Path, root: Path) -> None:
    """Begin a metadata folder with a root that the user trusts.

    Args:
        metadata_dir: made if need be.
        root: the root metadata file.

    Raises:
        NoTrust: the file cannot be read.
        MetadataRefused: it is no root.
        OSError: the folder cannot be written.
    """
    try:
        data = read_bounded(root, MAX_ROOT)
    except OSError as error:
        raise NoTrust(f"{root}: {error.strerror}; name the root.json to begin with") from error
    try:
        Metadata[Root].from_bytes(data)
    except RepositoryError as error:
        raise MetadataRefused(f"{root}: not root metadata: {error}") from None
    metadata_dir.mkdir(parents=True, exist_ok=True)
    write_durably(metadata_dir / "root.json", data)


def moment(text: str) -> datetime:
    """A time as TUF and RFC 3339 write it, with a zone.

    Raises:
        ValueError: it is none, or has no zone.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} says no time zone; add Z for UTC")
    return time.astimezone(UTC)

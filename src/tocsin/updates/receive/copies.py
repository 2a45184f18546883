"""Copies of a repository: a complete mirror in a folder, or what a bundle needs of it.

Everything is checked as it comes: metadata by TUF, targets by their digests, the log's tiles and
entries by its checkpoint. It is written in an order in which a reader sees the old state or the
new one: first what metadata names, the timestamp last. A copy that was cut off goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tuf.api.exceptions import DownloadError, LengthOrHashMismatchError, RepositoryError
from tuf.api.metadata import Root, TargetFile

from tocsin.transparency.errors import TransparencyError
from tocsin.transparency.note import MAX_NOTE_BYTES, SignedNote, VerifierKey
from tocsin.transparency.proof import MAX_PROOF_BYTES, TlogProof
from tocsin.transparency.reader import LogReader
from tocsin.transparency.tiles import ENTRIES, WIDTH, tiles_of
from tocsin.transparency.tree_head import Checkpoint
from tocsin.transparency.verdict import check
from tocsin.updates.attestation import lines_of, rebuild_of
from tocsin.updates.layout import (
    LOG,
    DatabaseTarget,
    ReleaseTarget,
    database_target,
    entry_path,
    parse_custom,
    proof_path,
    root_name,
    stored_target,
    withdrawal_entry_path,
    withdrawal_proof_path,
)
from tocsin.updates.receive.choose import offer_of
from tocsin.updates.receive.download import Progress, download_target, fetch_small
from tocsin.updates.receive.errors import ContentRefused, MetadataRefused, NotVouchedFor
from tocsin.updates.receive.files import write_durably
from tocsin.updates.receive.mirrors import REPOSITORY, MirrorFetcher
from tocsin.updates.receive.rebuilders import MOST_BYTES, rebuilds_path
from tocsin.updates.receive.roots import claimed_logs
from tocsin.updates.receive.trust import Trust
from tocsin.updates.receive.tuf_client import MAX_ROOT, TufClient, read_root
from tocsin.updates.statement import MOST_ENTRY_BYTES

OWN = ".tocsin-mirror"
"""Folder in a mirror that is its own: TUF's trusted metadata, and downloads under way."""


class Copied(NamedTuple):
    """What a copy came to.

    Attributes:
        files: paths in the repository, in the order in which they may be written elsewhere.
        version: the newest database in it; 0 for none.
        entries: of the log.
        received: bytes that were fetched.
    """

    files: tuple[str, ...]
    version: int
    entries: int
    received: int


def copy_repository(
    mirrors: MirrorFetcher,
    folder: Path,
    trust: Trust,
    *,
    only: int | None = None,
    complete: bool = True,
    at: datetime | None = None,
    progress: Progress = lambda *_: None,
) -> Copied:
    """Bring a copy up to date.

    Args:
        mirrors: where from.
        folder: where to; made if need be.
        trust: what the user chose.
        only: with `complete` false, the database that is wanted; None for the newest that was
            not pulled back.
        complete: everything, else one database whole, and the log without most entries.
        at: time that expiry is judged by; None for now.
        progress: told how far it is.

    Raises:
        UpdateError: what is wrong; what was copied before stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return _Copy(mirrors, folder, trust, at, progress).run(only, complete=complete)


class _Copy:
    def __init__(
        self,
        mirrors: MirrorFetcher,
        folder: Path,
        trust: Trust,
        at: datetime | None,
        progress: Progress,
    ) -> None:
        self._mirrors = mirrors
        self._folder = folder
        self._trust = trust
        self._at = at
        self._progress = progress
        self._files: list[str] = []

    def run(self, only: int | None, *, complete: bool) -> Copied:
        # The consent gate is a device's: a mirror carries a successor too, and no one trusts it.
        client = self._refreshed()
        offer = offer_of(client.targets)
        usable = [v for v in offer.databases if v not in offer.withdrawn] or list(offer.databases)
        newest = max(usable, default=0)
        wanted = newest if only is None else only
        if not complete and wanted not in offer.databases:
            raise MetadataRefused(f"version {wanted} is not offered")
        for path, target in client.targets.targets.items():
            if complete or path == database_target(wanted):
                self._target(path, target)
        logs = self._logs(client)
        for sha256 in self._vouched(client, None if complete else wanted):
            self._pair(entry_path(sha256), proof_path(sha256), logs, needed=complete)
            self._rebuilds(rebuilds_path(sha256))
            if complete:
                self._pair(
                    withdrawal_entry_path(sha256),
                    withdrawal_proof_path(sha256),
                    logs,
                    needed=False,
                )
        # Of a bundle's log: entries from that of its database on, for what was pulled back since.
        since = 0 if complete else self._index_of(offer.databases[wanted].sha256)
        size = self._log(client.root, since=since)
        self._metadata(client)
        return Copied(tuple(self._files), wanted, size, self._mirrors.received)

    def _refreshed(self) -> TufClient:
        while True:
            try:
                client = TufClient(
                    self._folder / OWN / "metadata",
                    f"{REPOSITORY}metadata/",
                    self._mirrors,
                    trusted_root=self._trust.root,
                    at=self._at,
                )
                client.refresh()
                return client
            except (RepositoryError, DownloadError) as error:
                reason = f"{self._mirrors.last or 'metadata'}: {error}"
                self._mirrors.set_aside(self._mirrors.last, str(error))
                if not self._mirrors.standing():
                    raise MetadataRefused(reason) from error

    # --- targets and proofs -----------------------------------------------------------------

    def _target(self, path: str, target: TargetFile) -> None:
        stored = stored_target(path, target.hashes["sha256"])
        place = self._folder / stored
        self._files.append(stored)
        try:
            with place.open("rb") as file:
                target.verify_length_and_hashes(file)
            return
        except (OSError, LengthOrHashMismatchError):
            pass
        part = self._folder / OWN / "partial" / target.hashes["sha256"]
        part.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                download_target(self._mirrors, target, part, self._progress)
                break
            except ContentRefused as error:
                self._mirrors.set_aside(self._mirrors.last, str(error))
                if not self._mirrors.standing():
                    raise
        place.parent.mkdir(parents=True, exist_ok=True)
        part.replace(place)

    def _vouched(self, client: TufClient, version: int | None) -> Iterator[str]:
        """SHA-256 of everything that has a log entry."""
        for number in range(self._trust.root_version, client.root.version + 1):
            held = self._root(number)
            if held is not None:
                yield _sha256(held)
        for target in client.targets.targets.values():
            custom = parse_custom(target.custom)
            if isinstance(custom, DatabaseTarget):
                if version in (None, custom.version):
                    yield custom.sha256
            elif isinstance(custom, ReleaseTarget) and version is None:
                yield custom.sha256

    def _logs(self, client: TufClient) -> tuple[VerifierKey, ...]:
        """Logs that roots name, besides those of the policy: a succession may change the log."""
        found: list[VerifierKey] = []
        for number in range(self._trust.root_version, client.root.version + 1):
            if (held := self._root(number)) is not None:
                found += claimed_logs(read_root(held).signed)
        return tuple(dict.fromkeys(found))

    def _pair(
        self, entry_at: str, proof_at: str, logs: tuple[VerifierKey, ...], *, needed: bool
    ) -> None:
        """A log entry and the proof that it is logged, from a mirror whose two fit together.

        Who may read the copy may not be made to read what somebody put into its source instead.
        """
        while True:
            entry = fetch_small(self._mirrors, entry_at, MOST_ENTRY_BYTES)
            proof = fetch_small(self._mirrors, proof_at, MAX_PROOF_BYTES)
            if entry is None or proof is None:
                if needed:
                    raise NotVouchedFor(
                        f"{entry_at}: no mirror has it with its proof; the copy would not be "
                        "complete"
                    )
                return
            try:
                TlogProof.parse(proof).check(entry, self._trust.policy, log_keys=logs)
            except TransparencyError as error:
                self._mirrors.set_aside(self._mirrors.last, f"{proof_at}: {error}")
                if not self._mirrors.standing():
                    raise NotVouchedFor(f"{proof_at}: {error}") from error
                continue
            self._write(entry_at, entry)
            self._write(proof_at, proof)
            return

    def _rebuilds(self, path: str) -> None:
        """What rebuilders say; each who reads it decides whose word counts."""
        data = fetch_small(self._mirrors, path, MOST_BYTES)
        if data is not None and all(map(rebuild_of, lines_of(data))):
            self._write(path, data)

    def _write(self, path: str, data: bytes) -> None:
        place = self._folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_file() or place.read_bytes() != data:
            write_durably(place, data)
        self._files.append(path)

    # --- log --------------------------------------------------------------------------------

    def _index_of(self, sha256: str) -> int:
        try:
            return TlogProof.parse((self._folder / proof_path(sha256)).read_bytes()).index
        except (OSError, TransparencyError) as error:
            raise NotVouchedFor(f"{proof_path(sha256)}: {error}") from error

    def _log(self, root: Root, *, since: int) -> int:
        checkpoint = fetch_small(self._mirrors, f"{LOG}/checkpoint", MAX_NOTE_BYTES)
        if checkpoint is None:
            raise NotVouchedFor("the repository shows no checkpoint of its log")
        try:
            logs = claimed_logs(root)
            head = check(self._trust.policy, checkpoint, log_keys=logs).head
            recording = _Recording(self._mirrors, self._folder)
            reader = LogReader(recording.fetch, head)
            for done, tile in enumerate(tiles_of(head.size)):
                if tile.level == ENTRIES:
                    if tile.place < since // WIDTH:
                        continue
                    reader.bundle(tile.place)
                else:
                    reader.tile(tile)
                self._progress("log", done, 0)
            self._demand_grown(reader, head)
        except TransparencyError as error:
            raise NotVouchedFor(f"the log: {error}") from error
        for path, data in recording.seen.items():
            self._write(f"{LOG}/{path}", data)
        self._write(f"{LOG}/checkpoint", checkpoint)
        return head.size

    def _demand_grown(self, reader: LogReader, head: Checkpoint) -> None:
        """A mirror never goes back, and never to another history."""
        place = self._folder / LOG / "checkpoint"
        if not place.is_file():
            return
        old = Checkpoint.parse(SignedNote.parse(place.read_bytes()).text)
        if old.origin == head.origin and (
            old.size > head.size or (old.size and reader.root_at(old.size) != old.root)
        ):
            raise NotVouchedFor(
                f"{head.origin} is shown with {head.size} entries, which is not what followed the "
                f"{old.size} entries in {place}"
            )

    # --- metadata ---------------------------------------------------------------------------

    def _root(self, number: int) -> bytes | None:
        place = self._folder / OWN / "metadata" / "root_history" / f"{number}.root.json"
        return place.read_bytes() if place.is_file() else None

    def _metadata(self, client: TufClient) -> None:
        own = self._folder / OWN / "metadata"
        for number in range(1, client.root.version + 1):
            held = self._root(number)
            if held is None:  # before the root that the user chose
                held = fetch_small(self._mirrors, root_name(number), MAX_ROOT)
            if held is not None:
                self._write(root_name(number), held)
        snapshot = client.timestamp.snapshot_meta.version
        versions = {"targets": client.targets.version, "snapshot": snapshot}
        for role, version in versions.items():
            self._write(f"metadata/{version}.{role}.json", (own / f"{role}.json").read_bytes())
        self._write("metadata/timestamp.json", (own / "timestamp.json").read_bytes())


class _Recording:
    """Gets a log's files, from the copy where they are there already, and remembers them."""

    def __init__(self, mirrors: MirrorFetcher, folder: Path) -> None:
        self._mirrors = mirrors
        self._folder = folder
        self.seen: dict[str, bytes] = {}

    def fetch(self, path: str, limit: int) -> bytes:
        place = self._folder / LOG / path
        if ".p/" not in path and place.is_file() and place.stat().st_size <= limit:
            data = place.read_bytes()  # full tiles never change; the reader checks them again
            self.seen[path] = data
            return data
        fetched = fetch_small(self._mirrors, f"{LOG}/{path}", limit)
        if fetched is None:
            raise FileNotFoundError(path)
        self.seen[path] = fetched
        return fetched


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

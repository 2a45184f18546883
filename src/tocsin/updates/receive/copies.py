"""Copies of a repository: a complete mirror in a folder, or what a bundle needs of it.

Everything is checked as it comes: metadata by TUF, targets by their digests, the log's tiles and
entries by its checkpoint, and that by the policy's quorum. It is written, durably, in an order in
which a reader sees the old state or the new one: first what metadata names, the timestamp last. A
copy that was cut off goes on, and what is damaged in it is fetched again.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tuf.api.exceptions import DownloadError, LengthOrHashMismatchError, RepositoryError
from tuf.api.metadata import Root, TargetFile, Targets

from tocsin.durable import sync_file, sync_folder
from tocsin.transparency.errors import TransparencyError
from tocsin.transparency.note import VerifierKey
from tocsin.transparency.proof import MAX_PROOF_BYTES, TlogProof
from tocsin.updates.attestation import lines_of, rebuild_of
from tocsin.updates.layout import (
    LOG,
    DatabaseTarget,
    Offered,
    RulebookTarget,
    database_target,
    entry_path,
    parse_custom,
    proof_path,
    root_name,
    rulebook_name,
    stored_target,
    withdrawal_entry_path,
    withdrawal_proof_path,
)
from tocsin.updates.receive.choose import offer_of
from tocsin.updates.receive.copy_log import LogCopier
from tocsin.updates.receive.download import Progress, download_target, fetch_small
from tocsin.updates.receive.errors import (
    ContentRefused,
    MetadataRefused,
    NoRoom,
    NotVouchedFor,
    NotWritten,
)
from tocsin.updates.receive.files import write_durably
from tocsin.updates.receive.mirrors import REPOSITORY, MirrorFetcher
from tocsin.updates.receive.rebuilders import MOST_BYTES, rebuilds_path
from tocsin.updates.receive.roots import claimed_logs
from tocsin.updates.receive.state_trusted import EVIDENCE
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
        unwitnessed: log entries whose proofs have not the quorum of the policy; devices with that
            policy will not take what they are about from this copy.
    """

    files: tuple[str, ...]
    version: int
    entries: int
    received: int
    unwitnessed: int = 0


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
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
        return _Copy(mirrors, folder, trust, at, progress).run(only, complete=complete)
    except OSError as error:
        raise _unwritten(error.filename or folder, error) from error
    except NotWritten as error:
        cause = error.__cause__
        if isinstance(cause, OSError):
            raise _unwritten(cause.filename or folder, cause) from error
        raise


def _unwritten(place: object, error: OSError) -> NotWritten:
    """What is said of a copy, which nothing on this device depends on."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return (NoRoom if full else NotWritten)(
        f"{place}: {error.strerror or error}. The copy is not finished, and what was whole in it "
        "still is; the same command goes on"
    )


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
        self._unwitnessed = 0

    def run(self, only: int | None, *, complete: bool) -> Copied:
        # The consent gate is a device's: a mirror carries a successor too, and no one trusts it.
        client = self._refreshed()
        offer = offer_of(client.targets)
        usable = [v for v in offer.databases if v not in offer.withdrawn] or list(offer.databases)
        newest = max(usable, default=0)
        wanted = newest if only is None else only
        if not complete and wanted not in offer.databases:
            raise MetadataRefused(f"version {wanted} is not offered")
        with_it = {database_target(wanted), rulebook_name(_newest_edition(client.targets))}
        for path, target in client.targets.targets.items():
            if complete or path in with_it:
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
        self._settle()
        self._metadata(client)
        received = self._mirrors.received
        return Copied(tuple(self._files), wanted, size, received, self._unwitnessed)

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
        part = self._made(f"{OWN}/partial") / target.hashes["sha256"]
        while True:
            try:
                download_target(self._mirrors, target, part, self._progress)
                break
            except ContentRefused as error:
                self._mirrors.set_aside(self._mirrors.last, str(error))
                if not self._mirrors.standing():
                    raise
        self._made(str(Path(stored).parent))
        sync_file(part)
        part.replace(place)

    def _settle(self) -> None:
        """Have the names of all that metadata is about to speak of on the disk.

        Those too that an earlier run gave, which may have ended before it came to this.
        """
        folders = {str(above) for name in self._files for above in Path(name).parents}
        for name in sorted(folders):
            sync_folder(self._folder / name)

    def _made(self, name: str) -> Path:
        """A folder in the copy, made if need be."""
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _vouched(self, client: TufClient, version: int | None) -> Iterator[str]:
        """SHA-256 of everything that has a log entry."""
        for number in range(self._trust.root_version, client.root.version + 1):
            held = self._root(number)
            if held is not None:
                yield _sha256(held)
        for target in client.targets.targets.values():
            custom = parse_custom(target.custom)
            if not isinstance(custom, Offered):
                continue
            with_it = {
                DatabaseTarget: version,
                RulebookTarget: _newest_edition(client.targets),
            }.get(type(custom))
            if version is None or custom.version == with_it:
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
                witnessed = self._is_witnessed(entry, proof, logs)
            except TransparencyError as error:
                self._mirrors.set_aside(self._mirrors.last, f"{proof_at}: {error}")
                if not self._mirrors.standing():
                    raise NotVouchedFor(f"{proof_at}: {error}") from error
                continue
            if not witnessed:  # who took the cosignatures away is behind no other mirror
                better = self._witnessed(entry_at, proof_at, logs)
                entry, proof = better or (entry, proof)
                self._unwitnessed += better is None
            self._write(entry_at, entry)
            self._write(proof_at, proof)
            return

    def _is_witnessed(self, entry: bytes, proof: bytes, logs: tuple[VerifierKey, ...]) -> bool:
        """Whether a proof that proves has the policy's quorum too."""
        return TlogProof.parse(proof).check(entry, self._trust.policy, log_keys=logs).met

    def _witnessed(
        self, entry_at: str, proof_at: str, logs: tuple[VerifierKey, ...]
    ) -> tuple[bytes, bytes] | None:
        """The pair from whichever mirror has it with the policy's quorum.

        An old entry may have the witnesses of an old policy: so this is no lie of a mirror's.
        """
        for mirror in self._mirrors.standing():
            entry = self._mirrors.ask(mirror, entry_at, MOST_ENTRY_BYTES)
            proof = self._mirrors.ask(mirror, proof_at, MAX_PROOF_BYTES)
            with suppress(TransparencyError):
                if entry and proof and self._is_witnessed(entry, proof, logs):
                    return entry, proof
        return None

    def _rebuilds(self, path: str) -> None:
        """What rebuilders say; each who reads it decides whose word counts."""
        data = fetch_small(self._mirrors, path, MOST_BYTES)
        if data is not None and all(map(rebuild_of, lines_of(data))):
            self._write(path, data)

    def _write(self, path: str, data: bytes) -> None:
        place = self._made(str(Path(path).parent)) / Path(path).name
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
        copied = LogCopier(
            self._mirrors,
            self._made(LOG),
            self._made(OWN) / EVIDENCE,
            self._trust.policy,
            claimed_logs(root),
            int((self._at or datetime.now(UTC)).timestamp()),
            lambda done: self._progress("log", done, 0),
        ).copy(since)
        self._files += copied.files
        return copied.size

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


def _newest_edition(targets: Targets) -> int:
    """Number of the newest edition of the rulebook that is offered; 0 for none."""
    customs = (parse_custom(target.custom, RulebookTarget) for target in targets.targets.values())
    return max((each.version for each in customs if isinstance(each, RulebookTarget)), default=0)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

"""What a successor takes over from a copy that a stranger made: what the publisher said, no more.

The successor signs it all again and logs it under their own name, so that nothing may slip in. The
copy is judged from a root and a policy that the successor had before: each later root is signed by
those whom the one before names, the metadata by the newest, each file has the digest that was
signed, and each log entry the signatures of the targets keys and a proof under the policy.

Entries of roots stay as they are, with their proofs in the log before: a device that knows an old
root only looks at each root that follows.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from securesystemslib.signer import Key
from tuf.api.exceptions import LengthOrHashMismatchError, RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

from tocsin.transparency.errors import MalformedKey, TransparencyError
from tocsin.transparency.note import VerifierKey
from tocsin.transparency.policy import Policy
from tocsin.transparency.proof import MAX_PROOF_BYTES, TlogProof
from tocsin.updates.errors import LayoutError, StatementError
from tocsin.updates.layout import (
    METADATA,
    MOST_METADATA_BYTES,
    PROOFS,
    Offered,
    database_name,
    entry_path,
    offered_name,
    parse_custom,
    parse_publisher,
    parse_withdrawn,
    proof_path,
    root_name,
    stored_target,
    withdrawal_entry_path,
)
from tocsin.updates.publish.errors import SignaturesMissing, WorkspaceError
from tocsin.updates.publish.files import copy_file, make_folder, read_bounded, sha256_of, write_file
from tocsin.updates.publish.metadata import (
    newest_root_version,
    parse_metadata,
)
from tocsin.updates.publish.roots import MOST_ROOT_BYTES, demand_signatures
from tocsin.updates.publish.workspace import Workspace
from tocsin.updates.statement import (
    MOST_ENTRY_BYTES,
    Envelope,
    Offering,
    RootPredicate,
    WithdrawalPredicate,
    parse_envelope,
    verified_by,
)

_AGAIN = "take another copy"
_TargetsKeys = tuple[Mapping[str, Key], int]
_Offered = dict[str, tuple[str, int | str]]


@dataclass(frozen=True)
class _Vouched:
    """A root that is believed, its bytes, and whether it is one from before the trusted root."""

    root: Root
    data: bytes
    older: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def targets_keys(self) -> _TargetsKeys:
        role = self.root.roles[Targets.type]
        keys = {keyid: self.root.keys[keyid] for keyid in role.keyids if keyid in self.root.keys}
        return keys, role.threshold


def take_over(workspace: Workspace, repository: Path, trusted: bytes, policy: Policy) -> Root:
    """Begin a successor's folder with what a publisher offered, as far as it was theirs.

    Args:
        workspace: the successor's, new.
        repository: a complete copy, from any mirror; nothing in it is believed.
        trusted: a root of the publisher that the successor trusts as a device does.
        policy: under which the publisher's log is believed.

    Returns:
        The newest root of the publisher before.

    Raises:
        WorkspaceError: something in the copy is not the publisher's, named by its file; or it is
            not complete, or cannot be copied.
    """
    copy = _Copy(repository, trusted, policy)
    kept, to_log = copy.entries()
    for one in copy.roots:
        if not one.older or entry_path(one.sha256) in kept:
            write_file(workspace.repository / root_name(one.root.version), one.data)
    for target in copy.targets.targets.values():
        _copy_target(target, repository, workspace.repository)
    for path, data in copy.metadata.items():
        write_file(workspace.repository / path, data)
    for path, data in kept.items():
        write_file(workspace.repository / path, data)
    newest = copy.roots[-1].root
    folder = heritage(workspace, newest.version)
    for path, data in to_log.items():
        write_file(folder / path, data)
    return newest


def heritage(workspace: Workspace, version: int) -> Path:
    """Folder of the entries that are logged anew with the root after the one of a version.

    It counts for that root only: what is published later stands in the repository.
    """
    return workspace.work / f"heritage-{version}"


def discard_heritage(workspace: Workspace) -> None:
    """Remove what was taken over once it is in the successor's own log, and their root shown."""
    for version in range(1, newest_root_version(workspace.repository)):
        shutil.rmtree(heritage(workspace, version), ignore_errors=True)


class _Copy:
    """A copy of a repository, looked at from a root and a policy that are believed."""

    def __init__(self, repository: Path, trusted: bytes, policy: Policy) -> None:
        self._repository = repository
        self._policy = policy
        self.roots = self._roots(trusted)
        self.metadata: dict[str, bytes] = {}
        self.targets = self._signed()
        self._logs = tuple(_claimed_logs(self.roots))

    # --- metadata ---------------------------------------------------------------------------

    def _roots(self, trusted: bytes) -> list[_Vouched]:
        """Every root, in order; those before the trusted one are believed if they were logged."""
        first = parse_metadata(trusted, Root, "the root that you trust").signed
        newest = newest_root_version(self._repository)
        if newest < first.version:
            raise WorkspaceError(
                f"{self._repository}: its newest root is {newest}, and the one that you trust is "
                f"{first.version}: {_AGAIN}"
            )
        found = []
        for number in range(1, first.version):
            path = self._repository / root_name(number)
            if path.is_file():
                data = read_bounded(path, MOST_ROOT_BYTES)
                found.append(_Vouched(parse_metadata(data, Root, str(path)).signed, data, True))
        found.append(_Vouched(first, trusted))
        for number in range(first.version + 1, newest + 1):
            path = self._repository / root_name(number)
            data = read_bounded(path, MOST_ROOT_BYTES)
            found.append(_Vouched(_following(found[-1].root, data, path), data))
        return found

    def _signed(self) -> Targets:
        timestamp = self._one(f"{METADATA}/timestamp.json", Timestamp)
        meta = timestamp.snapshot_meta
        path = f"{METADATA}/{meta.version}.snapshot.json"
        snapshot = self._one(path, Snapshot)
        try:
            meta.verify_length_and_hashes(self.metadata[path])
        except LengthOrHashMismatchError as error:
            raise WorkspaceError(f"{self._repository / path}: {error}; {_AGAIN}") from error
        listed = snapshot.meta["targets.json"]
        path = f"{METADATA}/{listed.version}.targets.json"
        targets: Targets = self._one(path, Targets)
        try:
            listed.verify_length_and_hashes(self.metadata[path])
        except LengthOrHashMismatchError as error:
            raise WorkspaceError(f"{self._repository / path}: {error}; {_AGAIN}") from error
        if (snapshot.version, targets.version) != (meta.version, listed.version):
            raise WorkspaceError(f"{self._repository}: its metadata do not fit together; {_AGAIN}")
        return targets

    def _one(self, name: str, kind: type[Any]) -> Any:
        path = self._repository / name
        if not path.is_file():
            raise WorkspaceError(f"{path}: missing; nothing was ever published here, or {_AGAIN}")
        data = read_bounded(path, MOST_METADATA_BYTES[kind.type])
        read: Metadata[Any] = parse_metadata(data, kind, str(path))
        try:
            self.roots[-1].root.verify_delegate(kind.type, read.signed_bytes, read.signatures)
        except RepositoryError as error:
            raise WorkspaceError(f"{path}: not signed by its publisher: {error}") from error
        self.metadata[name] = data
        return read.signed

    # --- the log's entries ------------------------------------------------------------------

    def entries(self) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """What is vouched for.

        Returns:
            The files that stay as they are, entries of roots and their proofs, by their path; and
            the entries that are to be logged anew, of what is offered and what was withdrawn, by
            the name of their file.
        """
        offered = self._offered()
        withdrawn = {one.version for one in parse_withdrawn(self.targets.unrecognized_fields)}
        roots = {one.sha256: place for place, one in enumerate(self.roots)}
        kept: dict[str, bytes] = {}
        to_log: dict[str, bytes] = {}
        for path in sorted((self._repository / PROOFS).glob("*.entry")):
            data = read_bounded(path, MOST_ENTRY_BYTES)
            try:
                envelope = parse_envelope(data)
            except StatementError as error:
                raise WorkspaceError(f"{path}: {error}; {_AGAIN}") from error
            said = envelope.statement
            if isinstance(said.predicate, RootPredicate) and said.sha256 in roots:
                place = roots[said.sha256]
                if self._root_vouched(path, data, envelope, place):
                    kept[entry_path(said.sha256)] = data
                    kept[proof_path(said.sha256)] = self._proof(path, data)
            elif _is_of_offer(envelope, offered, withdrawn):
                self._demand_signed(path, envelope, self.roots[-1:])
                self._proof(path, data)
                to_log[path.name] = data
            else:  # of a version that is offered no more: it stays in the log before
                self._demand_signed(path, envelope, self.roots)
            _demand_named(path, envelope)
        self._demand_complete(offered, kept, to_log)
        return kept, to_log

    def _offered(self) -> _Offered:
        """What is offered: the name that a log entry gives it and its version, by its SHA-256."""
        found: _Offered = {}
        for target in self.targets.targets.values():
            custom = parse_custom(target.custom)
            if isinstance(custom, Offered):
                found[custom.sha256] = (offered_name(custom), custom.version)
        return found

    def _root_vouched(self, path: Path, data: bytes, envelope: Envelope, place: int) -> bool:
        """Whether a root's entry is one; of a root before the trusted one it may be none."""
        one = self.roots[place]
        said = envelope.statement
        speaking = self.roots[max(0, place - 1) : place + 1]
        try:
            version = one.root.version
            if said.predicate != RootPredicate(version, _claimed_name(one.root)) or (
                said.name != root_name(version)
            ):
                raise WorkspaceError(f"{path}: it is about another root; {_AGAIN}")
            self._demand_signed(path, envelope, speaking)
            self._proof(path, data)
        except (WorkspaceError, LayoutError) as error:
            if one.older:
                return False
            if isinstance(error, LayoutError):
                raise WorkspaceError(f"{path}: {error}; {_AGAIN}") from error
            raise
        return True

    def _demand_signed(self, path: Path, envelope: Envelope, roots: list[_Vouched]) -> None:
        for one in roots:
            keys, threshold = one.targets_keys
            if len(verified_by(envelope, keys)) >= max(1, threshold):
                return
        raise WorkspaceError(
            f"{path}: the publisher's targets keys did not sign this; somebody put it there: "
            f"{_AGAIN}"
        )

    def _proof(self, path: Path, entry: bytes) -> bytes:
        place = path.with_suffix(".tlog-proof")
        data = read_bounded(place, MAX_PROOF_BYTES)
        try:
            TlogProof.parse(data).verify(entry, self._policy, log_keys=self._logs)
        except TransparencyError as error:
            raise WorkspaceError(
                f"{place}: {error}; {_AGAIN}, or look whether your policy is for this publisher"
            ) from error
        return data

    def _demand_complete(
        self, offered: _Offered, kept: Mapping[str, bytes], to_log: Mapping[str, bytes]
    ) -> None:
        """Nothing is taken over that was never announced; devices would not use it."""
        missing = [
            f"{name} has no log entry"
            for sha256, (name, _) in offered.items()
            if Path(entry_path(sha256)).name not in to_log
        ]
        after = [one for one in self.roots if not one.older][1:]
        missing += [
            f"{root_name(one.root.version)} has no log entry"
            for one in after
            if entry_path(one.sha256) not in kept
        ]
        if missing:
            raise WorkspaceError(f"{self._repository}: {'; '.join(missing)}; {_AGAIN}")


def _following(before: Root, data: bytes, path: Path) -> Root:
    metadata = parse_metadata(data, Root, str(path))
    try:
        if metadata.signed.version != before.version + 1:
            raise WorkspaceError(f"{path}: this is root {metadata.signed.version}; {_AGAIN}")
        for root in (before, metadata.signed):
            root.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
        demand_signatures(metadata, before, {})
    except (RepositoryError, SignaturesMissing) as error:
        raise WorkspaceError(
            f"{path}: root {before.version} does not lead to it: {error}; {_AGAIN}"
        ) from error
    return metadata.signed


def _is_of_offer(envelope: Envelope, offered: _Offered, withdrawn: set[int]) -> bool:
    said = envelope.statement
    if isinstance(said.predicate, WithdrawalPredicate):
        version = said.predicate.version
        return version in withdrawn and said.name == database_name(version)
    if isinstance(said.predicate, Offering):
        return offered.get(said.sha256) == (said.name, said.predicate.version)
    return False


def _demand_named(path: Path, envelope: Envelope) -> None:
    said = envelope.statement
    withdrawal = isinstance(said.predicate, WithdrawalPredicate)
    wanted = withdrawal_entry_path(said.sha256) if withdrawal else entry_path(said.sha256)
    if path.name != Path(wanted).name:
        raise WorkspaceError(f"{path}: its entry is about something else; {_AGAIN}")


def _claimed_name(root: Root) -> str:
    claim = parse_publisher(root.unrecognized_fields)
    return claim.name if claim else ""


def _claimed_logs(roots: list[_Vouched]) -> Iterator[VerifierKey]:
    """Logs that the believed roots name: a succession before this one may have changed the log."""
    for one in roots:
        with suppress(LayoutError, MalformedKey):
            claim = parse_publisher(one.root.unrecognized_fields)
            if not one.older and claim is not None and claim.log:
                yield VerifierKey.parse(claim.log)


def _copy_target(target: TargetFile, repository: Path, own: Path) -> None:
    sha256 = target.hashes.get("sha256")
    if sha256 is None:
        raise WorkspaceError(f"{target.path}: it was signed without a SHA-256")
    path = stored_target(target.path, sha256)
    try:
        whole = (repository / path).stat().st_size == target.length
    except OSError as error:
        raise WorkspaceError(f"{repository / path}: {error.strerror}; {_AGAIN}") from error
    if whole:
        make_folder((own / path).parent)
        copy_file(repository / path, own / path)
    if not whole or sha256_of(own / path) != (sha256, target.length):
        raise WorkspaceError(f"{repository / path}: not the file that was signed; {_AGAIN}")

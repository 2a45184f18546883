"""From what is staged to what readers see.

In this order, each step harmless when it is done twice and when nothing follows it:

1. the entries go into the log, whose larger tree is signed and not shown yet;
2. the witnesses are asked until the policy's quorum has cosigned; without it, nothing more;
3. the log's checkpoint is shown, files and proofs are put under names nobody reads yet;
4. the snapshot, then the timestamp that leads to it: from here on readers see the new state.

A new root goes before or after step 4, by which of the two its readers can bear (`_show`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from tocsin.transparency.errors import TransparencyError
from tocsin.transparency.note import SignedNote, VerifierKey, verify
from tocsin.transparency.proof import MAX_PROOF_BYTES, TlogProof
from tocsin.transparency.verdict import Verdict, check
from tocsin.updates.errors import StatementError
from tocsin.updates.layout import METADATA, PROOFS, TARGETS, parse_custom
from tocsin.updates.publish import staging
from tocsin.updates.publish.errors import PublishError, QuorumNotMet, WorkspaceError
from tocsin.updates.publish.files import place_file, read_bounded, write_file
from tocsin.updates.publish.metadata import (
    Published,
    newest_root_version,
    next_snapshot,
    next_timestamp,
    parse_metadata,
    read_metadata,
    read_published,
    signed_for,
)
from tocsin.updates.publish.session import Session
from tocsin.updates.publish.witness_memory import read_sizes, write_sizes
from tocsin.updates.publish.witnesses import ask_witnesses
from tocsin.updates.statement import (
    MOST_ENTRY_BYTES,
    Envelope,
    Offering,
    RootPredicate,
    parse_envelope,
)

ENTRY_ENDING = ".entry"
_KEPT_METADATA = 3
"""Versions of targets and snapshot that stay for whoever reads right now."""


class Completed(NamedTuple):
    """A publication that readers see.

    Attributes:
        what: was published, in words.
        witnesses: what came of asking each, by name.
        log_size: entries of the log.
    """

    what: str
    witnesses: dict[str, str]
    log_size: int


class LoggedEntry(NamedTuple):
    """A log entry in the repository: its file and what it says."""

    path: Path
    data: bytes
    envelope: Envelope


def complete(session: Session) -> Completed | None:
    """Publish what is staged; go on with it if a run was interrupted.

    Returns:
        None when nothing is staged.

    Raises:
        QuorumNotMet: too few witnesses cosigned; it stays staged and readers see nothing of it.
        PublishingKeyError: a key is not here.
        WorkspaceError: the folder is damaged, or cannot be written.
    """
    plan = staging.read_plan(session.workspace)
    if plan is None:
        return None
    staged = session.workspace.staged
    entries = [read_bounded(staged / one.name, MOST_ENTRY_BYTES) for one in plan.entries]
    _log(session, entries, plan.log_size)
    verdict, answers = cosign(session)
    session.progress("writing files and proofs")
    for file in plan.files:
        place_file(staged / file.name, session.workspace.repository / file.path)
    for one, data in zip(plan.entries, entries, strict=True):
        write_file(session.workspace.repository / one.entry, data)
        _prove(session, data, session.workspace.repository / one.proof)
    renew_proofs(session)
    _show(session, plan)
    staging.discard(session.workspace)
    prune(session)
    return Completed(plan.what, answers, verdict.head.size)


# --- the log ------------------------------------------------------------------------------


def _log(session: Session, entries: Sequence[bytes], start: int) -> None:
    """Have the entries in the log, each once however often this is done."""
    log = session.log()
    try:
        reader = log.reader(log.newest().head)
        missing = [entry for entry in entries if reader.index_of(entry, start=start) is None]
        if missing:
            session.progress("writing the log")
            log.integrate(missing, session.log_key())
    except TransparencyError as error:
        raise WorkspaceError(f"{session.workspace.log}: {error}") from error


def cosign(session: Session) -> tuple[Verdict, dict[str, str]]:
    """Have the newest checkpoint cosigned and show it.

    Returns:
        What the policy makes of it, and by a witness's name what came of asking.

    Raises:
        QuorumNotMet: too few cosigned; readers see the checkpoint before.
    """
    session.progress("asking the witnesses")
    log, policy = session.log(), session.policy()
    try:
        note = log.newest().note
        asked = ask_witnesses(
            policy, note, log.consistency, read_sizes(session.workspace), session.post
        )
        write_sizes(session.workspace, asked.sizes)
        verdict = check(policy, note.with_signatures(asked.signatures))
        if not verdict.met:
            said = "; ".join(f"{name} {asked.answers[name]}" for name in verdict.missing)
            raise QuorumNotMet(
                f"nothing was published: {verdict.reason()}. What is to be published is kept; go "
                f"on with 'tocsin publish finish' ({said})",
                asked.answers,
            )
        opened = log.publish(asked.signatures, [one.key for one in policy.witnesses.values()])
        return check(policy, opened.note), asked.answers
    except TransparencyError as error:
        raise WorkspaceError(f"{session.workspace.log}: {error}") from error


def _prove(session: Session, entry: bytes, path: Path) -> None:
    """Write the proof of an entry as the log stands; the place is taken from the proof before."""
    log = session.log()
    try:
        index = _stated_index(path)
        reader = log.reader()
        if index is None or index >= reader.head.size or reader.entry(index) != entry:
            index = reader.index_of(entry)
        if index is None:
            raise WorkspaceError(f"{path}: its entry is not in the log")
        write_file(path, log.prove(index).to_bytes())
    except TransparencyError as error:
        raise WorkspaceError(f"{path}: {error}") from error


def _stated_index(path: Path) -> int | None:
    if not path.is_file():
        return None
    try:
        return TlogProof.parse(read_bounded(path, MAX_PROOF_BYTES)).index
    except (TransparencyError, PublishError):
        return None


def renew_proofs(session: Session) -> None:
    """Write every proof anew, with the checkpoint as it is now and its fresh cosignatures."""
    log = session.log().verifier
    for entry in logged_entries(session.workspace.repository):
        path = entry.path.with_suffix(".tlog-proof")
        is_root = isinstance(entry.envelope.statement.predicate, RootPredicate)
        if not (is_root and _is_of_another_log(path, log)):
            _prove(session, entry.data, path)


def _is_of_another_log(path: Path, log: VerifierKey) -> bool:
    """Whether a proof is of a log before a succession; it stays as it is, for good."""
    if not path.is_file():
        return False
    try:
        checkpoint = TlogProof.parse(read_bounded(path, MAX_PROOF_BYTES)).checkpoint
        return not verify(SignedNote.parse(checkpoint), [log], at_least_one=False)
    except TransparencyError:
        return False  # damaged: it is made anew


def logged_entries(repository: Path) -> Iterator[LoggedEntry]:
    """The log entries that have a proof in the repository.

    Raises:
        WorkspaceError: one is damaged.
    """
    yield from entries_in(repository / PROOFS)


def entries_in(folder: Path) -> Iterator[LoggedEntry]:
    """The log entries in a folder.

    Raises:
        WorkspaceError: one is damaged.
    """
    for path in sorted(folder.glob(f"*{ENTRY_ENDING}")):
        data = read_bounded(path, MOST_ENTRY_BYTES)
        try:
            yield LoggedEntry(path, data, parse_envelope(data))
        except StatementError as error:
            raise WorkspaceError(f"{path}: {error}") from error


# --- what readers see ---------------------------------------------------------------------


def _show(session: Session, plan: staging.Plan) -> None:
    """Put the metadata in place, the timestamp last of all but the root.

    While keys change, a reader may have either root. Metadata that is valid under both is shown
    before the new root, which nobody notices; otherwise the root goes first, and whoever reads
    just then is refused the old metadata and comes again.
    """
    folder = session.workspace.repository / METADATA
    staged = session.workspace.staged
    targets = read_bounded(staged / staging.TARGETS_NAME, 1 << 26)
    root = read_bounded(staged / staging.ROOT_NAME, 1 << 20) if plan.root_version else b""
    roots = [*_roots_before(session, plan)]
    if root:
        roots.append(parse_metadata(root, Root, "the new root").signed)
    published = (
        read_published(session.workspace.repository)
        if newest_root_version(session.workspace.repository)
        else Published(parse_metadata(root, Root, "the new root"), None, None, None)
    )
    shown = (
        published.targets is not None and published.targets.signed.version >= plan.targets_version
    )
    writes: list[tuple[Path, bytes]] = []
    if not shown:
        writes.append((folder / f"{plan.targets_version}.targets.json", targets))
        writes += _moments(session, published, plan.targets_version, roots)
    root_file = (folder / f"{plan.root_version}.root.json", root)
    if root and not root_file[0].exists():
        if len(roots) > 1 and not shown and _valid_under(roots[0], targets, writes):
            writes.append(root_file)
        else:
            writes.insert(0, root_file)
    for path, data in writes:
        write_file(path, data)
    write_file(
        session.workspace.trust / "root.json",
        read_bounded(
            folder / f"{newest_root_version(session.workspace.repository)}.root.json", 1 << 20
        ),
    )
    write_file(session.workspace.trust / "policy", session.workspace.policy_bytes())


def _roots_before(session: Session, plan: staging.Plan) -> list[Root]:
    repository = session.workspace.repository
    number = newest_root_version(repository)
    if plan.root_version and number >= plan.root_version:
        number = plan.root_version - 1
    if not number:
        return []
    return [read_metadata(repository / METADATA / f"{number}.root.json", Root).signed]


def _moments(
    session: Session, published: Published, targets_version: int, roots: Sequence[Root]
) -> list[tuple[Path, bytes]]:
    """Snapshot and timestamp that lead to a list of targets."""
    folder = session.workspace.repository / METADATA
    snapshot = next_snapshot(published, targets_version, session.settings, session.now)
    signed_snapshot = signed_for(snapshot, Snapshot.type, roots, session.keys)
    timestamp = next_timestamp(
        published, signed_snapshot, snapshot.version, session.settings, session.now
    )
    return [
        (folder / f"{snapshot.version}.snapshot.json", signed_snapshot),
        (folder / "timestamp.json", signed_for(timestamp, Timestamp.type, roots, session.keys)),
    ]


def _valid_under(root: Root, targets: bytes, writes: Sequence[tuple[Path, bytes]]) -> bool:
    try:
        for data in (targets, *(data for _, data in writes)):
            metadata: Metadata[Any] = Metadata.from_bytes(data)
            root.verify_delegate(metadata.signed.type, metadata.signed_bytes, metadata.signatures)
    except RepositoryError:
        return False
    return True


def refresh(session: Session) -> Completed:
    """Say that the repository is still what it was: a new timestamp, and fresh cosignatures.

    The snapshot is renewed as well when less than half of its time is left.

    Raises:
        QuorumNotMet: too few witnesses cosigned; the timestamp is not renewed.
        WorkspaceError: nothing is published yet, or something unfinished is in the way.
    """
    published = read_published(session.workspace.repository)
    if published.targets is None or published.snapshot is None:
        raise WorkspaceError(f"{session.workspace.repository}: nothing is published yet")
    verdict, answers = cosign(session)
    renew_proofs(session)
    roots = [published.root.signed]
    half = timedelta(days=session.settings.snapshot_days) / 2
    if published.snapshot.signed.expires - session.now < half:
        writes = _moments(session, published, published.targets.signed.version, roots)
    else:
        folder = session.workspace.repository / METADATA
        version = published.snapshot.signed.version
        data = read_bounded(folder / f"{version}.snapshot.json", 1 << 26)
        timestamp = next_timestamp(published, data, version, session.settings, session.now)
        signed = signed_for(timestamp, Timestamp.type, roots, session.keys)
        writes = [(folder / "timestamp.json", signed)]
    for path, data in writes:
        write_file(path, data)
    prune(session)
    return Completed("timestamp", answers, verdict.head.size)


# --- what nobody reads any more -----------------------------------------------------------


def prune(session: Session) -> None:
    """Remove files that neither the newest list of targets names nor the one before it."""
    repository = session.workspace.repository
    published = read_published(repository)
    if published.targets is None or published.snapshot is None:
        return
    _prune_metadata(repository / METADATA, "targets", published.targets.signed.version)
    _prune_metadata(repository / METADATA, "snapshot", published.snapshot.signed.version)
    kept: set[Path] = set()
    subjects: set[str] = set()
    for path in (repository / METADATA).glob("*.targets.json"):
        for target in read_metadata(path, Targets).signed.targets.values():
            folder, _, name = target.path.rpartition("/")
            kept.add(repository / TARGETS / folder / f"{target.hashes['sha256']}.{name}")
            custom = parse_custom(target.custom)
            subjects.add(getattr(custom, "sha256", ""))
    for path in (repository / TARGETS).rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()
    for entry in logged_entries(repository):
        statement = entry.envelope.statement
        if isinstance(statement.predicate, Offering) and statement.sha256 not in subjects:
            for ending in (".tlog-proof", ".rebuilds"):
                entry.path.with_suffix(ending).unlink(missing_ok=True)
            entry.path.unlink()


def _prune_metadata(folder: Path, role: str, newest: int) -> None:
    for path in folder.glob(f"*.{role}.json"):
        number = path.name.partition(".")[0]
        if number.isdecimal() and int(number) <= newest - _KEPT_METADATA:
            path.unlink()

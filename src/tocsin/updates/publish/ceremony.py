"""The key ceremony, and what changes keys later: begin, rotate, succeed, and going on.

Each makes the draft of a root and signs it with the keys that are at hand. When others must
sign as well, the draft is carried to them; `finish` goes on when enough have.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tuf.api.metadata import Root

from tocsin.transparency.errors import TransparencyError
from tocsin.transparency.keys import SCRYPT_LOG2_N, SigningKey
from tocsin.transparency.log import Log
from tocsin.updates.layout import Publisher, parse_publisher
from tocsin.updates.publish import roots, staging
from tocsin.updates.publish.errors import PublishError, PublishingKeyError, WorkspaceError
from tocsin.updates.publish.files import read_bounded, write_file
from tocsin.updates.publish.metadata import (
    Published,
    newest_root_version,
    next_targets,
    parse_metadata,
    read_published,
    signed_for,
)
from tocsin.updates.publish.publication import (
    Completed,
    LoggedEntry,
    complete,
    entries_in,
    logged_entries,
)
from tocsin.updates.publish.roots import Roles
from tocsin.updates.publish.session import Session
from tocsin.updates.publish.succession import discard_heritage, heritage
from tocsin.updates.publish.workspace import Workspace
from tocsin.updates.statement import (
    RootPredicate,
    WithdrawalPredicate,
    sign_statement,
    verified_by,
)


@dataclass(frozen=True)
class Drafted:
    """A root that was drafted.

    Attributes:
        path: of the draft.
        version: of the root.
        signed: key ids that signed it here.
    """

    path: Path
    version: int
    signed: tuple[str, ...]


def make_log_key(session: Session, *, log2_n: int = SCRYPT_LOG2_N) -> None:
    """Make the log's key, if there is none yet, and the log, empty.

    Raises:
        PublishingKeyError: the key cannot be made or opened.
    """
    try:
        if not session.log_key_path.exists():
            key = SigningKey.generate(session.settings.origin)
            key.save(session.log_key_path, session.keys.secrets("log"), log2_n=log2_n)
        key = session.log_key()
        if key.verifier.name != session.settings.origin:
            raise PublishingKeyError(
                f"{session.log_key_path}: this is the key of the log {key.verifier.name!r}"
            )
        if not (session.workspace.log / "checkpoint").exists():
            Log.init(session.workspace.log, key)
    except TransparencyError as error:
        raise PublishingKeyError(str(error)) from error


def write_policy(session: Session, witnesses: bytes) -> None:
    """Write the policy: the log of this publisher, and whose cosignatures it waits for.

    Args:
        session: with the log's key made.
        witnesses: lines of tlog-policy: witnesses, groups and the quorum; empty for none.

    Raises:
        WorkspaceError: they are malformed.
    """
    log = f"log {session.log().verifier.vkey} {session.settings.log_url}".rstrip()
    text = witnesses.strip() or b"quorum none"
    write_file(session.workspace.policy_path, log.encode() + b"\n" + text + b"\n")
    session.policy()


def draft_first_root(session: Session, roles: Roles, publisher: Publisher) -> Drafted:
    """Draft root 1, and sign it with the keys at hand.

    Raises:
        WorkspaceError: there is a root already.
        PublishError: the thresholds cannot be met.
    """
    if newest_root_version(session.workspace.repository):
        raise WorkspaceError(
            f"{session.workspace.repository}: it has a root already; see 'tocsin publish rotate'"
        )
    return _draft(session, roots.build_root(1, roles, _with_log(session, publisher), session))


def draft_rotation(
    session: Session, roles: Roles | None = None, publisher: Publisher | None = None
) -> Drafted:
    """Draft the next root, with other keys or with a later expiry only.

    Args:
        session: of the publisher.
        roles: all of the keys from now on; None for the same.
        publisher: who they say they are; None for the same.

    Raises:
        PublishError: the thresholds cannot be met, or something staged is in the way.
    """
    if staging.read_plan(session.workspace) is not None:
        raise PublishError("something is staged; end it first with 'tocsin publish finish'")
    root = read_published(session.workspace.repository).root.signed
    claim = publisher or parse_publisher(root.unrecognized_fields) or Publisher("")
    return _draft(
        session,
        roots.build_root(
            root.version + 1, roles or roots.roles_of(root), _with_log(session, claim), session
        ),
    )


def successor_roles(before: Root, own: Roles) -> Roles:
    """The successor's keys, with the custodians there were if no others are named."""
    if own.custodians is not None:
        return own
    return Roles(
        own.root, own.targets, own.snapshot, own.timestamp, roots.roles_of(before).custodians
    )


def finish(session: Session) -> Completed:
    """Go on with what is unfinished: something staged, else a draft that enough have signed.

    Raises:
        SignaturesMissing: too few signed the draft so far.
        QuorumNotMet: too few witnesses cosigned.
        WorkspaceError: there is nothing unfinished.
    """
    done = complete(session)
    if done is None:
        path = roots.draft_path(session)
        if path is None:
            raise WorkspaceError(f"{session.workspace.folder}: nothing is unfinished")
        _stage_draft(session, path)
        done = complete(session)
        assert done is not None
    discard_heritage(session.workspace)
    return done


def _stage_draft(session: Session, path: Path) -> None:
    data = read_bounded(path, roots.MOST_ROOT_BYTES)
    repository = session.workspace.repository
    size = session.log().newest().head.size
    version = parse_metadata(data, Root, str(path)).signed.version
    staged = staging.Staging(session.workspace, f"root {version}", size)
    root = roots.stage_root(staged, session, data)
    if newest_root_version(repository):
        published = read_published(repository)
        before = [published.root.signed]
    else:
        published = Published(parse_metadata(data, Root, str(path)), None, None, None)
        before = []
    _log_anew(staged, session, [*before, root])
    targets = next_targets(published, published.target_files, session.settings, session.now)
    signed = signed_for(targets, "targets", [*before, root], session.keys)
    staged.commit(signed, targets.version)
    path.unlink()


def _log_anew(staged: staging.Staging, session: Session, held: list[Root]) -> None:
    """Sign and log again what the new targets keys have not signed, and what a successor took over.

    Keys of the root before sign as well where they are at hand, so that readers of either root
    find the entries good.
    """
    role = held[-1].roles["targets"]
    keys = {keyid: held[-1].keys[keyid] for keyid in role.keyids}
    wanted = dict.fromkeys(keyid for root in held for keyid in root.roles["targets"].keyids)
    taken_over = heritage(session.workspace, held[-1].version - 1)
    inherited = taken_over.is_dir()
    for entry in _to_vouch_for(session, taken_over if inherited else None):
        statement = entry.envelope.statement
        if isinstance(statement.predicate, RootPredicate):
            continue
        if not inherited and len(verified_by(entry.envelope, keys)) >= role.threshold:
            continue
        data = sign_statement(statement, session.keys.signers(wanted)).to_bytes()
        ending = ".withdrawal" if isinstance(statement.predicate, WithdrawalPredicate) else ""
        stem = f"proofs/{statement.sha256}{ending}"
        staged.add_entry(data, f"{stem}.entry", f"{stem}.tlog-proof")


def _to_vouch_for(session: Session, taken_over: Path | None) -> Iterable[LoggedEntry]:
    if taken_over is None:
        return logged_entries(session.workspace.repository)
    return entries_in(taken_over)


def abandon(workspace: Workspace) -> tuple[str, ...]:
    """Give up what is staged and any draft.

    Returns:
        What was given up, in words.
    """
    gone = []
    if workspace.staged.is_dir():
        gone.append("what was staged")
        staging.discard(workspace)
    for path in sorted(workspace.draft_folder.glob("*.root.json")):
        gone.append(f"the draft {path.name}")
        path.unlink()
    return tuple(gone)


def _draft(session: Session, root: Root) -> Drafted:
    path = roots.write_draft(session, root)
    number = newest_root_version(session.workspace.repository)
    before = read_published(session.workspace.repository).root.signed if number else None
    also = before.roles["root"].keyids if before else ()
    at_hand = {public.keyid for public in session.keys.public_keys() if public.at_hand}
    signed: tuple[str, ...] = ()
    wanted = {*also, *root.roles["root"].keyids}
    if before is not None:
        theirs = {*roots.custodians_of(before), *roots.custodians_of(root)}
        if at_hand & (set(also) - theirs):
            wanted -= theirs  # a custodian's signature would make a rotation a succession
    if at_hand & wanted:
        signed = roots.sign_draft(path, session.keys, wanted=wanted)
    return Drafted(path, root.version, signed)


def _with_log(session: Session, publisher: Publisher) -> Publisher:
    return Publisher(
        publisher.name,
        publisher.contact,
        publisher.since or session.now,
        publisher.custodians,
        session.log().verifier.vkey,
    )

"""Pulling back a version that was published, in the signed metadata and in the log."""

from __future__ import annotations

from tocsin.updates.layout import (
    MOST_WITHDRAWN,
    WITHDRAWN_FIELD,
    DatabaseTarget,
    DeltaTarget,
    Withdrawn,
    database_name,
    parse_custom,
    parse_withdrawn,
    withdrawal_entry_path,
    withdrawal_proof_path,
    write_withdrawn,
)
from tocsin.updates.publish.add import databases
from tocsin.updates.publish.errors import PublishError
from tocsin.updates.publish.metadata import next_targets, read_published, signed_for
from tocsin.updates.publish.publication import Completed, complete
from tocsin.updates.publish.session import Session
from tocsin.updates.publish.staging import Staging
from tocsin.updates.statement import Statement, WithdrawalPredicate, sign_statement

_LONGEST_REASON = 1_024


def withdraw(session: Session, version: int, reason: str) -> Completed:
    """Pull a database back: nobody fetches it any more, and whoever has it learns why.

    Deltas that lead away from it stay. The metadata list the last withdrawals, the log all.

    Raises:
        PublishError: it is not offered, was withdrawn already, no reason is given, or the
            metadata would be larger than devices take.
        QuorumNotMet: too few witnesses cosigned; it is staged.
    """
    complete(session)
    published = read_published(session.workspace.repository)
    held = databases(published)
    targets = published.targets
    withdrawn = parse_withdrawn(targets.signed.unrecognized_fields) if targets else ()
    if any(one.version == version for one in withdrawn):
        raise PublishError(f"version {version} was withdrawn already")
    if version not in held:
        raise PublishError(
            f"version {version} is not offered; offered are: "
            + (", ".join(map(str, sorted(held))) or "none")
        )
    if not reason.strip() or len(reason) > _LONGEST_REASON:
        raise PublishError(f"say why, in at most {_LONGEST_REASON:,} characters")
    root = published.root.signed
    role = root.roles["targets"]
    statement = Statement(
        database_name(version),
        held[version].sha256,
        WithdrawalPredicate(version, reason, session.now),
    )
    signers = session.keys.demand("targets", role.keyids, role.threshold)
    staged = Staging(
        session.workspace, f"withdrawal of database {version}", session.log().newest().head.size
    )
    staged.add_entry(
        sign_statement(statement, signers).to_bytes(),
        withdrawal_entry_path(held[version].sha256),
        withdrawal_proof_path(held[version].sha256),
    )
    files = {}
    for name, target in published.target_files.items():
        custom = parse_custom(target.custom)
        if isinstance(custom, DatabaseTarget) and custom.version == version:
            continue
        if isinstance(custom, DeltaTarget) and custom.to_version == version:
            continue
        files[name] = target
    following = next_targets(published, files, session.settings, session.now)
    following.unrecognized_fields[WITHDRAWN_FIELD] = write_withdrawn(
        listed((*withdrawn, Withdrawn(version, reason, session.now)))
    )
    staged.commit(signed_for(following, "targets", [root], session.keys), following.version)
    done = complete(session)
    assert done is not None
    return done


def listed(withdrawn: tuple[Withdrawn, ...]) -> tuple[Withdrawn, ...]:
    """The withdrawals that metadata list: the new one, and the highest versions of the others.

    One more than devices read would make all of the metadata unreadable to them. What leaves the
    list is long behind what is offered, and stays in the log.
    """
    *others, new = withdrawn
    kept = set(sorted(one.version for one in others)[-(MOST_WITHDRAWN - 1) :])
    return (*(one for one in others if one.version in kept), new)

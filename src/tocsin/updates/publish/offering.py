"""What every offer has in common, be it a database, a release or a rulebook.

One statement, signed by the targets role and logged; files as targets; a list of targets that
names them, for whom and from when on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from tuf.api.metadata import TargetFile

from tocsin.updates.layout import entry_path, proof_path, stored_target
from tocsin.updates.publish.files import sha256_of
from tocsin.updates.publish.metadata import Published, next_targets, signed_for
from tocsin.updates.publish.session import Session
from tocsin.updates.publish.staging import Staging
from tocsin.updates.statement import Statement, sign_statement


def begin_offer(session: Session, published: Published, statement: Statement, what: str) -> Staging:
    """Begin to stage an offer: its log entry.

    Args:
        session: of the publisher.
        published: what readers see now.
        statement: what is said of it.
        what: it is, in words.

    Raises:
        PublishingKeyError: too few of the targets role's keys are at hand.
    """
    role = published.root.signed.roles["targets"]
    signers = session.keys.demand("targets", role.keyids, role.threshold)
    staged = Staging(session.workspace, what, session.log().newest().head.size)
    staged.add_entry(
        sign_statement(statement, signers).to_bytes(),
        entry_path(statement.sha256),
        proof_path(statement.sha256),
    )
    return staged


def stage_target(staged: Staging, name: str, path: Path, custom: dict[str, object]) -> TargetFile:
    """Put a file into what is staged, as a target of that name."""
    digest, size = sha256_of(path)
    staged.add_file(path, stored_target(name, digest))
    return TargetFile(size, {"sha256": digest}, name, {"custom": custom})


def commit_offer(
    session: Session, published: Published, staged: Staging, files: dict[str, TargetFile]
) -> None:
    """Let what is staged count, with a list of targets.

    Args:
        session: of the publisher.
        published: what readers see now.
        staged: the offer.
        files: every target from now on.

    Raises:
        PublishError: it cannot be signed, or is larger than devices take.
    """
    following = next_targets(published, files, session.settings, session.now)
    root = published.root.signed
    staged.commit(signed_for(following, "targets", [root], session.keys), following.version)


def begins(session: Session, channels: Mapping[str, int] | None) -> dict[str, datetime]:
    """When channels begin with an offer.

    Args:
        session: of the publisher.
        channels: seconds from now, by channel; None for the settings'.
    """
    return {
        name: session.now + timedelta(seconds=delay)
        for name, delay in (channels or session.settings.channels).items()
    }

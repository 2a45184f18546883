"""An edition of the rulebook for all: the same bytes for whoever has its files, logged and shown.

There is nothing to withdraw: an edition that is wrong is followed by the next one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from tuf.api.metadata import TargetFile

from tocsin.errors import TocsinError
from tocsin.updates.layout import (
    Ring,
    RulebookTarget,
    parse_custom,
    rulebook_name,
    stored_target,
    write_field,
)
from tocsin.updates.publish.errors import PublishError, WorkspaceError
from tocsin.updates.publish.files import read_bounded, write_file
from tocsin.updates.publish.metadata import Published, read_published
from tocsin.updates.publish.offering import begin_offer, begins, commit_offer, stage_target
from tocsin.updates.publish.publication import Completed, complete
from tocsin.updates.publish.session import Session
from tocsin.updates.rulebooks import MOST_BYTES, Changes, Facts, Read, changes
from tocsin.updates.statement import Previous, RulebookPredicate, Statement
from tocsin.version import VERSION


class PublishedEdition(NamedTuple):
    """An edition that was published.

    Attributes:
        facts: which it is, and what is in it.
        sha256: of the portable rulebook.
        size: of that, in bytes.
        before: number of the edition before; 0 for none.
        rules: what became of rules.
        others: what became of the rest.
        completed: what came of publishing; None when this very edition was published already.
    """

    facts: Facts
    sha256: str
    size: int
    before: int
    rules: Changes
    others: Changes
    completed: Completed | None


def publish_rulebook(
    session: Session,
    data: bytes,
    files: Mapping[str, str],
    read: Read,
    *,
    channels: dict[str, int] | None = None,
    rings: tuple[Ring, ...] | None = None,
) -> PublishedEdition:
    """Log and publish an edition.

    Args:
        session: of the publisher.
        data: the portable rulebook.
        files: SHA-256 of what it was made of, by path.
        read: reads an edition, as devices do.
        channels: seconds from now at which a channel may begin; None for the settings'.
        rings: how it spreads; None for the settings'.

    Raises:
        TocsinError: devices could not use it.
        PublishError: its number is not higher than that of the last one, or it is too large.
        QuorumNotMet: too few witnesses cosigned; it is staged, and readers see nothing of it.
    """
    complete(session)
    published = read_published(session.workspace.repository)
    if len(data) > MOST_BYTES:
        raise PublishError(f"the rulebook has {len(data):,} bytes; devices take {MOST_BYTES:,}")
    facts = read(data)
    held = editions(published)
    before = max(held, default=0)
    earlier = _earlier(session, published, before, read) if before else None
    sha256 = hashlib.sha256(data).hexdigest()
    of_rules = changes(earlier.rules if earlier else {}, facts.rules)
    of_others = changes(earlier.others if earlier else {}, facts.others)
    if before and held[before].sha256 == sha256:
        return PublishedEdition(facts, sha256, len(data), before, of_rules, of_others, None)
    if facts.version <= before:
        raise PublishError(
            f"nothing was published: edition {before} was published already, and this one has the "
            f"number {facts.version}; count it up in edition.toml to {before + 1}"
        )
    predicate = RulebookPredicate(
        facts.version,
        session.now,
        facts.checked,
        Previous(before, held[before].sha256) if before else None,
        len(data),
        len(of_rules.added),
        len(of_rules.removed),
        len(of_rules.changed),
        dict(facts.counts),
        dict(files),
        f"tocsin {VERSION}",
    )
    name = rulebook_name(facts.version)
    target = RulebookTarget(
        facts.version,
        sha256,
        begins(session, channels),
        session.settings.rings if rings is None else rings,
    )
    session.progress(f"staging edition {facts.version} of the rulebook")
    staged = begin_offer(
        session,
        published,
        Statement(name, sha256, predicate),
        f"edition {facts.version} of the rulebook",
    )
    written = staged.folder / "rulebook"
    write_file(written, data)
    kept = _kept(published, session.settings.keep - 1)
    kept[name] = stage_target(staged, name, written, write_field(target))
    commit_offer(session, published, staged, kept)
    return PublishedEdition(
        facts, sha256, len(data), before, of_rules, of_others, complete(session)
    )


def editions(published: Published) -> dict[int, RulebookTarget]:
    """The editions that readers are offered, by number."""
    customs = (
        parse_custom(target.custom, RulebookTarget) for target in published.target_files.values()
    )
    return {each.version: each for each in customs if isinstance(each, RulebookTarget)}


def _earlier(session: Session, published: Published, version: int, read: Read) -> Facts:
    target = published.target_files[rulebook_name(version)]
    path = session.workspace.repository / stored_target(target.path, target.hashes["sha256"])
    data = read_bounded(path, MOST_BYTES)
    if hashlib.sha256(data).hexdigest() != target.hashes["sha256"]:
        raise WorkspaceError(f"{path}: not the edition that was published; restore it")
    try:
        return read(data)
    except TocsinError as error:
        raise WorkspaceError(f"{path}: {error}") from error


def _kept(published: Published, keep: int) -> dict[str, TargetFile]:
    """The targets without editions older than the newest few."""
    newest = set(sorted(editions(published), reverse=True)[:keep] if keep else ())
    kept = {}
    for name, target in published.target_files.items():
        custom = parse_custom(target.custom, RulebookTarget)
        if not isinstance(custom, RulebookTarget) or custom.version in newest:
            kept[name] = target
    return kept

"""How a publisher's repository stands: what is offered, who vouches, what runs out when."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import msgspec
from tuf.api.metadata import Root

from tocsin.transparency.errors import TransparencyError
from tocsin.transparency.verdict import check
from tocsin.updates.layout import (
    DatabaseTarget,
    DeltaTarget,
    Publisher,
    ReleaseTarget,
    Withdrawn,
    parse_custom,
    parse_publisher,
    parse_withdrawn,
)
from tocsin.updates.publish import roots, staging
from tocsin.updates.publish.errors import PublishError, SignaturesMissing
from tocsin.updates.publish.files import read_bounded
from tocsin.updates.publish.metadata import (
    Published,
    newest_root_version,
    parse_metadata,
    read_published,
)
from tocsin.updates.publish.publication import logged_entries
from tocsin.updates.publish.rulebook import editions
from tocsin.updates.publish.session import Session
from tocsin.updates.statement import DatabasePredicate, Predicate, RulebookPredicate

_Predicate = TypeVar("_Predicate", bound=Predicate)
_SOON = timedelta(days=30)


class RoleStatus(msgspec.Struct, frozen=True):
    """A role: its version, when it expires, its keys."""

    role: str
    version: int
    expires: datetime | None
    threshold: int
    keys: tuple[str, ...]
    here: int


class VersionStatus(msgspec.Struct, frozen=True):
    """A database that is offered."""

    version: int
    sha256: str
    size: int
    compressed: int
    records: int
    added: int
    removed: int
    channels: dict[str, datetime]
    deltas_from: tuple[int, ...]
    without_address: int


class EditionStatus(msgspec.Struct, frozen=True):
    """An edition of the rulebook that is offered."""

    version: int
    sha256: str
    size: int
    checked: date
    rules: int
    added: int
    removed: int
    changed: int
    channels: dict[str, datetime]


class WitnessStatus(msgspec.Struct, frozen=True):
    """A witness: whether it cosigned the published checkpoint, and when."""

    name: str
    standing: str
    cosigned: datetime | None


class PublisherStatus(msgspec.Struct, frozen=True):
    """Everything there is to say; `warnings` are sentences for people."""

    folder: str
    publisher: Publisher | None
    origin: str
    log_key: str
    log_size: int
    quorum: str
    quorum_met: bool
    witnesses: tuple[WitnessStatus, ...]
    roles: tuple[RoleStatus, ...]
    versions: tuple[VersionStatus, ...]
    releases: tuple[str, ...]
    rulebooks: tuple[EditionStatus, ...]
    withdrawn: tuple[Withdrawn, ...]
    staged: str
    draft: str
    warnings: tuple[str, ...]


def publisher_status(session: Session) -> PublisherStatus:
    """Look at everything; nothing is changed and no passphrase is asked for.

    Raises:
        PublishError: the folder is damaged.
    """
    warnings: list[str] = []
    repository = session.workspace.repository
    published = read_published(repository) if newest_root_version(repository) else None
    fields = published.targets.signed.unrecognized_fields if published and published.targets else {}
    plan = staging.read_plan(session.workspace)
    if plan is not None:
        warnings.append(f"{plan.what} is staged and not published: 'tocsin publish finish'")
    draft = _draft(session, published, warnings)
    log, quorum = _log(session, warnings)
    return PublisherStatus(
        folder=str(session.workspace.folder),
        publisher=(
            parse_publisher(published.root.signed.unrecognized_fields) if published else None
        ),
        origin=session.settings.origin,
        log_key=log["key"],
        log_size=log["size"],
        quorum=quorum["name"],
        quorum_met=quorum["met"],
        witnesses=quorum["witnesses"],
        roles=_roles(session, published, warnings) if published else (),
        versions=_versions(session, published, warnings) if published else (),
        releases=_releases(published) if published else (),
        rulebooks=_rulebooks(session, published, warnings) if published else (),
        withdrawn=parse_withdrawn(fields),
        staged=plan.what if plan else "",
        draft=draft,
        warnings=tuple(warnings),
    )


def _draft(session: Session, published: Published | None, warnings: list[str]) -> str:
    path = roots.draft_path(session)
    if path is None:
        return ""
    metadata = parse_metadata(read_bounded(path, roots.MOST_ROOT_BYTES), Root, str(path))
    names = {public.keyid: public.name for public in session.keys.public_keys()}
    try:
        roots.demand_signatures(metadata, published.root.signed if published else None, names)
        warnings.append(f"{path} is signed by enough: 'tocsin publish finish'")
    except SignaturesMissing as error:
        warnings.append(str(error))
    return str(path)


def _log(session: Session, warnings: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    none: dict[str, Any] = {"name": "", "met": False, "witnesses": ()}
    try:
        log = session.log()
        opened = log.published()
        verdict = check(session.policy(), opened.note, now=int(session.now.timestamp()))
    except (TransparencyError, PublishError) as error:
        warnings.append(str(error))
        return {"key": "", "size": 0}, none
    if not verdict.met:
        warnings.append(verdict.reason())
    oldest = timedelta(days=session.settings.timestamp_days)
    now = session.now.timestamp()
    if verdict.quorum_time is not None and now - verdict.quorum_time > oldest.total_seconds():
        warnings.append("the witnesses cosigned long ago: 'tocsin publish refresh' asks them again")
    witnesses = tuple(
        WitnessStatus(
            one.witness.name,
            one.standing.value,
            None if one.timestamp is None else datetime.fromtimestamp(one.timestamp, UTC),
        )
        for one in verdict.witnesses
    )
    return (
        {"key": log.verifier.vkey, "size": opened.head.size},
        {"name": verdict.quorum, "met": verdict.met, "witnesses": witnesses},
    )


def _roles(session: Session, published: Published, warnings: list[str]) -> tuple[RoleStatus, ...]:
    root = published.root.signed
    keys = list(session.keys.public_keys())
    names = {public.keyid: public.name for public in keys}
    here = {public.keyid for public in keys if public.at_hand}
    held = {
        "root": published.root,
        "targets": published.targets,
        "snapshot": published.snapshot,
        "timestamp": published.timestamp,
    }
    found = []
    for role, metadata in held.items():
        said = root.roles[role]
        expires = metadata.signed.expires if metadata is not None else None
        if expires is not None:
            _warn_of_expiry(role, expires, session, warnings)
        found.append(
            RoleStatus(
                role,
                metadata.signed.version if metadata is not None else 0,
                expires,
                said.threshold,
                tuple(names.get(keyid, keyid[:16]) for keyid in said.keyids),
                len(here & set(said.keyids)),
            )
        )
    return tuple(found)


def _warn_of_expiry(role: str, expires: datetime, session: Session, warnings: list[str]) -> None:
    remedy = {
        "root": "'tocsin publish rotate' makes the next",
        "targets": "'tocsin publish add' or 'rotate' makes the next",
    }.get(role, "'tocsin publish refresh' renews it")
    left = expires - session.now
    if left <= timedelta(0):
        warnings.append(f"{role} has expired, devices take nothing new: {remedy}")
    elif role in ("root", "targets") and left < _SOON:
        warnings.append(f"{role} expires in {left.days} days: {remedy}")


def _versions(
    session: Session, published: Published, warnings: list[str]
) -> tuple[VersionStatus, ...]:
    predicates = _predicates(session, DatabasePredicate)
    deltas: dict[int, list[int]] = {}
    found = []
    for target in published.target_files.values():
        custom = parse_custom(target.custom)
        if isinstance(custom, DeltaTarget):
            deltas.setdefault(custom.to_version, []).append(custom.from_version)
    for target in published.target_files.values():
        custom = parse_custom(target.custom)
        if not isinstance(custom, DatabaseTarget):
            continue
        predicate = predicates.get(custom.sha256)
        if predicate is None:
            warnings.append(f"database {custom.version} has no log entry here")
            continue
        found.append(
            VersionStatus(
                custom.version,
                custom.sha256,
                custom.length,
                target.length,
                sum(predicate.counts.values()),
                predicate.added,
                predicate.removed,
                dict(custom.channels),
                tuple(sorted(deltas.get(custom.version, ()))),
                sum(not source.uri for source in predicate.sources),
            )
        )
    found.sort(key=lambda one: -one.version)
    if found and found[0].without_address:
        warnings.append(
            f"{found[0].without_address} sources of database {found[0].version} have no address: "
            "others cannot rebuild it"
        )
    return tuple(found)


def _rulebooks(
    session: Session, published: Published, warnings: list[str]
) -> tuple[EditionStatus, ...]:
    predicates = _predicates(session, RulebookPredicate)
    found = []
    for version, custom in sorted(editions(published).items(), reverse=True):
        predicate = predicates.get(custom.sha256)
        if predicate is None:
            warnings.append(f"edition {version} of the rulebook has no log entry here")
            continue
        found.append(
            EditionStatus(
                version,
                custom.sha256,
                predicate.size,
                predicate.checked,
                predicate.counts.get("rules", 0),
                predicate.added,
                predicate.removed,
                predicate.changed,
                dict(custom.channels),
            )
        )
    return tuple(found)


def _predicates(session: Session, kind: type[_Predicate]) -> dict[str, _Predicate]:
    """What log entries of a kind say, by the SHA-256 that they are about."""
    return {
        statement.sha256: statement.predicate
        for entry in logged_entries(session.workspace.repository)
        if isinstance((statement := entry.envelope.statement).predicate, kind)
    }


def _releases(published: Published) -> tuple[str, ...]:
    return tuple(
        custom.version
        for target in published.target_files.values()
        if isinstance(custom := parse_custom(target.custom), ReleaseTarget)
    )

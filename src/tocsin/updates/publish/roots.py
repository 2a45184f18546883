"""Roots: which keys speak for a repository, drafted, signed by one person after the other.

A root waits as a draft until those who must sign it have: a threshold of the keys of the root
before, and a threshold of its own. It is then staged like everything else, with its entry in the
log. TUF 1.0, section 5.3.4 (both thresholds) and 6.1 (key rotation).

Custodians are keys of the root role that are not the publisher's own. TUF has one threshold for
a role, so theirs, which is at least as high, is checked here and by devices.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root

from tocsin.updates.layout import (
    MOST_METADATA_BYTES,
    PUBLISHER_FIELD,
    Custodians,
    Publisher,
    entry_path,
    parse_publisher,
    proof_path,
    root_name,
    write_field,
)
from tocsin.updates.publish.errors import PublishError, SignaturesMissing
from tocsin.updates.publish.files import read_bounded, write_file
from tocsin.updates.publish.metadata import (
    newest_root_version,
    parse_metadata,
    read_metadata,
    to_bytes,
)
from tocsin.updates.statement import RootPredicate, Statement, sign_statement

if TYPE_CHECKING:
    from securesystemslib.signer import SSlibKey

    from tocsin.updates.publish.keys import KeyFolder
    from tocsin.updates.publish.session import Session
    from tocsin.updates.publish.staging import Staging

MOST_ROOT_BYTES = MOST_METADATA_BYTES["root"]
"""As much as python-tuf's client takes."""


@dataclass(frozen=True)
class RoleKeys:
    """The keys of a role and how many of them must sign."""

    keys: tuple[SSlibKey, ...]
    threshold: int = 1

    @property
    def keyids(self) -> list[str]:
        """Key ids, in order."""
        return sorted(str(key.keyid) for key in self.keys)


@dataclass(frozen=True)
class Roles:
    """Whose keys a root names.

    Attributes:
        root: the publisher's own, off line.
        targets: sign what is published.
        snapshot: sign which versions go together.
        timestamp: sign that this is the newest.
        custodians: may together appoint a successor; none by default.
    """

    root: RoleKeys
    targets: RoleKeys
    snapshot: RoleKeys
    timestamp: RoleKeys
    custodians: RoleKeys | None = None


def build_root(version: int, roles: Roles, publisher: Publisher, session: Session) -> Root:
    """Lay out a root.

    Raises:
        PublishError: a threshold that its keys cannot meet, or custodians who could do with
            fewer signatures than the publisher.
    """
    named = {
        "root": roles.root,
        "targets": roles.targets,
        "snapshot": roles.snapshot,
        "timestamp": roles.timestamp,
    }
    for role, held in named.items():
        _demand_threshold(role, held)
    root = Root(
        version=version,
        expires=session.now + timedelta(days=session.settings.root_days),
        consistent_snapshot=True,
    )
    for role, held in named.items():
        for key in held.keys:
            root.add_key(key, role)
        root.roles[role].threshold = held.threshold
    custodians = None
    if roles.custodians is not None and roles.custodians.keys:
        _demand_threshold("custodians", roles.custodians)
        if roles.custodians.threshold < roles.root.threshold:
            raise PublishError(
                f"custodians need a threshold of at least {roles.root.threshold}, that of the "
                "root role, else TUF would count too few of them as enough"
            )
        if set(roles.custodians.keyids) & set(roles.root.keyids):
            raise PublishError("a key is the publisher's own or a custodian's, not both")
        for key in roles.custodians.keys:
            root.add_key(key, "root")
        custodians = Custodians(tuple(roles.custodians.keyids), roles.custodians.threshold)
    claim = Publisher(publisher.name, publisher.contact, publisher.since, custodians, publisher.log)
    root.unrecognized_fields[PUBLISHER_FIELD] = write_field(claim)
    return root


def roles_of(root: Root) -> Roles:
    """Whose keys a root names, the publisher's own apart from its custodians'."""
    claim = parse_publisher(root.unrecognized_fields)
    kept = set(claim.custodians.keyids) if claim and claim.custodians else set()

    def of(role: str) -> RoleKeys:
        held = root.roles[role]
        own = [root.keys[keyid] for keyid in held.keyids if keyid not in kept]
        return RoleKeys(tuple(own), held.threshold)  # type: ignore[arg-type]

    custodians = None
    if claim and claim.custodians:
        theirs = tuple(root.keys[k] for k in claim.custodians.keyids if k in root.keys)
        custodians = RoleKeys(theirs, claim.custodians.threshold)  # type: ignore[arg-type]
    return Roles(of("root"), of("targets"), of("snapshot"), of("timestamp"), custodians)


def custodians_of(root: Root) -> frozenset[str]:
    """Key ids that a root says are custodians'."""
    claim = parse_publisher(root.unrecognized_fields)
    return frozenset(claim.custodians.keyids if claim and claim.custodians else ())


def with_role(roles: Roles, role: str, keys: RoleKeys) -> Roles:
    """The same with another set of keys for one role."""
    return replace(roles, **{role: keys})


def _demand_threshold(role: str, held: RoleKeys) -> None:
    if not 1 <= held.threshold <= len(set(held.keyids)):
        raise PublishError(
            f"the role {role!r} has {len(set(held.keyids))} keys and a threshold of "
            f"{held.threshold}; it must be met by them"
        )


# --- drafts -------------------------------------------------------------------------------


def draft_path(session: Session) -> Path | None:
    """The root that waits for signatures, or None."""
    newest = newest_root_version(session.workspace.repository)
    for path in sorted(session.workspace.draft_folder.glob("*.root.json")):
        number = path.name.partition(".")[0]
        if number.isdecimal() and int(number) > newest:  # else it was published meanwhile
            return path
    return None


def write_draft(session: Session, root: Root) -> Path:
    """Keep a root until it is signed; an earlier draft is replaced.

    Returns:
        The file, which is carried to whoever signs.
    """
    for old in session.workspace.draft_folder.glob("*.root.json"):
        old.unlink()
    path = session.workspace.draft_folder / f"{root.version}.root.json"
    write_file(path, to_bytes(Metadata(root)))
    return path


def sign_draft(
    path: Path, keys: KeyFolder, *, names: tuple[str, ...] = (), wanted: Iterable[str] = ()
) -> tuple[str, ...]:
    """Sign a root with the keys at hand.

    Args:
        path: of the draft.
        keys: those at hand.
        names: of the keys to sign with.
        wanted: key ids to sign with where no names are given; without any, those of all root
            keys that the draft names.

    Returns:
        Key ids that signed now.

    Raises:
        PublishError: this is no root, or there is no key to sign with.
    """
    metadata = parse_metadata(read_bounded(path, MOST_ROOT_BYTES), Root, str(path))
    if names:
        named = {public.name: public.keyid for public in keys.public_keys()}
        if unknown := [name for name in names if name not in named]:
            raise PublishError(f"{keys.folder}: there is no key {', '.join(unknown)} here")
        wanted = {named[name] for name in names}
    signers = keys.signers(set(wanted) or set(metadata.signed.roles["root"].keyids))
    if not signers:
        raise PublishError(f"{keys.folder}: there is no key here that this root asks for")
    for signer in signers:
        metadata.sign(signer, append=True)
    write_file(path, to_bytes(metadata))
    return tuple(str(signer.public_key.keyid) for signer in signers)


def describe_draft(path: Path) -> list[str]:
    """What a root says, in lines for whoever is to sign it.

    Raises:
        PublishError: this is no root.
    """
    root = parse_metadata(read_bounded(path, MOST_ROOT_BYTES), Root, str(path)).signed
    claim = parse_publisher(root.unrecognized_fields)
    roles = roles_of(root)
    lines = [f"Root {root.version}, until {root.expires:%Y-%m-%d}"]
    if claim is not None:
        lines.append(f"Publisher: {claim.name} {claim.contact}".rstrip())
        lines.append(f"Log: {claim.log}")
    for role, held in (
        ("root", roles.root),
        ("custodians", roles.custodians),
        ("targets", roles.targets),
        ("snapshot", roles.snapshot),
        ("timestamp", roles.timestamp),
    ):
        if held is not None:
            lines.append(f"{role}: {held.threshold} of {len(held.keys)}")
            lines += [f"  {keyid}" for keyid in held.keyids]
    return lines


def merge_signatures(path: Path, others: Iterable[Path]) -> int:
    """Take signatures from copies of the same draft that others signed.

    Returns:
        How many were new.

    Raises:
        PublishError: a copy is of another root.
    """
    metadata = parse_metadata(read_bounded(path, MOST_ROOT_BYTES), Root, str(path))
    before = len(metadata.signatures)
    for other in others:
        copy = parse_metadata(read_bounded(other, MOST_ROOT_BYTES), Root, str(other))
        if copy.signed_bytes != metadata.signed_bytes:
            raise PublishError(f"{other}: this is another root than {path}")
        for keyid, signature in copy.signatures.items():
            metadata.signatures.setdefault(keyid, signature)
    write_file(path, to_bytes(metadata))
    return len(metadata.signatures) - before


def demand_signatures(
    metadata: Metadata[Root], previous: Root | None, names: Mapping[str, str]
) -> None:
    """Check that a root has every signature that it needs.

    Raises:
        SignaturesMissing: it has not, with who may still sign.
    """
    missing: dict[str, tuple[str, ...]] = {}
    parts = []
    for title, root in (("the root before", previous), ("the new root", metadata.signed)):
        if root is None:
            continue
        held = _signed_by(metadata, root)
        needed, words = _needed(root, held)
        if needed > 0:
            open_ = tuple(k for k in sorted(root.roles["root"].keyids) if k not in held)
            missing[title] = open_
            named = ", ".join(names.get(keyid, keyid[:12]) for keyid in open_)
            parts.append(f"{title} {words}, of: {named}")
    if missing:
        raise SignaturesMissing(
            f"root {metadata.signed.version} is not signed by enough: {'; '.join(parts)}. Let them "
            "run 'tocsin publish sign' on the draft, then 'tocsin publish finish'",
            missing,
        )


def _signed_by(metadata: Metadata[Root], root: Root) -> frozenset[str]:
    try:
        result = root.get_verification_result("root", metadata.signed_bytes, metadata.signatures)
    except RepositoryError:
        return frozenset()
    return frozenset(result.signed)


def _needed(root: Root, signed: frozenset[str]) -> tuple[int, str]:
    """How many signatures a root still asks for: by the publisher's own keys, or custodians'."""
    claim = parse_publisher(root.unrecognized_fields)
    custodians = claim.custodians if claim else None
    theirs = custodians_of(root)
    threshold = root.roles["root"].threshold
    own = threshold - len(signed - theirs)
    if custodians is None:
        return own, f"needs {own} more"
    appointed = custodians.threshold - len(signed & theirs)
    words = f"needs {own} more of the publisher's own, or {appointed} more of its custodians"
    return min(own, appointed), words


def stage_root(staged: Staging, session: Session, data: bytes) -> Root:
    """Put a root that was signed and its log entry into what is staged.

    Raises:
        SignaturesMissing: too few signed.
    """
    metadata = parse_metadata(data, Root, "the draft")
    repository = session.workspace.repository
    number = newest_root_version(repository)
    previous = read_metadata(repository / root_name(number), Root).signed if number else None
    names = {public.keyid: public.name for public in session.keys.public_keys()}
    if metadata.signed.version != number + 1:
        raise PublishError(
            f"the draft is root {metadata.signed.version}, and {number + 1} would be the next; "
            "draft it again"
        )
    demand_signatures(metadata, previous, names)
    claim = parse_publisher(metadata.signed.unrecognized_fields)
    digest = hashlib.sha256(data).hexdigest()
    statement = Statement(
        root_name(metadata.signed.version),
        digest,
        RootPredicate(metadata.signed.version, claim.name if claim else ""),
    )
    role = metadata.signed.roles["targets"]
    signers = session.keys.demand("targets", role.keyids, role.threshold)
    entry = sign_statement(statement, signers).to_bytes()
    staged.add_entry(entry, entry_path(digest), proof_path(digest))
    staged.set_root(data, metadata.signed.version)
    return metadata.signed

"""Whether the next root is the same publisher's routine, or another publisher: pure.

A root that enough of the old keys signed is valid for TUF, whoever it hands the repository to.
Here it is routine only when

- as many of the publisher's *own* old root keys signed it as the old root asked for,
- no custodian did: they sign to appoint a successor and for nothing else,
- the keys that are new since the old root, and since the last root that the user agreed to, are
  too few to sign the next one alone: otherwise they are a new publisher, in one step or several,
- it does not ask for fewer signatures than the old one,
- it names the custodians that the old one named, and asks for as many of them: who may appoint a
  successor is not for the publisher alone to change, whoever has its keys; only a publisher that
  had no custodians may begin to have some, and
- it does not claim to be somebody else's, or to be logged elsewhere.

Everything else is a succession and waits for the user. What a root says of its publisher is a
claim; it can make a change a succession, but never make one routine. Keys are compared by what
they are: a key's identifier is the publisher's own text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from securesystemslib.exceptions import Error as SignatureTrouble
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Key, Metadata, Root

from tocsin.updates.errors import LayoutError
from tocsin.updates.layout import Publisher, parse_publisher
from tocsin.updates.receive.errors import MetadataRefused
from tocsin.updates.receive.tuf_client import read_root

Identity = str
"""SHA-256 of a public key with its type and scheme, hexadecimal."""


@dataclass(frozen=True)
class Keys:
    """Who may sign as root.

    Attributes:
        own: the publisher's own keys.
        custodians: those that the root says are custodians'.
        needed: signatures it takes.
        custodians_needed: custodians' signatures that a succession takes; 0 without custodians.
        publisher: what the root claims; None for nothing.
    """

    own: frozenset[Identity]
    custodians: frozenset[Identity]
    needed: int
    custodians_needed: int
    publisher: Publisher | None


@dataclass(frozen=True)
class Step:
    """From one root to the next.

    Attributes:
        version: of the next.
        sha256: of its bytes, hexadecimal.
        publisher: whom it claims to be from; None when it says nothing.
        reasons: why it is a succession, in words; empty when it is routine.
        signed_own: of the publisher's own old keys, those that signed.
        signed_custodians: custodians that signed, by the roots before it.
        kept: own root keys that stay.
        added: that are new.
        removed: that are gone.
        custodians_needed: custodians' signatures that a succession takes; 0 without custodians.
        appointed: whether the publisher's own keys or the custodians, one of the two by
            themselves, signed in the number that it takes; who is not must not be agreed to.
    """

    version: int
    sha256: str
    publisher: Publisher | None
    reasons: tuple[str, ...]
    signed_own: frozenset[Identity]
    signed_custodians: frozenset[Identity]
    kept: frozenset[Identity]
    added: frozenset[Identity]
    removed: frozenset[Identity]
    custodians_needed: int
    appointed: bool

    @property
    def routine(self) -> bool:
        """Whether nobody needs to be asked."""
        return not self.reasons


def identity(key: Key) -> Identity:
    """What tells a key from others, whatever it is called."""
    parts = {"type": key.keytype, "scheme": key.scheme, "value": key.keyval}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def keys_of(root: Root) -> Keys:
    """Who may sign as root, by what a root says.

    Raises:
        LayoutError: what it says of its publisher is malformed.
    """
    publisher = parse_publisher(root.unrecognized_fields)
    role = root.roles[Root.type]
    all_keys = {identity(root.keys[keyid]) for keyid in role.keyids if keyid in root.keys}
    named = publisher.custodians if publisher else None
    custodians = (
        {identity(root.keys[k]) for k in named.keyids if k in root.keys} if named else set()
    )
    return Keys(
        frozenset(all_keys - custodians),
        frozenset(custodians),
        role.threshold,
        named.threshold if named else 0,
        publisher,
    )


def examine(agreed: bytes, old: bytes, new: bytes) -> Step:
    """Judge one step.

    Args:
        agreed: the last root that the user chose or agreed to; may be the old one.
        old: the root in force.
        new: the one that is to follow it.

    Raises:
        MetadataRefused: the new root is not a valid successor of the old one at all.
    """
    before, after = read_root(old), read_root(new)
    _demand_follows(before.signed, after)
    sha256 = hashlib.sha256(new).hexdigest()
    try:
        was, is_now, anchor = keys_of(before.signed), keys_of(after.signed), _keys_in(agreed)
    except LayoutError as error:
        reason = f"what it says of its publisher cannot be read: {error}"
        none: frozenset[Identity] = frozenset()
        return Step(
            after.signed.version, sha256, None, (reason,), none, none, none, none, none, 0, False
        )
    signers = _signers(before.signed, after) | _signers(after.signed, after)
    own = signers & was.own
    # Whom the new root itself calls custodians have no say in whether they are.
    custodians = signers & (was.custodians | anchor.custodians) - own
    self_named = signers & is_now.custodians - custodians - own
    reasons = _reasons(was, is_now, anchor, own, custodians)
    if self_named:
        reasons.append(f"{len(self_named)} that only it calls custodian(s) signed it")
    appointing = custodians & (was.custodians or anchor.custodians)
    needed = _custodians_needed(anchor, was)
    return Step(
        after.signed.version,
        sha256,
        is_now.publisher,
        tuple(reasons),
        own,
        custodians,
        was.own & is_now.own,
        is_now.own - was.own,
        was.own - is_now.own,
        needed,
        len(own) >= was.needed or 0 < needed <= len(appointing),
    )


def reasons_to_wait(agreed: Root, old: Root, new: Root) -> tuple[str, ...]:
    """Why devices would wait with a root that the publisher's own keys sign, all that are needed.

    For whoever drafts it, before it is shown.

    Args:
        agreed: the last root that users chose or agreed to; see `last_agreed`.
        old: the root in force.
        new: the one that is to follow it, signed or not.

    Raises:
        LayoutError: what one of them says of its publisher is malformed.
    """
    was, is_now = keys_of(old), keys_of(new)
    return tuple(_reasons(was, is_now, keys_of(agreed), was.own, frozenset()))


def last_agreed(chain: Sequence[bytes]) -> bytes:
    """The last root that no device took by routine, of those whose users began with the first.

    Args:
        chain: a repository's roots, from the first on.

    Raises:
        MetadataRefused: one of them is no valid successor of the one before.
    """
    agreed = old = chain[0]
    for new in chain[1:]:
        if not examine(agreed, old, new).routine:
            agreed = new
        old = new
    return agreed


def same_publisher(one: bytes, other: bytes) -> bool:
    """Whether enough of one root's own keys are the other's, both ways, for either to sign alone.

    For a root that the user names: what the publisher said before then goes on to count.
    """
    first, second = _keys_in(one), _keys_in(other)
    return len(first.own & second.own) >= max(first.needed, second.needed)


def _keys_in(data: bytes) -> Keys:
    return keys_of(read_root(data).signed)


def _demand_follows(old: Root, new: Metadata[Root]) -> None:
    """TUF 1.0, section 5.3.4 and 5.3.5."""
    if new.signed.version != old.version + 1:
        raise MetadataRefused(
            f"root {new.signed.version} does not follow root {old.version}; one is missing"
        )
    try:
        old.verify_delegate(Root.type, new.signed_bytes, new.signatures)
    except RepositoryError as error:
        raise MetadataRefused(
            f"root {new.signed.version} is not signed by the one before: {error}"
        ) from None


def _signers(by: Root, metadata: Metadata[Root]) -> frozenset[Identity]:
    """Keys of a root, of any role, whose signature on the metadata is valid."""
    found = set()
    for keyid, signature in metadata.signatures.items():
        key = by.keys.get(keyid)
        if key is None:
            continue
        try:
            key.verify_signature(signature, metadata.signed_bytes)
        except (SignatureTrouble, ValueError):
            continue
        found.add(identity(key))
    return frozenset(found)


def log_name(vkey: str) -> str:
    """What a log is called in its verifier key."""
    return repr(vkey.partition("+")[0]) if vkey else "not named"


def _custodians_needed(anchor: Keys, was: Keys) -> int:
    """Custodians that a succession takes: the more of what the two roots before it say."""
    return max(anchor.custodians_needed, was.custodians_needed)


def _reasons(
    was: Keys, is_now: Keys, anchor: Keys, own: frozenset[str], custodians: frozenset[str]
) -> list[str]:
    reasons = []
    if custodians:
        needed = _custodians_needed(anchor, was)
        of = f" (it takes {needed})" if needed else ""
        reasons.append(f"{len(custodians)} custodian(s) signed it{of}: they appoint a successor")
    if len(own) < was.needed:
        reasons.append(
            f"{len(own)} of the publisher's own root keys signed it, and {was.needed} are needed"
        )
    if is_now.needed < was.needed:
        reasons.append(f"from now on {is_now.needed} signatures are enough, not {was.needed}")
    if len(is_now.own - was.own) >= is_now.needed:
        reasons.append("its new keys can sign alone: they are whoever holds them, not the old ones")
    elif len(is_now.own - anchor.own) >= is_now.needed:
        reasons.append("most keys have changed since the root that was agreed to")
    if not is_now.own & was.own:
        reasons.append("none of the publisher's keys is left")
    reasons += _other_custodians(was, is_now)
    names = [keys.publisher.name if keys.publisher else "" for keys in (was, is_now)]
    if names[0] != names[1]:
        reasons.append(f"it says that the publisher is {names[1]!r}, and was {names[0]!r}")
    logs = [keys.publisher.log if keys.publisher else "" for keys in (was, is_now)]
    if logs[0] != logs[1]:
        reasons.append(f"it says that its log is {log_name(logs[1])}, and was {log_name(logs[0])}")
    return reasons


def _other_custodians(was: Keys, is_now: Keys) -> list[str]:
    """What a root changes of who may appoint a successor."""
    if not was.custodians:
        return []
    if not is_now.custodians:
        return ["it has no custodians any more: nobody could appoint a successor"]
    reasons = []
    new, gone = len(is_now.custodians - was.custodians), len(was.custodians - is_now.custodians)
    if new or gone:
        reasons.append(f"its custodians are others: {new} new, {gone} gone")
    if is_now.custodians_needed != was.custodians_needed:
        reasons.append(
            f"from now on {is_now.custodians_needed} custodians appoint a successor, not "
            f"{was.custodians_needed}"
        )
    return reasons

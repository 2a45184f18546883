"""Lets roots through the consent gate, or keeps them for the user to look at.

A root is used when it was logged as the user's policy asks, and it is the same publisher's
routine or the user agreed to it by its digest. Everything else waits.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from securesystemslib.signer import Key
from tuf.api.exceptions import DownloadError
from tuf.api.metadata import Root, Targets

from tocsin.transparency.errors import MalformedKey
from tocsin.transparency.note import VerifierKey
from tocsin.transparency.policy import Policy
from tocsin.transparency.proof import MAX_PROOF_BYTES
from tocsin.updates.errors import LayoutError
from tocsin.updates.layout import Publisher, entry_path, parse_publisher, proof_path, root_name
from tocsin.updates.receive.consent import Step, examine
from tocsin.updates.receive.errors import MetadataRefused, NotVouchedFor, UpdateError
from tocsin.updates.receive.state import Agreed, Consent, UpdateState
from tocsin.updates.receive.trust import Trust
from tocsin.updates.receive.tuf_client import read_root
from tocsin.updates.receive.verify import Expected, Vouching
from tocsin.updates.receive.verify import examine as examine_entry
from tocsin.updates.statement import MOST_ENTRY_BYTES, RootPredicate

Get = Callable[[str, int], bytes | None]
"""Fetches a small file of the repository; None when it is not there."""


@dataclass(frozen=True)
class Waiting:
    """A root that waits.

    Attributes:
        step: what changes with it.
        vouching: whether it was logged, and who saw it.
    """

    step: Step
    vouching: Vouching

    def reasons(self) -> list[str]:
        """Why it waits."""
        missing = [f"{f.point}: {f.detail}" for f in self.vouching.findings if not f.stands]
        return [*self.step.reasons, *missing]


def target_keys(root: Root) -> tuple[Mapping[str, Key], int]:
    """Keys and threshold of a root's targets role."""
    role = root.roles[Targets.type]
    keys = {keyid: root.keys[keyid] for keyid in role.keyids if keyid in root.keys}
    return keys, role.threshold


class RootKeeper:
    """Decides over the roots of one run.

    Args:
        state: of the device.
        trust: what the user chose.
        get: fetches a root's log entry and proof.
        now: POSIX seconds; None to look at no time.

    Attributes:
        waiting: roots that were held back, in order.
    """

    def __init__(self, state: UpdateState, trust: Trust, get: Get, now: int | None) -> None:
        self._state = state
        self._trust = trust
        self._get = get
        self._now = now
        self._proofs: dict[int, tuple[bytes | None, bytes | None]] = {}
        self.waiting: list[Waiting] = []

    def lets_pass(self, version: int, data: bytes) -> bool:
        """Whether a root may be used; see `ConsentGate`."""
        old = self.before(version)
        try:
            if old is None:  # TUF asks for them in order
                raise MetadataRefused(f"root {version} was asked for before root {version - 1}")
            waiting = self.look_at(old, data)
        except MetadataRefused:
            return True  # python-tuf refuses it and says why
        if is_agreed(self._state.consent(), waiting.step):
            return True
        if waiting.step.routine and waiting.vouching.stands:
            return True
        self._hold(version, data, waiting)
        return False

    def before(self, version: int) -> bytes | None:
        """The root in force that a version follows, or None."""
        if version - 1 == self._trust.root_version:
            return self._trust.root
        return self._state.root_bytes(version - 1)

    def look_at(self, old: bytes, data: bytes) -> Waiting:
        """What is true of a root.

        Raises:
            MetadataRefused: it does not follow the old one.
        """
        step = examine(self.agreed_root(), old, data)
        entry = self._get(entry_path(step.sha256), MOST_ENTRY_BYTES)
        proof = self._get(proof_path(step.sha256), MAX_PROOF_BYTES)
        self._proofs[step.version] = (entry, proof)
        logs = self.agreed_logs()
        if not step.routine:  # the user is told where the successor is logged, by its own word
            logs = (*logs, *_claimed_log(step.publisher))
        policy = self._trust.policy
        return Waiting(step, vouched_root(old, data, entry, proof, policy, self._now, logs))

    def agreed_logs(self) -> tuple[VerifierKey, ...]:
        """Logs of the publishers that the user agreed to; the policy cannot name them yet."""
        return agreed_logs(self._state)

    def agreed_root(self) -> bytes:
        """The last root that the user chose or agreed to, and that is in force."""
        return next(_agreed_roots(self._state), self._trust.root)

    def _hold(self, version: int, data: bytes, waiting: Waiting) -> None:
        entry, proof = self._proofs[version]
        paths = (entry_path(waiting.step.sha256), proof_path(waiting.step.sha256))
        self._state.keep_pending(version, data, dict(zip(paths, (entry, proof), strict=True)))
        self.waiting.append(waiting)

    def follow_up(self, fetch_root: Callable[[int], bytes | None]) -> None:
        """Look at the roots behind the one that waits: the user agrees to all or to none.

        Args:
            fetch_root: fetches a root by version, past the gate.
        """
        while self.waiting and len(self.waiting) < 64:
            version = self.waiting[-1].step.version
            old = self._state.pending()[version]
            try:
                data = fetch_root(version + 1)
                if data is None:
                    return
                self._hold(version + 1, data, self.look_at(old, data))
            except (UpdateError, DownloadError):
                return  # what waits already is enough to say no


def waiting_roots(state: UpdateState, trust: Trust) -> list[tuple[bytes, Waiting]]:
    """The roots that wait on this device, each with the one before it, looked at off line.

    Raises:
        MetadataRefused: one of them is no valid successor.
    """
    keeper = RootKeeper(state, trust, lambda path, _: state.pending_proof(path), None)
    found: list[tuple[bytes, Waiting]] = []
    pending = state.pending()
    for version, data in pending.items():
        old = pending.get(version - 1) or keeper.before(version)
        if old is None:
            raise MetadataRefused(f"root {version - 1} is missing; run 'tocsin update'")
        found.append((old, keeper.look_at(old, data)))
    return found


def agreed_logs(state: UpdateState) -> tuple[VerifierKey, ...]:
    """Logs that roots name which the user agreed to and which are in force."""
    found: list[VerifierKey] = []
    for held in _agreed_roots(state):
        found += claimed_logs(read_root(held).signed)
    return tuple(dict.fromkeys(found))


def claimed_logs(root: Root) -> tuple[VerifierKey, ...]:
    """The log that a root says it has."""
    with suppress(LayoutError):
        return tuple(_claimed_log(parse_publisher(root.unrecognized_fields)))
    return ()


def _agreed_roots(state: UpdateState) -> Iterator[bytes]:
    """The roots in force that the user agreed to, the newest first."""
    for agreed in sorted(state.consent().roots, key=lambda r: r.version, reverse=True):
        held = state.root_bytes(agreed.version)
        if held is not None and hashlib.sha256(held).hexdigest() == agreed.sha256:
            yield held


def _claimed_log(publisher: Publisher | None) -> list[VerifierKey]:
    if publisher is None or not publisher.log:
        return []
    try:
        return [VerifierKey.parse(publisher.log)]
    except MalformedKey:
        return []


def vouched_root(
    old: bytes,
    new: bytes,
    entry: bytes | None,
    proof: bytes | None,
    policy: Policy,
    now: int | None,
    log_keys: Collection[VerifierKey] = (),
) -> Vouching:
    """Whether a root was logged: signed by the targets role of the root itself or of the last."""
    root = read_root(new).signed
    sha256 = hashlib.sha256(new).hexdigest()
    expected = Expected(root_name(root.version), sha256, RootPredicate, root.version)
    found = [
        examine_entry(
            expected, entry, proof, *target_keys(each), policy, now=now, log_keys=log_keys
        )
        for each in (root, read_root(old).signed)
    ]
    return next((each for each in found if each.stands), found[0])


def is_agreed(consent: Consent, step: Step) -> bool:
    """Whether the user agreed to exactly this root."""
    return any(
        agreed.version == step.version and hmac.compare_digest(agreed.sha256, step.sha256)
        for agreed in consent.roots
    )


def agree(state: UpdateState, shown: list[Waiting]) -> None:
    """Remember that the user agreed to the roots that were shown, and to no others.

    Raises:
        MetadataRefused: neither the publisher nor the custodians signed one in the number needed.
        NotVouchedFor: one was not logged as the policy asks, so that it may be shown to this
            device alone.
    """
    for each in shown:
        step = each.step
        if not step.appointed and not step.routine:
            raise MetadataRefused(
                f"root {step.version}: neither the publisher's own keys nor the custodians signed "
                "it in the number that it takes; somebody has some of their keys. Ask them"
            )
        try:
            each.vouching.require()
        except NotVouchedFor as error:
            raise NotVouchedFor(
                f"{error}. Nobody agrees to what others may not have seen: ask again when it is "
                "logged, or name its witnesses in your policy"
            ) from None
    at = datetime.now(UTC)
    known = state.consent().roots
    new = [Agreed(each.step.version, each.step.sha256, at) for each in shown]
    state.keep_consent(Consent((*known, *new)))

"""Lets roots through the consent gate, or keeps them for the user to look at.

A root is used when it was logged as the user's policy asks, and it is the same publisher's
routine or the user agreed to it by its digest. Only what a root itself changes waits for the user:
a routine one that is not vouched for is the lie of the mirror that showed it so.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
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
from tocsin.updates.receive.errors import (
    MetadataRefused,
    NotVouchedFor,
    StateDamaged,
    UpdateError,
)
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
        return [*self.step.reasons, *self.missing()]

    def missing(self) -> list[str]:
        """What does not stand of its being logged."""
        return [f"{f.point}: {f.detail}" for f in self.vouching.findings if not f.stands]

    @property
    def may_be_agreed(self) -> bool:
        """Whether the user may agree to it: see `agree`."""
        return (self.step.appointed or self.step.routine) and self.vouching.stands


def target_keys(root: Root) -> tuple[Mapping[str, Key], int]:
    """Keys and threshold of a root's targets role."""
    return role_keys(root, Targets.type)


def role_keys(root: Root, name: str) -> tuple[Mapping[str, Key], int]:
    """Keys and threshold of a root's role."""
    role = root.roles[name]
    keys = {keyid: root.keys[keyid] for keyid in role.keyids if keyid in root.keys}
    return keys, role.threshold


class RootKeeper:
    """Decides over the roots of one run.

    Args:
        state: of the device.
        trust: what the user chose.
        get: fetches a root's log entry and proof.
        now: POSIX seconds; None to look at no time.
        others: fetch from further mirrors what the first may have garbled.

    Attributes:
        waiting: roots that were held back, in order, since `begin`.
        held: those that were held back at last in this run, whichever mirror showed them.
    """

    def __init__(
        self,
        state: UpdateState,
        trust: Trust,
        get: Get,
        now: int | None,
        others: Callable[[], Iterable[Get]] = tuple,
    ) -> None:
        self._state = state
        self._trust = trust
        self._get = get
        self._now = now
        self._others = others
        self._proofs: dict[int, tuple[bytes | None, bytes | None]] = {}
        self.waiting: list[Waiting] = []
        self.held: list[Waiting] = []

    def begin(self) -> None:
        """Begin again, with another mirror."""
        self.waiting = []

    def lets_pass(self, version: int, data: bytes) -> bool:
        """Whether a root may be used; see `ConsentGate`.

        Raises:
            StateDamaged: the root before it is not here, so nothing can be said of it.
            MetadataRefused: it does not follow the one before.
            NotVouchedFor: it is routine, and was not logged as the policy asks.
        """
        old = self.before(version)
        if old is None:  # python-tuf asks for them in order, and believes what it has in memory
            raise StateDamaged(
                f"{self._state.metadata}: root {version - 1} is missing, so nothing says whether "
                f"root {version} may follow it; run 'tocsin update' again, which fetches it anew"
            )
        waiting = self.look_at(old, data)
        routine = waiting.step.routine
        if is_agreed(self._state.consent(), waiting.step) or (routine and waiting.vouching.stands):
            self._keep_place(waiting.step.sha256, waiting.vouching)
            return True
        if routine:
            raise NotVouchedFor(
                f"root {version}, by which the same publisher goes on, is not used: "
                f"{'; '.join(waiting.missing())}"
            )
        self._hold(version, data, waiting)
        return False

    def before(self, version: int) -> bytes | None:
        """The root in force that a version follows, or None."""
        if version - 1 == self._trust.root_version:
            return self._trust.root
        return self._state.root_bytes(version - 1)

    def look_at(self, old: bytes, data: bytes, *, widely: bool = False) -> Waiting:
        """What is true of a root.

        Args:
            old: the one before.
            data: the root.
            widely: ask further mirrors whether it was logged if the first does not show it, as is
                always done for one that would wait.

        Raises:
            MetadataRefused: it does not follow the old one.
        """
        step = examine(self.agreed_root(), old, data)
        logs = self.agreed_logs()
        if not step.routine:  # the user is told where the successor is logged, by its own word
            logs = (*logs, *_claimed_log(step.publisher))
        vouching = self._vouching(self._get, step, old, data, logs)
        if not vouching.stands and (widely or not step.routine):
            shown = self._proofs[step.version]
            for get in self._others():
                better = self._vouching(get, step, old, data, logs)
                if better.stands:
                    return Waiting(step, better)
            self._proofs[step.version] = shown
        return Waiting(step, vouching)

    def _vouching(
        self, get: Get, step: Step, old: bytes, data: bytes, logs: Collection[VerifierKey]
    ) -> Vouching:
        entry = get(entry_path(step.sha256), MOST_ENTRY_BYTES)
        proof = get(proof_path(step.sha256), MAX_PROOF_BYTES)
        self._proofs[step.version] = (entry, proof)
        return vouched_root(old, data, entry, proof, self._trust.policy, self._now, logs)

    # --- where roots are in the log ---------------------------------------------------------

    def place(self, version: int, origin: str) -> int:
        """Where in a log the entry of a root that is in force is; 0 where that is not known.

        Whose keys it dropped speaks only of what is before it. Nothing is before 0: a root that
        is not in that log, as after a succession, leaves its predecessors no word there at all.
        """
        old, data = self.before(version), self.before(version + 1)
        if old is None or data is None:
            return 0
        sha256 = hashlib.sha256(data).hexdigest()
        if origin not in self._state.seen().roots.get(sha256, {}):
            with suppress(MetadataRefused):  # it came before such places were kept
                self._keep_place(sha256, self.look_at(old, data).vouching)
        return self._state.seen().roots.get(sha256, {}).get(origin, 0)

    def digest(self, version: int) -> str:
        """SHA-256 of a root that is in force; empty where it is not here."""
        data = self.before(version + 1)
        return hashlib.sha256(data).hexdigest() if data is not None else ""

    def _keep_place(self, sha256: str, vouching: Vouching) -> None:
        if not vouching.stands or vouching.proof is None or vouching.verdict is None:
            return
        origin, index = vouching.verdict.head.origin, vouching.proof.index
        seen = self._state.seen()
        held = seen.roots.get(sha256, {})
        if held.get(origin, index + 1) > index:  # logged again later, it is no younger for that
            roots = {**seen.roots, sha256: {**held, origin: index}}
            self._state.keep_seen(msgspec.structs.replace(seen, roots=roots))

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
        self.held = self.waiting

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
                self._hold(version + 1, data, self.look_at(old, data, widely=True))
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


def agreed_ahead(state: UpdateState) -> tuple[Agreed, ...]:
    """Roots that the user agreed to and that no update has put in force yet."""
    held = state.newest_root()
    newest = read_root(held).signed.version if held is not None else 0
    return tuple(agreed for agreed in state.consent().roots if agreed.version > newest)


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

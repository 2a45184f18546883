"""Which change of root is the same publisher's routine, and which waits for the user."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from receive_samples import Device, Repository
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Key, Root
from tuf.api.serialization.json import JSONSerializer

from tocsin.updates.layout import PUBLISHER_FIELD
from tocsin.updates.receive.consent import Step, examine
from tocsin.updates.receive.errors import ConsentNeeded, MetadataRefused, NotVouchedFor
from tocsin.updates.receive.roots import agree, waiting_roots
from tocsin.updates.receive.state import UpdateState

OWN, CUSTODIANS = (0, 1, 2), (3, 4, 5)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("roots") / "repository")


@pytest.fixture(scope="module")
def fresh() -> list[CryptoSigner]:
    return [CryptoSigner.generate_ed25519() for _ in range(4)]


def signed(repository: Repository, change: Callable[[Root], None], signers: list) -> bytes:
    root = repository.next_root(change)
    for signer in signers:
        root.sign(signer, append=True)
    return root.to_bytes(JSONSerializer())


def keys(repository: Repository) -> list[CryptoSigner]:
    return [*repository.root_keys, *repository.custodians]


def swap(repository: Repository, new: list[CryptoSigner]) -> Callable[[Root], None]:
    """A root in which so many of the publisher's keys are replaced by new ones."""

    def change(root: Root) -> None:
        for old, signer in zip(repository.root_keys[::-1], new, strict=False):
            root.revoke_key(old.public_key.keyid, "root")
            root.add_key(signer.public_key, "root")

    return change


def rename(root: Root) -> None:
    root.unrecognized_fields[PUBLISHER_FIELD]["name"] = "Somebody else"


def lower(root: Root) -> None:
    root.roles["root"].threshold = 1


def online(root: Root) -> None:
    fresh = CryptoSigner.generate_ed25519()
    root.add_key(fresh.public_key, "timestamp")


CASES: dict[str, tuple[Callable[[Root], None] | int, tuple[int, ...], str]] = {
    "only the time": (lambda root: None, (0, 1), ""),
    "another online key": (online, (0, 1), ""),
    "one of three root keys replaced": (1, (0, 1), ""),
    "two of three root keys replaced": (2, (0, 1), "its new keys can sign alone"),
    "all root keys replaced": (3, (0, 1), "none of the publisher's keys is left"),
    "a custodian signed as well": (lambda root: None, (0, 1, 3), r"1 custodian\(s\) signed"),
    "one own key and one custodian": (lambda root: None, (0, 3), "1 of the publisher's own 2"),
    "custodians alone": (lambda root: None, (3, 4), r"2 custodian\(s\) signed it \(it takes 2\)"),
    "another name": (rename, (0, 1), "says that the publisher is 'Somebody else'"),
    "fewer signatures from now on": (lower, (0, 1), "1 signatures are enough, not 2"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_routine(published: Repository, fresh: list[CryptoSigner], name: str) -> None:
    change, signers, reason = CASES[name]
    new: list[CryptoSigner] = []
    if isinstance(change, int):
        new = fresh[:change]
        change = swap(published, new)
    first = published.root_bytes(1)
    data = signed(published, change, [*(keys(published)[n] for n in signers), *new])
    step = examine(first, first, data)
    assert step.routine == (not reason)
    if reason:
        import re

        assert re.search(reason, "; ".join(step.reasons))


def test_who_may_appoint(published: Repository) -> None:
    first = published.root_bytes(1)

    def step(*signers: int) -> Step:
        return examine(
            first, first, signed(published, rename, [keys(published)[n] for n in signers])
        )

    assert step(0, 1).appointed
    assert step(3, 4).appointed
    assert not step(0, 3).appointed  # TUF counts two; neither side has enough


def test_nobody_becomes_a_custodian_by_their_own_root(
    published: Repository, fresh: list[CryptoSigner]
) -> None:
    """One key of each side was stolen; the thief's root calls the thief's own key a custodian's."""
    first = published.root_bytes(1)

    def change(root: Root) -> None:
        root.add_key(fresh[0].public_key, "root")
        named = root.unrecognized_fields[PUBLISHER_FIELD]["custodians"]
        named["keyids"] = [published.custodians[0].public_key.keyid, fresh[0].public_key.keyid]

    thief = signed(published, change, [keys(published)[0], keys(published)[3], fresh[0]])
    step = examine(first, first, thief)
    assert not step.appointed
    assert len(step.signed_custodians) == 1
    assert "only it calls custodian" in "; ".join(step.reasons)


def test_a_publisher_cannot_be_swapped_in_small_steps(
    published: Repository, fresh: list[CryptoSigner]
) -> None:
    import copy

    repository = copy.copy(published)
    first, chain = published.root_bytes(1), []
    own = list(published.root_keys)
    for new in fresh[:3]:

        def change(root: Root, old: CryptoSigner = own[-1], new: CryptoSigner = new) -> None:
            root.revoke_key(old.public_key.keyid, "root")
            root.add_key(new.public_key, "root")

        root = repository.next_root(change)
        for signer in (own[0], own[1], new):
            root.sign(signer, append=True)
        chain.append(root.to_bytes(JSONSerializer()))
        repository.root = root
        own = [new, *own[:-1]]
    steps = [examine(first, old, new) for old, new in zip([first, *chain], chain, strict=False)]
    assert steps[0].routine
    assert "since the root that was agreed to" in "; ".join(steps[1].reasons)


def test_a_key_is_not_taken_for_another_of_its_name(
    published: Repository, fresh: list[CryptoSigner]
) -> None:
    def change(root: Root) -> None:
        for old, new in zip(published.root_keys, fresh, strict=False):
            keyid = old.public_key.keyid
            values = new.public_key.to_dict()
            root.keys[keyid] = Key.from_dict(keyid, values)

    root = published.next_root(change)
    for signer in published.root_keys[:2]:
        root.sign(signer, append=True)
    first = published.root_bytes(1)
    with pytest.raises(MetadataRefused):  # not signed by the keys that it has under those names
        examine(first, first, root.to_bytes(JSONSerializer()))


def test_a_root_that_is_no_successor_is_refused(published: Repository) -> None:
    first = published.root_bytes(1)
    with pytest.raises(MetadataRefused, match="does not follow"):
        examine(first, first, first)
    with pytest.raises(MetadataRefused):
        examine(first, first, signed(published, lambda root: None, [keys(published)[0]]))
    with pytest.raises(MetadataRefused):
        examine(first, first, json.dumps({"signed": 1}).encode())


# --- on a device --------------------------------------------------------------------------


class Handover:
    """A publisher that vanishes, and custodians who appoint another."""

    def __init__(self, folder: Path) -> None:
        self.repository = Repository(folder / "repository")
        self.repository.add(1)
        self.repository.publish_metadata()
        self.devices = [Device(folder / name, self.repository) for name in ("one", "two")]
        for device in self.devices:
            device.update()
        self.successor = [CryptoSigner.generate_ed25519() for _ in range(3)]

    def hand_over(self, *, version: int = 2) -> bytes:
        repository, successor = self.repository, self.successor
        online = {role: CryptoSigner.generate_ed25519() for role in repository.online}

        def change(root: Root) -> None:
            for old in repository.root_keys:
                root.revoke_key(old.public_key.keyid, "root")
            for new in successor:
                root.add_key(new.public_key, "root")
            for role, signer in online.items():
                root.revoke_key(repository.online[role].public_key.keyid, role)
                root.add_key(signer.public_key, role)
            root.unrecognized_fields[PUBLISHER_FIELD]["name"] = "Successor"

        root = repository.next_root(change)
        repository.online = online
        data = repository.write_root(root, [*repository.custodians[:2], *successor[:2]])
        repository.add(version)
        repository.publish_metadata()
        return data


def test_a_successor_waits_and_one_device_agrees(tmp_path: Path) -> None:
    handover = Handover(tmp_path)
    data = handover.hand_over()
    agrees, refuses = handover.devices
    for device in handover.devices:
        before = device.snapshot()
        with pytest.raises(ConsentNeeded, match="'Successor'"):
            device.update()
        assert device.snapshot() == before
    state = UpdateState(agrees.folder)
    ((_, waiting),) = waiting_roots(state, agrees.trust)
    assert waiting.step.sha256 == hashlib.sha256(data).hexdigest()
    assert waiting.vouching.stands
    assert waiting.step.appointed
    assert len(waiting.step.signed_custodians) == 2
    agree(state, [waiting])
    outcome = agrees.update()
    assert outcome.now == 2
    assert not state.pending()
    with pytest.raises(ConsentNeeded):
        refuses.update()
    assert refuses.version == 1


def test_consent_is_to_one_root_and_no_other(tmp_path: Path) -> None:
    handover = Handover(tmp_path)
    handover.hand_over()
    device = handover.devices[0]
    with pytest.raises(ConsentNeeded):
        device.update()
    state = UpdateState(device.folder)
    ((_, waiting),) = waiting_roots(state, device.trust)
    agree(state, [waiting])
    # The custodians sign yet another successor under the same number.
    repository = handover.repository
    other = repository.root
    other.signed.unrecognized_fields[PUBLISHER_FIELD]["name"] = "Third"
    repository.write_root(other, [*repository.custodians[:2], *handover.successor[:2]])
    with pytest.raises(ConsentNeeded, match="'Third'"):
        device.update()
    assert device.version == 1


def test_every_root_in_between_is_shown(tmp_path: Path) -> None:
    handover = Handover(tmp_path)
    handover.hand_over()
    repository = handover.repository

    def change_back(root: Root) -> None:
        root.unrecognized_fields[PUBLISHER_FIELD]["name"] = "Example"  # a claim, and no more

    root = repository.next_root(change_back)
    repository.write_root(root, handover.successor[:2])
    repository.publish_metadata()
    device = handover.devices[0]
    with pytest.raises(ConsentNeeded) as caught:
        device.update()
    assert caught.value.version == 3
    found = waiting_roots(UpdateState(device.folder), device.trust)
    assert [waiting.step.version for _, waiting in found] == [2, 3]


def test_a_root_that_was_not_logged_is_not_used(tmp_path: Path) -> None:
    handover = Handover(tmp_path)
    repository, device = handover.repository, handover.devices[0]
    root = repository.next_root(lambda root: None)
    repository.write_root(root, repository.root_keys[:2], logged=False)
    repository.add(2)
    repository.publish_metadata()
    outcome = device.update()  # the old root still holds, so the update goes on under it
    assert outcome.now == 2
    assert [waiting.step.version for waiting in outcome.waiting] == [2]
    assert "never announced" in "; ".join(outcome.waiting[0].reasons())


def test_nobody_agrees_to_what_was_not_logged(tmp_path: Path) -> None:
    """It may be shown to this device alone."""
    handover = Handover(tmp_path)
    repository, device = handover.repository, handover.devices[0]
    root = repository.next_root(rename)
    repository.write_root(root, repository.custodians[:2], logged=False)
    repository.publish_metadata()
    device.update()
    ((_, waiting),) = waiting_roots(device.state, device.trust)
    assert waiting.step.appointed
    with pytest.raises(NotVouchedFor, match="never announced"):
        agree(device.state, [waiting])
    assert not device.state.consent().roots


def test_nobody_agrees_to_what_neither_side_signed(tmp_path: Path) -> None:
    handover = Handover(tmp_path)
    repository, device = handover.repository, handover.devices[0]

    def rename_it(root: Root) -> None:
        root.unrecognized_fields[PUBLISHER_FIELD]["name"] = "Thief"

    root = repository.next_root(rename_it)
    repository.write_root(root, [repository.root_keys[0], repository.custodians[0]])
    repository.publish_metadata()
    device.update()
    state = UpdateState(device.folder)
    ((_, waiting),) = waiting_roots(state, device.trust)
    with pytest.raises(MetadataRefused, match="neither"):
        agree(state, [waiting])

"""Keys that change while mirrors lie: routine stays routine, and old keys lose their say."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from receive_samples import NOW, Device, Repository
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Root

from tocsin.transparency.keys import SigningKey
from tocsin.transparency.log import Log
from tocsin.updates.layout import (
    PUBLISHER_FIELD,
    database_name,
    entry_path,
    proof_path,
    root_name,
)
from tocsin.updates.receive.errors import (
    ConsentNeeded,
    MetadataRefused,
    NotVouchedFor,
    StateDamaged,
)
from tocsin.updates.receive.roots import RootKeeper, agree, waiting_roots
from tocsin.updates.statement import (
    DatabasePredicate,
    RootPredicate,
    Statement,
    WithdrawalPredicate,
    sign_statement,
)


class World:
    """A publisher, a device with version 1, and mirrors that tell what they like."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = Repository(folder / "honest")
        self.repository.add(1)
        self.repository.publish_metadata()
        self.device = Device(folder / "state", self.repository)
        self.device.update()

    def rotate(self, role: str) -> tuple[CryptoSigner, bytes]:
        """Replace the key of an online role by routine; what is offered is signed anew.

        Returns:
            The old key, and the root.
        """
        repository, new = self.repository, CryptoSigner.generate_ed25519()
        old = repository.online[role]

        def change(root: Root) -> None:
            root.revoke_key(old.public_key.keyid, role)
            root.add_key(new.public_key, role)

        root = repository.next_root(change)
        repository.online[role] = new
        return old, repository.write_root(root, repository.root_keys[:2])

    def liar(self) -> Path:
        """A mirror that is asked before the honest one."""
        place = self.folder / "liar"
        shutil.copytree(self.repository.folder, place)
        self.device.mirrors = [str(place), str(self.repository.folder)]
        return place


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def damage(place: Path) -> None:
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.write_bytes(data)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# --- a routine root ---------------------------------------------------------------------------


@pytest.mark.parametrize("what", [entry_path, proof_path])
@pytest.mark.parametrize("how", [damage, Path.unlink])
def test_a_garbled_proof_of_a_routine_root_is_that_mirrors_lie(
    world: World, what: Callable[[str], str], how: Callable[[Path], None]
) -> None:
    _, root = world.rotate("timestamp")
    world.repository.add(2)
    world.repository.publish_metadata()
    place = world.liar()
    how(place / what(sha256(root)))
    outcome = world.device.update()
    assert outcome.now == 2
    assert not outcome.waiting
    assert not world.device.state.pending()
    if how is damage:
        (reason,) = outcome.failures.values()
        assert list(outcome.failures) == [f"{place.as_uri()}/"]
        assert "root 2, by which the same publisher goes on, is not used" in reason


def test_who_lacks_half_of_a_proof_answers_for_it_and_not_who_gave_the_other(world: World) -> None:
    _, root = world.rotate("timestamp")
    world.repository.add(2)
    world.repository.publish_metadata()
    place = world.liar()
    damage(place / entry_path(sha256(root)))
    (place / proof_path(sha256(root))).unlink()  # the honest one gives it
    outcome = world.device.update()
    assert outcome.now == 2
    assert list(outcome.failures) == [f"{place.as_uri()}/"]


def test_where_every_mirror_garbles_it_the_root_is_named_and_nothing_waits(world: World) -> None:
    _, root = world.rotate("timestamp")
    world.repository.add(2)
    world.repository.publish_metadata()
    damage(world.repository.folder / proof_path(sha256(root)))
    world.liar()
    before = world.device.snapshot()
    with pytest.raises(
        NotVouchedFor, match=r"root 2, .*is not used: log: .*version 1 stays in use"
    ):
        world.device.update()
    assert world.device.snapshot() == before
    assert not world.device.state.pending()
    last = world.device.state.last_run()
    assert last is not None
    assert last.outcome == "failed"


# --- a root that waits --------------------------------------------------------------------------


def _renamed(root: Root) -> None:
    root.unrecognized_fields[PUBLISHER_FIELD]["name"] = "Successor"


def test_a_successor_is_shown_as_logged_when_any_mirror_has_the_proof(world: World) -> None:
    repository = world.repository
    data = repository.write_root(repository.next_root(_renamed), repository.custodians[:2])
    repository.publish_metadata()
    damage(world.liar() / proof_path(sha256(data)))
    world.device.update()
    ((_, waiting),) = waiting_roots(world.device.state, world.device.trust)
    assert waiting.vouching.stands
    agree(world.device.state, [waiting])


def test_a_root_that_nobody_may_agree_to_stops_no_other_mirror(world: World) -> None:
    """Two root keys and a mirror are stolen; the log's key is not."""
    repository, place = world.repository, world.folder / "liar"
    thief = repository.copied(place)
    thief.online = {role: CryptoSigner.generate_ed25519() for role in thief.online}

    def change(root: Root) -> None:
        _renamed(root)
        for role, signer in thief.online.items():
            root.revoke_key(repository.online[role].public_key.keyid, role)
            root.add_key(signer.public_key, role)

    thief.write_root(thief.next_root(change), thief.root_keys[:2], logged=False)
    thief.publish_metadata()
    repository.add(2)
    repository.publish_metadata()
    world.device.mirrors = [str(place), str(repository.folder)]
    outcome = world.device.update()
    assert outcome.now == 2
    assert list(outcome.failures) == [f"{place.as_uri()}/"]
    assert "never announced" in "; ".join(outcome.waiting[0].reasons())  # it is shown all the same
    world.device.mirrors = [str(place)]
    with pytest.raises(ConsentNeeded):
        world.device.update()
    assert world.device.version == 2


# --- what does not rest on python-tuf -------------------------------------------------------------


def test_nothing_follows_a_root_that_is_not_here(world: World) -> None:
    keeper = RootKeeper(world.device.state, world.device.trust, lambda *_: None, None)
    with pytest.raises(StateDamaged, match="root 2 is missing"):
        keeper.lets_pass(3, world.repository.root_bytes(1))


def test_a_root_whose_predecessor_was_lost_is_not_taken_on_python_tufs_word(world: World) -> None:
    """The file goes while python-tuf has the root in its memory."""
    repository = world.repository
    for _ in range(2):
        repository.write_root(repository.next_root(lambda root: None), repository.root_keys[:2])
    repository.publish_metadata()
    before = world.device.snapshot()
    state = world.device.state
    write = type(state).root_bytes
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            type(state), "root_bytes", lambda self, n: None if n == 2 else write(self, n)
        )
        with pytest.raises(StateDamaged, match="root 2 is missing"):
            world.device.update()
    assert world.device.snapshot() == before
    assert state.root_bytes(3) is None
    (state.metadata / "root_history" / "2.root.json").unlink()
    world.device.update()  # the next run fetches it anew, through the gate
    assert state.root_bytes(2) == repository.root_bytes(2)
    assert state.root_bytes(3) == repository.root_bytes(3)


def test_a_root_of_too_few_is_refused_before_python_tuf_sees_it(world: World) -> None:
    keeper = RootKeeper(world.device.state, world.device.trust, lambda *_: None, None)
    repository = world.repository
    data = repository.write_root(
        repository.next_root(lambda root: None), repository.root_keys[:1], logged=False
    )
    with pytest.raises(MetadataRefused, match="was signed by 1/2 keys"):
        keeper.lets_pass(2, data)


# --- a targets key that was rotated away ----------------------------------------------------------


@pytest.fixture
def rotated(world: World) -> tuple[World, CryptoSigner]:
    """The targets key was stolen and replaced; the device has version 2 and one to go back to."""
    world.repository.add(2)
    world.repository.publish_metadata()
    world.device.update()
    old, _ = world.rotate("targets")
    world.repository.publish_metadata()
    return world, old


def test_a_key_that_was_rotated_away_withdraws_nothing_more(
    rotated: tuple[World, CryptoSigner],
) -> None:
    world, old = rotated
    assert world.device.update().now == 2
    world.repository.log_withdrawal(2, "thief says so", signer=old)
    world.device.forget_looks()
    assert "newest" in world.device.update().choice.why
    fresh = Device(world.folder / "fresh", world.repository)
    assert fresh.update().now == 2
    world.repository.log_withdrawal(2, "flags /bin/ls")  # the key in force
    world.device.forget_looks()
    assert world.device.update().now == 1


def test_what_it_withdrew_while_it_was_in_force_stays_withdrawn(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.repository.add(2)
    world.repository.log_withdrawal(2, "flags /bin/ls")
    world.rotate("targets")
    world.repository.publish_metadata()
    assert not world.device.update().changed
    assert Device(tmp_path / "fresh", world.repository).update().now == 1


def test_a_device_that_slept_through_the_rotation(rotated: tuple[World, CryptoSigner]) -> None:
    world, old = rotated
    world.repository.log_withdrawal(2, "thief says so", signer=old)
    assert "newest" in world.device.update().choice.why  # root and entry come in one run


def test_a_device_that_never_noted_where_roots_are_looks_it_up(
    rotated: tuple[World, CryptoSigner],
) -> None:
    world, old = rotated
    world.device.update()
    state = world.device.state
    state.keep_seen(msgspec.structs.replace(state.seen(), roots={}))
    world.repository.log_withdrawal(2, "thief says so", signer=old)
    world.device.forget_looks()
    assert "newest" in world.device.update().choice.why
    assert [list(places.values()) for places in state.seen().roots.values()] == [[3]]
    state.keep_seen(msgspec.structs.replace(state.seen(), roots={}))
    shutil.rmtree(world.repository.folder / "proofs")  # and where it cannot, they have no say
    world.repository.log_withdrawal(2, "thief says so again", signer=old)
    world.device.forget_looks()
    assert "newest" in world.device.update().choice.why


def test_a_root_that_is_logged_again_later_gives_its_predecessor_no_longer_say(
    rotated: tuple[World, CryptoSigner],
) -> None:
    """The thief has the log's key as well, and a mirror that shows the later entry's proof."""
    world, old = rotated
    repository = world.repository
    repository.log_withdrawal(2, "thief says so", signer=old)
    repository.vouch(root_name(2), repository.root_bytes(2), RootPredicate(2, "whoever"))
    state = world.device.state
    assert "newest" in world.device.update().choice.why
    assert [list(places.values()) for places in state.seen().roots.values()] == [[5]]


def test_a_database_that_a_dropped_key_signed_too_late_is_not_used(
    rotated: tuple[World, CryptoSigner],
) -> None:
    world, old = rotated
    world.repository.add(3, signer=old)
    world.repository.publish_metadata()
    before = world.device.snapshot()
    with pytest.raises(NotVouchedFor, match="a later one dropped them before it was logged"):
        world.device.update()
    assert world.device.snapshot() == before


def test_after_a_succession_the_predecessors_keys_have_no_say_in_the_new_log(
    world: World,
) -> None:
    repository, device = world.repository, world.device
    old, key = repository.online["targets"], SigningKey.generate("new.example/log")
    repository.online = {r: CryptoSigner.generate_ed25519() for r in repository.online}

    def change(root: Root) -> None:
        _renamed(root)
        root.unrecognized_fields[PUBLISHER_FIELD]["log"] = key.verifier.vkey
        for role, signer in repository.online.items():
            for keyid in list(root.roles[role].keyids):
                root.revoke_key(keyid, role)
            root.add_key(signer.public_key, role)

    shutil.rmtree(repository.folder / "log")
    repository.log_key, repository.log = key, Log.init(repository.folder / "log", key)
    repository.write_root(repository.next_root(change), repository.custodians[:2])
    predicate = DatabasePredicate(1, NOW, None, len(repository.plain[1]), (), 1, 1, {})
    repository.vouch(database_name(1), repository.plain[1], predicate)
    repository.log_withdrawal(1, "thief says so", signer=old)
    repository.add(2)
    repository.publish_metadata()
    with pytest.raises(ConsentNeeded):
        device.update()
    agree(device.state, [waiting for _, waiting in waiting_roots(device.state, device.trust)])
    assert device.update().now == 2
    repository.log_withdrawal(2, "thief says so", signer=old)
    device.forget_looks()
    assert "newest" in device.update().choice.why


# --- an entry about no database -------------------------------------------------------------------


@pytest.mark.parametrize("number", [99, 1])
def test_a_withdrawal_of_another_number_with_the_same_digest_ends_in_a_word(
    world: World, number: int
) -> None:
    """A slip of the publisher's, which was found again and again without an end."""
    repository = world.repository
    plain = repository.add(2)
    said = WithdrawalPredicate(number, "slip", NOW)
    statement = Statement(database_name(number), sha256(plain), said)
    entry = sign_statement(statement, [repository.online["targets"]]).to_bytes()
    repository.log.integrate([entry], repository.log_key)
    repository.cosign()
    repository.publish_metadata()
    assert world.device.update().now == 2


def test_a_choice_that_the_log_pulls_back_for_ever_ends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever lets the two places disagree again: the number of rounds is bounded."""
    import tocsin.updates.receive.updater as module

    monkeypatch.setattr(module, "with_logged", lambda offer, *_: offer)
    repository = world.repository
    repository.add(2)
    repository.log_withdrawal(2, "flags /bin/ls")
    repository.publish_metadata()
    before = world.device.snapshot()
    with pytest.raises(NotVouchedFor, match=r"again and again.*version 1 stays in use"):
        world.device.update()
    assert world.device.snapshot() == before

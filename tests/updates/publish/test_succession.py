"""Succession: who may appoint somebody new, and what they take over from a copy that may lie.

python-tuf's own client follows each succession from the first root it was given.
"""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root

from tocsin.transparency.policy import Policy
from tocsin.updates.layout import (
    Publisher,
    database_name,
    entry_path,
    parse_publisher,
    proof_path,
    root_name,
    withdrawal_entry_path,
)
from tocsin.updates.publish.add import add_database, databases
from tocsin.updates.publish.ceremony import (
    draft_rotation,
    finish,
    make_log_key,
    successor_roles,
    write_policy,
)
from tocsin.updates.publish.errors import SignaturesMissing, WorkspaceError
from tocsin.updates.publish.keys import KeyFolder, make_key
from tocsin.updates.publish.metadata import read_published
from tocsin.updates.publish.publication import refresh
from tocsin.updates.publish.roots import Roles, roles_of, sign_draft, with_role
from tocsin.updates.publish.succession import take_over
from tocsin.updates.publish.withdraw import withdraw
from tocsin.updates.publish.workspace import PublisherSettings, Workspace
from tocsin.updates.receive.roots import vouched_root
from tocsin.updates.statement import (
    DatabasePredicate,
    Statement,
    WithdrawalPredicate,
    parse_envelope,
    sign_statement,
)
from updates.publish.publisher_kit import (
    CHEAP,
    ORIGIN,
    World,
    give_away,
    root_1,
    secrets,
    what_readers_see,
)

D = [hashlib.sha256(bytes([n])).hexdigest() for n in range(250)]
THEN = datetime(2026, 1, 1, tzinfo=UTC)


def old_policy(world: World) -> Policy:
    return Policy.parse((world.folder / "trust" / "policy").read_bytes())


def successor(world: World, tmp_path: Path) -> tuple[World, Path]:
    """Somebody new drafts the next root over a copy of the repository."""
    new = World(tmp_path / "successor")
    new.folder.parent.mkdir()
    workspace = Workspace(new.folder)
    workspace.create(PublisherSettings("new.example/log", str(new.keys)), b"quorum none\n")
    new.keys.mkdir()
    session = new.session()
    make_log_key(session, log2_n=CHEAP)
    write_policy(session, b"")
    before = take_over(workspace, world.repository, root_1(world), old_policy(world))
    own = Roles(
        new.role("own-1", "own-2", threshold=2),
        new.role("targets-1"),
        new.role("snapshot-1"),
        new.role("timestamp-1"),
    )
    roles = successor_roles(before, own)
    return new, draft_rotation(session, roles, Publisher("The New Guild")).path


@pytest.fixture
def abandoned(tmp_path) -> tuple[World, KeyFolder]:
    """A publisher with custodians whose own keys are all lost."""
    world = World(tmp_path)
    world.begin(world.role("c-1", "c-2", "c-3", threshold=2))
    add_database(world.session(), world.sources("a", *D[:150]), None)
    custodians = give_away(world, "c-1", "c-2", "c-3")
    for path in world.keys.glob("*.key"):
        path.unlink()
    return world, custodians


def test_custodians_appoint_a_successor_whom_tuf_follows(abandoned, tmp_path) -> None:
    world, custodians = abandoned
    assert what_readers_see(world, tmp_path / "state", root_1(world)) == 1
    new, draft = successor(world, tmp_path)
    with pytest.raises(SignaturesMissing, match="2 more of its custodians"):
        finish(new.session())
    sign_draft(draft, custodians, names=("c-1",))
    with pytest.raises(SignaturesMissing, match="1 more of its custodians"):
        finish(new.session())
    sign_draft(draft, custodians, names=("c-3",))
    finish(new.session())
    assert what_readers_see(new, tmp_path / "state", root_1(world)) == 1
    add_database(new.session(), new.sources("b", *D[5:155]), None)
    assert what_readers_see(new, tmp_path / "state", root_1(world)) == 2
    root = read_published(new.repository).root.signed
    claim = parse_publisher(root.unrecognized_fields)
    assert claim.name == "The New Guild"
    assert claim.log == new.session().log().verifier.vkey
    assert len(claim.custodians.keyids) == 3


def test_one_custodian_and_one_of_the_publishers_keys_are_not_enough(abandoned, tmp_path) -> None:
    """TUF alone would count them together."""
    world, custodians = abandoned
    new, draft = successor(world, tmp_path)
    root_key = make_key(tmp_path / "x", "x", b"a passphrase", log2_n=CHEAP)
    assert root_key  # a stranger's key counts for nothing either
    sign_draft(draft, custodians, names=("c-1",))
    sign_draft(draft, KeyFolder(tmp_path / "x", secrets), names=("x",))
    with pytest.raises(SignaturesMissing, match="1 more of its custodians"):
        finish(new.session())


def test_a_stranger_cannot_succeed(abandoned, tmp_path) -> None:
    world, _ = abandoned
    new, draft = successor(world, tmp_path)
    with pytest.raises(SignaturesMissing):
        finish(new.session())
    shutil.copy(draft, new.repository / "metadata" / "2.root.json")
    with pytest.raises(RepositoryError):
        what_readers_see(new, tmp_path / "state", root_1(world))


def test_what_a_successor_takes_over_is_in_a_log_of_their_own(abandoned, tmp_path) -> None:
    world, custodians = abandoned
    new, draft = successor(world, tmp_path)
    sign_draft(draft, custodians, names=("c-1", "c-2"))
    finish(new.session())
    log = new.session().log()
    assert log.verifier.name != ORIGIN
    names = [parse_envelope(entry).statement.name for entry in log.reader().entries()]
    assert names == [root_name(2), "databases/1.tdb"]


def test_a_copy_that_a_mirror_changed_is_not_taken_over(abandoned, tmp_path) -> None:
    world, _ = abandoned
    (stored,) = world.repository.glob("targets/databases/*")
    data = bytearray(stored.read_bytes())
    data[-1] ^= 1
    stored.write_bytes(data)
    with pytest.raises(WorkspaceError, match="not the file that was signed"):
        successor(world, tmp_path)


# --- a copy that somebody changed ---------------------------------------------------------


def forged(world: World, statement: Statement, path: str) -> str:
    """An entry by a stranger in the copy; gives its path."""
    entry = sign_statement(statement, [CryptoSigner.generate_ed25519()]).to_bytes()
    (world.repository / path).write_bytes(entry)
    return path


def offered(world: World) -> str:
    """SHA-256 of database 1."""
    return databases(read_published(world.repository))[1].sha256


def withdrawal(world: World) -> str:
    sha256 = offered(world)
    said = WithdrawalPredicate(1, "the mirror says so", THEN)
    statement = Statement(database_name(1), sha256, said)
    return forged(world, statement, withdrawal_entry_path(sha256))


def invented(world: World) -> str:
    said = DatabasePredicate(7, THEN, None, 1, (), 0, 0, {})
    statement = Statement(database_name(7), "f" * 64, said)
    return forged(world, statement, entry_path("f" * 64))


def replaced(world: World) -> str:
    """The entry of what is offered, with the same words and a stranger's signature."""
    path = entry_path(offered(world))
    statement = parse_envelope((world.repository / path).read_bytes()).statement
    return forged(world, statement, path)


def unlogged(world: World) -> str:
    path = proof_path(offered(world))
    proof = world.repository / path
    proof.write_bytes(proof.read_bytes().replace(b"index 1", b"index 0"))
    return path


def without_proof(world: World) -> str:
    path = proof_path(offered(world))
    (world.repository / path).unlink()
    return path


def without_entry(world: World) -> str:
    (world.repository / entry_path(offered(world))).unlink()
    return "databases/1.tdb has no log entry"


def under_another_name(world: World) -> str:
    path = entry_path("e" * 64)
    shutil.copy(world.repository / entry_path(offered(world)), world.repository / path)
    shutil.copy(
        world.repository / proof_path(offered(world)), world.repository / proof_path("e" * 64)
    )
    return path


def another_root(world: World) -> str:
    """Whoever may appoint stays, and the mirror's own keys for what is signed daily."""
    path = root_name(2)
    metadata: Metadata[Root] = Metadata.from_bytes(root_1(world))
    metadata.signed.version = 2
    mine = CryptoSigner.generate_ed25519()
    metadata.signed.add_key(mine.public_key, "targets")
    metadata.sign(mine)
    (world.repository / path).write_bytes(metadata.to_bytes())
    return path


def no_entry_at_all(world: World) -> str:
    (world.repository / entry_path("d" * 64)).write_bytes(b"{}")
    return entry_path("d" * 64)


LIES = (
    withdrawal,
    invented,
    replaced,
    unlogged,
    without_proof,
    without_entry,
    under_another_name,
    another_root,
    no_entry_at_all,
)


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_what_a_mirror_put_into_its_copy_is_named_and_not_taken_over(
    abandoned, tmp_path, lie
) -> None:
    world, _ = abandoned
    named = lie(world)
    with pytest.raises(WorkspaceError) as caught:
        successor(world, tmp_path)
    assert named in str(caught.value)
    assert not list((tmp_path / "successor" / "publisher" / "work").glob("heritage*"))


def test_a_copy_is_judged_by_the_policy_that_the_successor_had(abandoned, tmp_path) -> None:
    """The log's key alone, which a mirror might have, is not what witnesses saw."""
    world, _ = abandoned
    stranger = World(tmp_path / "other", witnesses=1, quorum=1)
    lines = old_policy_text(world).replace(b"quorum none", stranger.policy())
    workspace = Workspace(tmp_path / "new")
    workspace.create(PublisherSettings("new.example/log", "keys"), b"quorum none\n")
    with pytest.raises(WorkspaceError, match="quorum is not met"):
        take_over(workspace, world.repository, root_1(world), Policy.parse(lines))


def old_policy_text(world: World) -> bytes:
    return (world.folder / "trust" / "policy").read_bytes()


def test_what_links_lead_to_is_not_copied(abandoned, tmp_path) -> None:
    world, _ = abandoned
    secret = tmp_path / "secret"
    secret.write_text("a secret of this machine")
    (world.repository / "metadata" / "9.targets.json").symlink_to(secret)
    (world.repository / "targets" / "extra").symlink_to(secret)
    new, _ = successor(world, tmp_path)
    copied = [path for path in new.repository.rglob("*") if path.is_file()]
    assert all(b"a secret" not in path.read_bytes() for path in copied)


# --- what stays of the publisher before ---------------------------------------------------


def test_what_was_withdrawn_stays_withdrawn(tmp_path) -> None:
    world = World(tmp_path)
    world.begin(world.role("c-1", "c-2", "c-3", threshold=2))
    for number in (1, 2):
        add_database(world.session(), world.sources("ab"[number - 1], *D[: 150 + number]), None)
    withdraw(world.session(), 2, "flags everything")
    custodians = give_away(world, "c-1", "c-2", "c-3")
    new, draft = successor(world, tmp_path)
    sign_draft(draft, custodians, names=("c-1", "c-2"))
    finish(new.session())
    said = [parse_envelope(e).statement for e in new.session().log().reader().entries()]
    assert said[0].name == root_name(2)
    assert {one.name for one in said[1:]} == {"databases/1.tdb", "databases/2.tdb"}
    assert any(isinstance(one.predicate, WithdrawalPredicate) for one in said)


def test_a_device_that_is_roots_behind_finds_each_root_in_the_log_that_it_knows(tmp_path) -> None:
    """Root 2 was the old publisher's routine: its entry is in their log, and only there."""
    world = World(tmp_path, witnesses=1, quorum=1)
    world.begin(world.role("c-1", "c-2", "c-3", threshold=2))
    policy = old_policy(world)
    add_database(world.session(), world.sources("a", *D[:150]), None)
    roles = roles_of(read_published(world.repository).root.signed)
    draft_rotation(world.session(), with_role(roles, "targets", world.role("targets-2")))
    finish(world.session())
    custodians = give_away(world, "c-1", "c-2", "c-3")
    new, draft = successor(world, tmp_path)
    sign_draft(draft, custodians, names=("c-1", "c-2"))
    finish(new.session())
    new.later(days=1)
    refresh(new.session())  # which renews proofs in the successor's own log
    add_database(new.session(), new.sources("b", *D[5:155]), None)
    first, second = ((new.repository / root_name(n)).read_bytes() for n in (1, 2))
    sha256 = hashlib.sha256(second).hexdigest()
    entry = (new.repository / entry_path(sha256)).read_bytes()
    proof = (new.repository / proof_path(sha256)).read_bytes()
    assert vouched_root(first, second, entry, proof, policy, None).stands
    assert what_readers_see(new, tmp_path / "behind", root_1(world)) == 2


def test_a_successor_who_trusts_a_later_root_keeps_those_before_that_were_logged(tmp_path) -> None:
    world = World(tmp_path)
    world.begin(world.role("c-1", "c-2", "c-3", threshold=2))
    add_database(world.session(), world.sources("a", *D[:150]), None)
    for _ in range(2):
        draft_rotation(world.session())
        finish(world.session())
    invented_root: Metadata[Root] = Metadata.from_bytes(root_1(world))
    invented_root.signed.expires = THEN
    (world.repository / root_name(2)).write_bytes(invented_root.to_bytes())
    workspace = Workspace(tmp_path / "new")
    workspace.create(PublisherSettings("new.example/log", "keys"), b"quorum none\n")
    trusted = (world.repository / root_name(3)).read_bytes()
    assert take_over(workspace, world.repository, trusted, old_policy(world)).version == 3
    kept = sorted(path.name for path in (workspace.repository / "metadata").glob("*.root.json"))
    assert kept == ["1.root.json", "3.root.json"]
    older = hashlib.sha256(root_1(world)).hexdigest()
    assert (workspace.repository / proof_path(older)).is_file()


def test_a_successor_who_changes_keys_vouches_for_what_they_published_themselves(
    abandoned, tmp_path
) -> None:
    """What was taken over is logged anew once, with the root that succeeds, and never again."""
    world, custodians = abandoned
    new, draft = successor(world, tmp_path)
    sign_draft(draft, custodians, names=("c-1", "c-2"))
    finish(new.session())
    add_database(new.session(), new.sources("b", *D[5:155]), None)
    roles = roles_of(read_published(new.repository).root.signed)
    draft_rotation(new.session(), with_role(roles, "targets", new.role("targets-9")))
    finish(new.session())
    assert what_readers_see(new, tmp_path / "fresh", root_1(world)) == 2
    (new.keys / "targets-1.key").unlink()
    assert what_readers_see(new, tmp_path / "fresh", root_1(world)) == 2

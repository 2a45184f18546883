"""Whose keys speak for a repository: the ceremony by several people, rotation, succession.

python-tuf's own client follows every change, from the first root it was given.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Root

from tocsin.updates.layout import Publisher, entry_path, root_name
from tocsin.updates.publish.add import add_database, databases
from tocsin.updates.publish.ceremony import (
    draft_first_root,
    draft_rotation,
    finish,
)
from tocsin.updates.publish.errors import (
    PublishError,
    PublishingKeyError,
    SignaturesMissing,
)
from tocsin.updates.publish.keys import KeyFolder, make_key, read_public_key
from tocsin.updates.publish.metadata import read_published
from tocsin.updates.publish.publication import refresh
from tocsin.updates.publish.roots import (
    RoleKeys,
    describe_draft,
    draft_path,
    merge_signatures,
    roles_of,
    sign_draft,
    with_role,
)
from tocsin.updates.statement import RootPredicate, parse_envelope
from updates.publish.publisher_kit import (
    CHEAP,
    World,
    give_away,
    root_1,
    secrets,
    what_readers_see,
)

D = [hashlib.sha256(bytes([n])).hexdigest() for n in range(250)]


def person(folder: Path, name: str):
    """Somebody with a folder of keys of their own."""
    public = make_key(folder / name, name, b"a passphrase", log2_n=CHEAP)
    return public, KeyFolder(folder / name, secrets)


def state(world: World) -> Path:
    return world.folder.parent / "state"


# --- the ceremony -------------------------------------------------------------------------


def test_a_root_is_signed_by_one_person_after_the_other(tmp_path) -> None:
    world = World(tmp_path)
    session = world.prepare()
    alice, alices = person(tmp_path, "alice")
    bob, bobs = person(tmp_path, "bob")
    roles = with_role(world.roles(), "root", RoleKeys((alice.key, bob.key), 2))
    drafted = draft_first_root(session, roles, Publisher("Guild"))
    assert drafted.signed == ()
    with pytest.raises(SignaturesMissing, match="needs 2 more"):
        finish(session)
    assert not (world.repository / "metadata").exists()
    sign_draft(drafted.path, alices)
    with pytest.raises(SignaturesMissing, match="needs 1 more") as caught:
        finish(session)
    assert caught.value.missing == {"the new root": (bob.keyid,)}
    sign_draft(drafted.path, bobs)
    assert finish(session).what == "root 1"
    assert what_readers_see(world, state(world), root_1(world)) == 0


def test_copies_of_a_draft_that_were_signed_apart_are_merged(tmp_path) -> None:
    world = World(tmp_path)
    session = world.prepare()
    alice, alices = person(tmp_path, "alice")
    bob, bobs = person(tmp_path, "bob")
    roles = with_role(world.roles(), "root", RoleKeys((alice.key, bob.key), 2))
    draft = draft_first_root(session, roles, Publisher("Guild")).path
    copies = [tmp_path / "a.json", tmp_path / "b.json"]
    for copy, keys in zip(copies, (alices, bobs), strict=True):
        shutil.copy(draft, copy)
        sign_draft(copy, keys)
    assert merge_signatures(draft, copies) == 2
    finish(session)
    other = tmp_path / "other.json"
    metadata = Metadata.from_file(str(copies[0]))
    metadata.signed.version = 9
    metadata.to_file(str(other))
    with pytest.raises(PublishError, match="another root"):
        merge_signatures(copies[0], [other])


def test_a_forged_signature_on_a_draft_does_not_count(tmp_path) -> None:
    world = World(tmp_path)
    session = world.prepare()
    alice, alices = person(tmp_path, "alice")
    bob, _ = person(tmp_path, "bob")
    roles = with_role(world.roles(), "root", RoleKeys((alice.key, bob.key), 2))
    draft = draft_first_root(session, roles, Publisher("Guild")).path
    sign_draft(draft, alices)
    metadata = Metadata.from_file(str(draft))
    forged = metadata.signatures[alice.keyid].to_dict() | {"keyid": bob.keyid}
    metadata.signatures[bob.keyid] = type(metadata.signatures[alice.keyid]).from_dict(forged)
    metadata.to_file(str(draft))
    with pytest.raises(SignaturesMissing, match="needs 1 more"):
        finish(session)


def test_the_root_is_the_logs_first_entry(tmp_path) -> None:
    world = World(tmp_path).begin()
    log = world.session().log()
    entry = parse_envelope(log.reader().entry(0))
    assert entry.statement.name == root_name(1)
    assert entry.statement.sha256 == hashlib.sha256(root_1(world)).hexdigest()
    assert entry.statement.predicate == RootPredicate(1, "The Example Guild")
    assert (world.repository / entry_path(entry.statement.sha256)).exists()


def test_the_draft_is_shown_to_who_signs(tmp_path) -> None:
    world = World(tmp_path)
    session = world.prepare()
    custodians = world.role("c-1", "c-2", "c-3", threshold=2)
    draft = draft_first_root(session, world.roles(custodians), Publisher("Guild", "mail")).path
    lines = describe_draft(draft)
    assert "Publisher: Guild mail" in lines
    assert "custodians: 2 of 3" in lines
    assert f"  {world.key('root-1').keyid}" in lines


@pytest.mark.parametrize(
    ("threshold", "custodians", "says"),
    [(4, None, "threshold"), (2, 1, "at least 2"), (0, None, "threshold"), (2, 4, "threshold")],
)
def test_thresholds_that_make_no_sense_are_refused(tmp_path, threshold, custodians, says) -> None:
    world = World(tmp_path)
    session = world.prepare()
    roles = world.roles(
        None if custodians is None else world.role("c-1", "c-2", threshold=custodians)
    )
    names = tuple(key for key in roles.root.keys)
    with pytest.raises(PublishError, match=says):
        draft_first_root(
            session, with_role(roles, "root", RoleKeys(names, threshold)), Publisher("Guild")
        )


# --- rotation -----------------------------------------------------------------------------


@pytest.mark.parametrize("old_key_is_there", [True, False])
@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "root"])
def test_readers_follow_a_rotation(tmp_path, role: str, old_key_is_there: bool) -> None:
    """Whether they come for the first time, or from before; and the old key signs no more."""
    world = World(tmp_path, witnesses=1, quorum=1).begin()
    add_database(world.session(), world.sources("a", *D[:150]), None)
    assert what_readers_see(world, state(world), root_1(world)) == 1
    session = world.session()
    roles = roles_of(read_published(world.repository).root.signed)
    if role == "root":
        new = world.role("root-2", "root-3", "root-4", threshold=2)
    else:
        new = world.role(f"{role}-2")
    if not old_key_is_there:
        (world.keys / f"{role}-1.key").unlink()
    draft_rotation(session, with_role(roles, role, new))
    finish(session)
    assert what_readers_see(world, state(world), root_1(world)) == 1
    assert what_readers_see(world, tmp_path / "fresh", root_1(world)) == 1
    newest = read_published(world.repository).root.signed
    assert newest.version == 2
    assert sorted(newest.roles[role].keyids) == new.keyids
    world.later(days=1)
    refresh(world.session())
    add_database(world.session(), world.sources("b", *D[5:155]), None)
    assert what_readers_see(world, state(world), root_1(world)) == 2


def test_a_reader_with_the_old_root_only_still_reads_while_keys_change(tmp_path) -> None:
    """What is shown just before the new root is valid under the old one as well."""
    world = World(tmp_path).begin()
    add_database(world.session(), world.sources("a", *D[:150]), None)
    roles = roles_of(read_published(world.repository).root.signed)
    for role in ("timestamp", "snapshot", "targets"):
        roles = with_role(roles, role, world.role(f"{role}-2"))
    draft_rotation(world.session(), roles)
    finish(world.session())
    hidden = world.repository / "metadata" / "2.root.json"
    hidden.rename(world.folder / "hidden")
    assert what_readers_see(world, state(world), root_1(world)) == 1
    (world.folder / "hidden").rename(hidden)
    assert what_readers_see(world, state(world), root_1(world)) == 1


def test_a_stolen_timestamp_key_signs_nothing_after_its_rotation(tmp_path) -> None:
    world = World(tmp_path).begin()
    roles = roles_of(read_published(world.repository).root.signed)
    draft_rotation(world.session(), with_role(roles, "timestamp", world.role("timestamp-2")))
    finish(world.session())
    for path in world.keys.glob("timestamp-2.*"):
        path.unlink()
    with pytest.raises(PublishingKeyError, match="timestamp"):
        refresh(world.session())


def test_new_targets_keys_vouch_for_what_is_still_offered(tmp_path) -> None:
    world = World(tmp_path, witnesses=1, quorum=1).begin()
    add_database(world.session(), world.sources("a", *D[:150]), None)
    roles = roles_of(read_published(world.repository).root.signed)
    draft_rotation(world.session(), with_role(roles, "targets", world.role("targets-2")))
    finish(world.session())
    custom = databases(read_published(world.repository))[1]
    entry = parse_envelope((world.repository / entry_path(custom.sha256)).read_bytes())
    assert world.key("targets-2").keyid in {one.keyid for one in entry.signatures}
    assert world.session().log().published().head.size == 4  # root, database, root, database


def test_a_rotation_needs_the_old_threshold(tmp_path) -> None:
    world = World(tmp_path).begin()
    away = give_away(world, "root-1", "root-2")
    drafted = draft_rotation(world.session())
    with pytest.raises(SignaturesMissing, match="the root before needs 1 more"):
        finish(world.session())
    sign_draft(drafted.path, away, names=("root-1",))
    finish(world.session())
    assert read_published(world.repository).root.signed.version == 2


def test_a_draft_that_was_overtaken_is_no_draft(tmp_path) -> None:
    world = World(tmp_path).begin()
    session = world.session()
    draft_rotation(session)
    kept = world.folder / "kept"
    shutil.copy(draft_path(session), kept)
    finish(session)
    shutil.copy(kept, session.workspace.draft_folder / "2.root.json")
    assert draft_path(world.session()) is None


# --- keys ---------------------------------------------------------------------------------


def test_a_public_key_that_was_altered_is_refused(tmp_path) -> None:
    public = make_key(tmp_path, "a", b"a passphrase", log2_n=CHEAP)
    other = make_key(tmp_path, "b", b"a passphrase", log2_n=CHEAP)
    text = public.path.read_text()
    public.path.write_text(text.replace(public.keyid, other.keyid))
    with pytest.raises(PublishingKeyError, match="altered"):
        read_public_key(public.path)
    metadata = Metadata(Root())
    assert metadata.signed.version == 1

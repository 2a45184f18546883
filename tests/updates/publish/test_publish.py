"""A publication end to end: what a stranger's TUF client and log verifier make of the folder."""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import timedelta

import pytest

from tocsin.transparency.fsck import fsck
from tocsin.updates.delta import Digest, apply_delta
from tocsin.updates.layout import (
    MOST_WITHDRAWN,
    DeltaTarget,
    Withdrawn,
    database_target,
    delta_target,
    entry_path,
    parse_custom,
    parse_withdrawn,
    withdrawal_entry_path,
    write_withdrawn,
)
from tocsin.updates.publish.add import (
    Validation,
    add_database,
    databases,
    plain_database,
)
from tocsin.updates.publish.ceremony import abandon, finish
from tocsin.updates.publish.errors import (
    PublishError,
    QuorumNotMet,
    SourceRefused,
    ValidationFailed,
    WorkspaceError,
)
from tocsin.updates.publish.metadata import read_published, to_bytes
from tocsin.updates.publish.publication import complete, refresh
from tocsin.updates.publish.status import publisher_status
from tocsin.updates.publish.withdraw import withdraw
from tocsin.updates.statement import DatabasePredicate, WithdrawalPredicate, parse_envelope
from updates.publish.publisher_kit import MemoryWitness, World, what_readers_see

D = [hashlib.sha256(bytes([n])).hexdigest() for n in range(250)]


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> World:
    """Two databases by a publisher with a quorum of two in three witnesses."""
    world = World(tmp_path_factory.mktemp("world"), witnesses=3, quorum=2).begin()
    add_database(world.session(), world.sources("a", *D[:150]), None)
    world.later(days=1)
    add_database(world.session(), world.sources("b", *D[5:155]), None)
    return world


@pytest.fixture
def world(published: World, tmp_path) -> World:
    """A copy of it to do with as a test likes."""
    copy = World(tmp_path, witnesses=0)
    shutil.copytree(published.folder, copy.folder)
    shutil.copytree(published.keys, copy.keys)
    copy.now, copy.made, copy.quorum = published.now, published.made, published.quorum
    for old in published.witnesses:
        witness = MemoryWitness.__new__(MemoryWitness)
        witness.__dict__.update(old.__dict__)
        witness.seen, witness.logs = dict(old.seen), dict(old.logs)
        copy.witnesses.append(witness)
    session = copy.session(keys=copy.keys)
    session.workspace.save_settings(
        type(session.settings)("example.org/log", str(copy.keys), keep=3, deltas=2)
    )
    return copy


def first_root(world: World) -> bytes:
    return (world.repository / "metadata" / "1.root.json").read_bytes()


def seen(world: World) -> int:
    state = world.folder.parent / "state"
    shutil.rmtree(state, ignore_errors=True)
    return what_readers_see(world, state, first_root(world))


def log_is_whole(world: World) -> None:
    log = world.session().log()
    assert fsck(log.folder, log.published().head).clean


# --- what is published --------------------------------------------------------------------


def test_readers_find_the_newest_database_and_can_verify_it(published: World, tmp_path) -> None:
    assert what_readers_see(published, tmp_path, first_root(published)) == 2


def test_the_entry_says_what_changed_and_where_it_came_from(published: World) -> None:
    custom = databases(read_published(published.repository))[2]
    entry = (published.repository / entry_path(custom.sha256)).read_bytes()
    predicate = parse_envelope(entry).statement.predicate
    assert isinstance(predicate, DatabasePredicate)
    assert (predicate.version, predicate.added, predicate.removed) == (2, 5, 5)
    assert predicate.previous.sha256 == databases(read_published(published.repository))[1].sha256
    assert predicate.counts == {"file-digest": 150}
    assert predicate.size == custom.length
    (source,) = predicate.sources
    assert (source.name, source.uri) == ("test.hsb", "https://example.org/test.hsb")


def test_the_delta_leads_from_the_old_database_to_the_new(published: World, tmp_path) -> None:
    session = published.session()
    current = read_published(published.repository)
    target = current.target_files[delta_target(1, 2)]
    custom = parse_custom(target.custom)
    assert isinstance(custom, DeltaTarget)
    stored = published.repository / f"targets/deltas/{target.hashes['sha256']}.1-2.delta"
    old = plain_database(session, current, 1, tmp_path / "1.tdb")
    new = databases(current)[2]
    apply_delta(old, stored, tmp_path / "2.tdb", expected=Digest(new.sha256, new.length))
    assert hashlib.sha256(old.read_bytes()).hexdigest() == custom.from_sha256
    assert custom.to_sha256 == new.sha256


def test_channels_begin_after_their_delays(published: World) -> None:
    custom = databases(read_published(published.repository))[2]
    assert custom.channels["fast"] == published.now
    assert custom.channels["stable"] == published.now + timedelta(days=1)
    assert custom.rings == ((5, 0), (25, 7200), (100, 21600))


def test_the_log_is_whole(published: World) -> None:
    assert published.session().log().published().head.size == 3
    log_is_whole(published)


def test_the_same_sources_again_publish_nothing(world: World) -> None:
    before = (world.repository / "metadata" / "timestamp.json").read_bytes()
    added = add_database(world.session(), world.sources("b", *D[5:155]), None)
    assert (added.version, added.completed) == (2, None)
    assert (world.repository / "metadata" / "timestamp.json").read_bytes() == before


def test_old_databases_and_their_deltas_go(world: World) -> None:
    for number in range(3, 7):
        world.later(days=1)
        add_database(world.session(), world.sources(f"n{number}", *D[number : number + 150]), None)
    current = read_published(world.repository)
    assert sorted(databases(current)) == [4, 5, 6]
    named = {
        custom.to_version
        for t in current.target_files.values()
        if isinstance(custom := parse_custom(t.custom), DeltaTarget)
    }
    assert named == {4, 5, 6}
    stored = {path.name.split(".", 1)[1] for path in world.repository.glob("targets/*/*")}
    assert "6.tdb.zst" in stored
    assert "1.tdb.zst" not in stored
    assert len(list((world.repository / "proofs").glob("*.entry"))) < 8
    assert seen(world) == 6


# --- what is refused ----------------------------------------------------------------------


def test_a_source_with_another_digest_is_refused(world: World) -> None:
    pinned = world.sources("c", *D[:3])
    pinned.with_suffix(".hsb").write_text("something else\n")
    with pytest.raises(SourceRefused, match="was pinned to"):
        add_database(world.session(), pinned, None)
    assert seen(world) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "source"),
        ("[[source]]\nname='../x.hsb'\nsha256='" + "0" * 64 + "'\npath='x'\n", "file name"),
        ("[[source]]\nname='x.hsb'\nsha256='00'\npath='x'\n", "sha256"),
        ("[[source]]\nname='x.hsb'\nsha256='" + "0" * 64 + "'\n", "uri or path"),
        ("[[source]]\nname='x.hsb'\nsha256='" + "0" * 64 + "'\nuri='file:///etc'\n", "https"),
        ("[[source]]\nnamed='x'\n", "named"),
        (
            ("[[source]]\nname='x.hsb'\nsha256='" + "0" * 64 + "'\npath='x'\n") * 2,
            "twice",
        ),
    ],
)
def test_a_malformed_file_of_sources_is_refused_with_the_reason(
    published: World, tmp_path, text: str, says: str
) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(text)
    with pytest.raises(SourceRefused, match=says):
        add_database(published.session(), path, None)


@pytest.mark.parametrize(("flagged", "missed"), [(("ls",), ()), ((), ("virus",))])
def test_a_database_that_fails_its_test_is_not_published(world: World, flagged, missed) -> None:
    size = world.session().log().newest().head.size
    with pytest.raises(ValidationFailed):
        add_database(
            world.session(),
            world.sources("c", *D[10:160]),
            lambda _path: Validation(1, 1, flagged, missed),
        )
    assert world.session().log().newest().head.size == size
    assert seen(world) == 2


def test_two_publishers_at_once_are_refused(world: World) -> None:
    with (
        world.session().workspace.locked(),
        pytest.raises(WorkspaceError, match="another process"),
        world.session().workspace.locked(),
    ):
        pass


# --- witnesses ----------------------------------------------------------------------------


def test_without_a_quorum_readers_see_nothing_and_later_it_goes_on(world: World) -> None:
    world.witnesses[0].down = world.witnesses[1].down = True
    with pytest.raises(QuorumNotMet, match="w0 does not answer") as caught:
        add_database(world.session(), world.sources("c", *D[10:160]), None)
    assert caught.value.answers["w2"] == "cosigned"
    assert seen(world) == 2
    assert any("staged" in words for words in publisher_status(world.session()).warnings)
    world.witnesses[0].down = False
    assert finish(world.session()).what == "database 3"
    assert seen(world) == 3


def test_a_witness_that_others_brought_further_is_asked_from_there(world: World) -> None:
    world.session().workspace.witnesses_path.unlink()
    add_database(world.session(), world.sources("c", *D[10:160]), None)
    assert seen(world) == 3


def test_a_witness_that_does_not_know_the_log_is_named(world: World) -> None:
    for witness in world.witnesses[:2]:
        witness.logs.clear()
    with pytest.raises(QuorumNotMet, match="does not know this log"):
        add_database(world.session(), world.sources("c", *D[10:160]), None)


def test_a_cosignature_by_another_key_does_not_count(world: World) -> None:
    for witness in world.witnesses[:2]:
        witness.key = MemoryWitness(witness.key.verifier.name).key
    with pytest.raises(QuorumNotMet, match=r"another key|something else"):
        add_database(world.session(), world.sources("c", *D[10:160]), None)


def test_a_log_that_was_set_back_is_not_cosigned_and_said(world: World) -> None:
    backup = world.folder.parent / "backup"
    shutil.copytree(world.folder, backup)
    add_database(world.session(), world.sources("c", *D[10:160]), None)
    shutil.rmtree(world.folder)
    shutil.copytree(backup, world.folder)
    with pytest.raises(QuorumNotMet, match=r"does not continue|set back|another size"):
        add_database(world.session(), world.sources("d", *D[20:170]), None)


def test_giving_up_leaves_readers_what_they_had(world: World) -> None:
    world.witnesses[0].down = world.witnesses[1].down = True
    with pytest.raises(QuorumNotMet):
        add_database(world.session(), world.sources("c", *D[10:160]), None)
    assert abandon(world.session().workspace) == ("what was staged",)
    for witness in world.witnesses:
        witness.down = False
    add_database(world.session(), world.sources("d", *D[20:170]), None)
    assert seen(world) == 3


def test_refreshing_renews_timestamp_and_cosignatures_only(world: World) -> None:
    before = read_published(world.repository)
    world.later(days=2)
    refresh(world.session())
    after = read_published(world.repository)
    assert after.timestamp.signed.version == before.timestamp.signed.version + 1
    assert after.timestamp.signed.expires == world.now + timedelta(days=3)
    assert after.snapshot.signed.version == before.snapshot.signed.version
    status = publisher_status(world.session())
    assert all(one.cosigned == world.now for one in status.witnesses)
    assert not status.warnings
    assert seen(world) == 2


def test_refreshing_renews_a_snapshot_that_is_half_over(world: World) -> None:
    before = read_published(world.repository).snapshot.signed.version
    world.later(days=8)
    refresh(world.session())
    assert read_published(world.repository).snapshot.signed.version == before + 1


# --- withdrawing --------------------------------------------------------------------------


def test_a_withdrawn_version_is_offered_no_more_and_logged(world: World) -> None:
    digest = databases(read_published(world.repository))[2].sha256
    withdraw(world.session(), 2, "flags /bin/ls")
    current = read_published(world.repository)
    assert sorted(databases(current)) == [1]
    assert delta_target(1, 2) not in current.target_files
    (one,) = parse_withdrawn(current.targets.signed.unrecognized_fields)
    assert (one.version, one.reason) == (2, "flags /bin/ls")
    entry = (world.repository / withdrawal_entry_path(digest)).read_bytes()
    assert isinstance(parse_envelope(entry).statement.predicate, WithdrawalPredicate)
    assert seen(world) == 1


def test_the_next_version_never_takes_a_withdrawn_number_or_content(world: World) -> None:
    withdraw(world.session(), 2, "flags /bin/ls")
    with pytest.raises(PublishError, match="was withdrawn"):
        add_database(world.session(), world.sources("b", *D[5:155]), None)
    added = add_database(world.session(), world.sources("c", *D[10:160]), None)
    assert added.version == 3
    custom = databases(read_published(world.repository))[3]
    entry = parse_envelope((world.repository / entry_path(custom.sha256)).read_bytes())
    assert entry.statement.predicate.previous.version == 1
    withdrawn = read_published(world.repository).targets.signed.unrecognized_fields
    assert parse_withdrawn(withdrawn)[0].version == 2


def test_one_withdrawal_more_than_devices_read_is_not_listed_but_logged(world: World) -> None:
    current = read_published(world.repository).targets
    many = [Withdrawn(n, "a bad day", world.now) for n in range(101, 101 + MOST_WITHDRAWN)]
    current.signed.unrecognized_fields["x-tocsin"] = write_withdrawn(tuple(many))
    metadata = world.repository / "metadata" / f"{current.signed.version}.targets.json"
    metadata.write_bytes(current.to_bytes())
    withdraw(world.session(), 2, "flags /bin/ls")
    fields = read_published(world.repository).targets.signed.unrecognized_fields
    withdrawn = parse_withdrawn(fields)
    assert len(withdrawn) == MOST_WITHDRAWN
    assert {one.version for one in withdrawn} == {2, *range(102, 101 + MOST_WITHDRAWN)}
    assert seen(world) == 1


def test_metadata_that_no_device_would_take_is_not_published(world: World) -> None:
    current = read_published(world.repository).targets
    many = [Withdrawn(n, "ü" * 1_024, world.now) for n in range(1_001, 1_806)]  # 6 kB each in JSON
    current.signed.unrecognized_fields["x-tocsin"] = write_withdrawn(tuple(many))
    assert 4_994_000 < len(to_bytes(current)) < 5_000_000
    metadata = world.repository / "metadata" / f"{current.signed.version}.targets.json"
    metadata.write_bytes(to_bytes(current))
    shown = (world.repository / "metadata" / "timestamp.json").read_bytes()
    with pytest.raises(PublishError, match="devices take 5,000,000"):
        withdraw(world.session(), 2, "ü" * 1_024)
    assert (world.repository / "metadata" / "timestamp.json").read_bytes() == shown


@pytest.mark.parametrize(("version", "reason"), [(9, "why"), (2, " "), (2, "x" * 2000)])
def test_what_cannot_be_withdrawn_is_refused(world: World, version: int, reason: str) -> None:
    with pytest.raises(PublishError):
        withdraw(world.session(), version, reason)


# --- killed anywhere ----------------------------------------------------------------------


def killed_at(world: World, step: int) -> bool:
    """Publish database 3 in a child that dies before its step-th change of a name.

    Returns:
        Whether it died; False when it had fewer steps.
    """
    child = os.fork()
    if child == 0:
        count = 0
        try:

            def counting(function):
                def call(*arguments, **named):
                    nonlocal count
                    count += 1
                    if count > step:
                        os._exit(9)
                    return function(*arguments, **named)

                return call

            for name in ("replace", "rename", "link", "unlink"):
                setattr(os, name, counting(getattr(os, name)))
            add_database(world.session(), world.sources("c", *D[10:160]), None)
            os._exit(0)
        except BaseException:
            os._exit(7)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9)
    return status == 9


def test_killed_anywhere_readers_see_old_or_new_and_the_next_run_goes_on(world: World) -> None:
    """The steps are every file that gets its name or loses it, the log's included."""
    stride = 1 if "TOCSIN_EVERY_STEP" in os.environ else 4
    start = world.folder.parent / "start"
    shutil.copytree(world.folder, start)
    seen_by_step = []
    step = 0
    while True:
        if not killed_at(world, step):
            break
        seen_by_step.append(seen(world))
        witnesses = [dict(witness.seen) for witness in world.witnesses]
        if step % 8 == 0 or stride == 1:
            if complete(world.session()) is None:
                add_database(world.session(), world.sources("c", *D[10:160]), None)
            assert seen(world) == 3
            log_is_whole(world)
            assert world.session().log().published().head.size == 4
        for witness, before in zip(world.witnesses, witnesses, strict=True):
            witness.seen = before
        shutil.rmtree(world.folder)
        shutil.copytree(start, world.folder)
        step += stride
    assert step > 60
    assert set(seen_by_step) == {2, 3}
    assert seen_by_step == sorted(seen_by_step)


def test_a_database_target_is_named_as_the_layout_says(published: World) -> None:
    current = read_published(published.repository)
    target = current.target_files[database_target(2)]
    stored = published.repository / f"targets/databases/{target.hashes['sha256']}.2.tdb.zst"
    assert stored.stat().st_mode & 0o777 == 0o644
    assert hashlib.sha256(stored.read_bytes()).hexdigest() == target.hashes["sha256"]

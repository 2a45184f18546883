"""`tocsin publish rings`: who gets a version when, changed after the fact."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.updates.errors import LayoutError
from tocsin.updates.publish.add import add_database, databases
from tocsin.updates.publish.errors import PublishError
from tocsin.updates.publish.metadata import read_published
from tocsin.updates.publish.spread import change_spread
from updates.publish.publisher_kit import World, what_readers_see

DIGEST = "ab" * 32


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path, witnesses=1, quorum=1).begin()
    add_database(made.session(), made.sources("a", DIGEST), None)
    return made


def offered(world: World):
    return databases(read_published(world.repository))[1]


def test_a_version_may_come_sooner_and_all_at_once(world: World, tmp_path: Path) -> None:
    before = offered(world)
    world.later(hours=1)
    change_spread(world.session(), 1, channels={"stable": 0}, rings=())
    after = offered(world)
    assert after.channels == {"fast": before.channels["fast"], "stable": world.now}
    assert after.rings == ()
    root = (world.folder / "trust" / "root.json").read_bytes()
    assert what_readers_see(world, tmp_path / "reader", root) == 1


def test_a_channel_may_be_left_out_and_others_stay(world: World) -> None:
    before = offered(world)
    change_spread(world.session(), 1, channels={"stable": None}, rings=None)
    assert offered(world).channels == {"fast": before.channels["fast"]}
    assert offered(world).rings == before.rings
    change_spread(world.session(), 1, channels={"stable": 60}, rings=((1, 0), (100, 60)))
    assert offered(world).channels["stable"] == world.now + timedelta(minutes=1)


def test_what_makes_no_sense_changes_nothing(world: World) -> None:
    before = offered(world)
    with pytest.raises(PublishError, match="not offered"):
        change_spread(world.session(), 2, channels={"stable": 0}, rings=None)
    with pytest.raises(PublishError, match="no channel beta"):
        change_spread(world.session(), 1, channels={"beta": 0}, rings=None)
    with pytest.raises(LayoutError, match="100 percent"):
        change_spread(world.session(), 1, channels={}, rings=((5, 0),))
    with pytest.raises(PublishError, match="already"):
        change_spread(world.session(), 1, channels={}, rings=before.rings)
    assert offered(world) == before


def test_the_log_stays_as_it_is_so_no_witness_is_needed(world: World) -> None:
    size = world.session().log().newest().head.size
    world.witnesses[0].down = True
    assert change_spread(world.session(), 1, channels={}, rings=()).log_size == size
    assert offered(world).rings == ()


def test_by_command(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from tocsin.cli.publish import command
    from tocsin.errors import UsageError

    monkeypatch.setenv("TOCSIN_PASSPHRASE", "a passphrase")
    world.witnesses[0].down = True  # it is not reached from here; its word is there already
    monkeypatch.setattr(
        "tocsin.updates.publish.session.Session.open.__func__.__kwdefaults__",
        {"keys": None, "post": world.post, "progress": None},
    )

    def call(*arguments: str):
        return CliRunner().invoke(command, ["rings", str(world.folder), *arguments])

    done = call("1", "--stable-after", "0", "--all-at-once", "--json")
    assert done.exit_code == 0, done.output + repr(done.exception)
    assert offered(world).rings == ()
    assert isinstance(call("1").exception, UsageError)
    assert isinstance(call("x", "--all-at-once").exception, UsageError)
    assert isinstance(call("9.9", "--release", "--all-at-once").exception, PublishError)

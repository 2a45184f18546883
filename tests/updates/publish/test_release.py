"""Releases: every wheel that is needed, each looked into, one manifest that is logged."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from tocsin.updates.layout import (
    ReleaseTarget,
    entry_path,
    parse_custom,
    release_manifest_target,
    wheel_target,
)
from tocsin.updates.publish.errors import PublishError
from tocsin.updates.publish.metadata import read_published
from tocsin.updates.publish.release import publish_release
from tocsin.updates.statement import ReleasePredicate, parse_envelope
from updates.publish.publisher_kit import Reader, World
from updates.wheel_samples import make_wheel as wheel


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    return World(tmp_path_factory.mktemp("world"), witnesses=1, quorum=1).begin()


@pytest.fixture
def wheels(tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel(folder, "click", "8.1")
    wheel(folder, "Some_Thing", "2.0", "click>=8")
    return folder


def test_a_reader_finds_every_wheel_of_the_logged_manifest(world: World, wheels, tmp_path) -> None:
    own = wheel(wheels, "tocsin", "1.0", "click>=8.1,<9", "some-thing", "atheris; extra == 'dev'")
    released = publish_release(world.session(), wheels)
    assert released.version == "1.0"
    root = (world.repository / "metadata" / "1.root.json").read_bytes()
    updater = Reader(world.repository, tmp_path / "state", root).refreshed(world.now)
    info = updater.get_targetinfo(release_manifest_target("1.0"))
    custom = parse_custom(info.custom)
    assert isinstance(custom, ReleaseTarget)
    manifest = open(updater.download_target(info), "rb").read()  # noqa: SIM115
    assert hashlib.sha256(manifest).hexdigest() == custom.sha256 == released.sha256
    said = msgspec.json.decode(manifest, type=ReleasePredicate)
    entry = parse_envelope((world.repository / entry_path(custom.sha256)).read_bytes())
    assert entry.statement.predicate == said
    assert [one.name for one in said.wheels] == sorted(path.name for path in wheels.iterdir())
    for one in said.wheels:
        found = updater.get_targetinfo(wheel_target("1.0", one.name))
        data = open(updater.download_target(found), "rb").read()  # noqa: SIM115
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (one.sha256, one.size)
    assert own.exists()
    assert own.stat().st_nlink == 1  # the publisher's own file is nowhere else
    with pytest.raises(PublishError, match="already"):
        publish_release(world.session(), wheels)


def test_old_releases_go(world: World, wheels) -> None:
    for number in range(2, 6):
        path = wheel(wheels, "tocsin", f"1.{number}", "some.thing")
        publish_release(world.session(), wheels)
        path.unlink()
    files = read_published(world.repository).target_files
    offered = {name.split("/")[1] for name in files if name.startswith("releases/")}
    assert offered == {"1.3", "1.4", "1.5"}


def test_a_missing_wheel_is_named(world: World, wheels) -> None:
    wheel(wheels, "tocsin", "2.0", "click", "not.there>=1")
    with pytest.raises(PublishError, match="no wheel of not-there"):
        publish_release(world.session(), wheels)


def test_a_set_without_the_software_is_refused(world: World, wheels) -> None:
    with pytest.raises(PublishError, match="one wheel of tocsin"):
        publish_release(world.session(), wheels)


def test_a_wheel_of_another_name_is_refused(world: World, wheels) -> None:
    wheel(wheels, "tocsin", "2.0", stated="other")
    with pytest.raises(PublishError, match="in it is other"):
        publish_release(world.session(), wheels)


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "name"])
def test_a_damaged_wheel_is_refused(world: World, wheels, damage: str) -> None:
    path = wheel(wheels, "tocsin", "2.0")
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[:-40])
    elif damage == "flipped":
        data[50] ^= 1  # in the first file's compressed bytes
        path.write_bytes(data)
    elif damage == "text":
        path.write_text("not a wheel")
    else:
        path.rename(wheels / "tocsin.whl")
    with pytest.raises(PublishError):
        publish_release(world.session(), wheels)

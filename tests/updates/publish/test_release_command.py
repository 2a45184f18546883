"""`tocsin publish release` and `init` as people call them: whole, or as if it had not been."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tocsin.updates.layout import release_manifest_target
from tocsin.updates.publish.metadata import read_published
from updates.publish.test_command import _cheap, begin, call  # noqa: F401 - a fixture
from updates.wheel_samples import make_wheel


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "wheels").mkdir()
    return tmp_path


def test_a_release_is_published_with_the_machines_it_is_for(place: Path) -> None:
    begin(place)
    make_wheel(place / "wheels", "tocsin", "1.0", "helper>=1")
    make_wheel(place / "wheels", "helper", "1.2", tag="cp311-cp311-manylinux_2_28_x86_64")
    said = call("release", place / "pub", place / "wheels", "--ring", "100:0")
    assert "Release 1.0: 2 wheels" in said
    assert "whole for cpython 3.11 on linux x86_64" in said
    files = read_published(place / "pub" / "repository").target_files
    custom = files[release_manifest_target("1.0")].custom
    assert custom is not None
    assert custom["rings"] == [[100, 0]]
    assert "Releases   1.0" in call("status", place / "pub")
    (place / "wheels" / "tocsin-1.0-py3-none-any.whl").unlink()
    make_wheel(place / "wheels", "tocsin", "1.1", "helper>=1")
    said = json.loads(call("release", place / "pub", place / "wheels", "--json"))
    assert said["version"] == "1.1"
    assert said["machines"] == ["cpython 3.11 on linux x86_64"]
    assert len(said["wheels"]) == 2


def test_a_set_that_is_not_whole_is_not_published(place: Path) -> None:
    begin(place)
    make_wheel(place / "wheels", "tocsin", "1.0", "helper>=1")
    make_wheel(place / "wheels", "helper", "1.2", tag="cp311-cp311-manylinux_2_28_x86_64")
    make_wheel(place / "wheels", "other", "1.2", tag="cp312-cp312-manylinux_2_28_x86_64")
    before = (place / "pub" / "repository" / "metadata" / "timestamp.json").read_bytes()
    said = call("release", place / "pub", place / "wheels", status=2)
    assert "not whole for cpython 3.12 on linux x86_64: there is no wheel of helper" in said
    assert "gather them with 'pip download'" in said
    assert (place / "pub" / "repository" / "metadata" / "timestamp.json").read_bytes() == before
    assert not (place / "pub" / "work" / "staged").exists()


def test_a_wheel_that_nothing_needs_is_not_signed_with_the_others(place: Path) -> None:
    """A mistyped 'pip wheel source' brought one along; nobody would ever have noticed."""
    begin(place)
    make_wheel(place / "wheels", "tocsin", "1.0", "helper>=1", 'old; python_version < "3.12"')
    make_wheel(place / "wheels", "helper", "1.2", tag="cp311-cp311-manylinux_2_28_x86_64")
    make_wheel(place / "wheels", "helper", "1.2", tag="cp312-cp312-manylinux_2_28_x86_64")
    make_wheel(place / "wheels", "old", "1.0")  # needed by one machine of the two
    stranger = make_wheel(place / "wheels", "source", "1.2.0")
    said = call("release", place / "pub", place / "wheels", status=2)
    assert "nothing in release 1.0 needs source-1.2.0-py3-none-any.whl" in said
    stranger.unlink()
    said = call("release", place / "pub", place / "wheels")
    assert "Release 1.0: 4 wheels" in said
    assert "cpython 3.12" in said


def test_an_init_that_fails_can_be_repeated(place: Path) -> None:
    """A threshold that cannot be met is noticed after keys were made; nothing of them is left."""
    (place / "keys").mkdir()
    (place / "keys" / "mine.txt").write_text("keep me")
    said = begin(place, "--root-keys", 1, "--root-threshold", 2, status=2)
    assert "threshold" in said or "2" in said
    assert not (place / "pub").exists()
    assert os.listdir(place / "keys") == ["mine.txt"]
    assert "Published: root 1" in begin(place)


def test_an_init_with_a_key_that_is_none_leaves_nothing(place: Path) -> None:
    (place / "bad.pub").write_text("no key")
    begin(place, "--public-key", f"root={place / 'bad.pub'}", status=2)
    assert not (place / "pub").exists()
    assert not (place / "keys").exists()


def test_an_init_over_another_publisher_touches_nothing(place: Path) -> None:
    begin(place)
    before = {each: each.read_bytes() for each in place.rglob("*") if each.is_file()}
    assert "a publisher's folder is here already" in begin(place, status=2)
    assert {each: each.read_bytes() for each in place.rglob("*") if each.is_file()} == before


def test_an_init_that_waits_for_others_stays(place: Path) -> None:
    call("key", "alice", "--keys", place / "alice")
    begin(
        place,
        "--public-key",
        f"root={place / 'alice' / 'alice.pub'}",
        "--root-threshold",
        1,
        status=1,
    )
    assert (place / "pub" / "work" / "draft" / "1.root.json").exists()
    assert (place / "keys" / "log.key").exists()

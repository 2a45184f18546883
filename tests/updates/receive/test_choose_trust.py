"""The user chooses another root: the same publisher's goes on, another publisher's begins anew."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from receive_samples import Device, Repository, database_bytes

from tocsin.app.update_trust import chosen
from tocsin.app.updates import Asked, state_of, update_device
from tocsin.errors import UsageError
from tocsin.settings import Settings, UpdatesSettings
from tocsin.updates.receive.errors import NoTrust
from tocsin.updates.receive.former import begin_with_another, former_in_use
from tocsin.updates.receive.trust import POLICY, ROOT, Trust, read_trust


class Chooser:
    """A device whose user chooses by the command's function."""

    def __init__(self, folder: Path, repository: Repository, monkeypatch) -> None:
        monkeypatch.setenv("TOCSIN_STATE_DIR", str(folder / "state"))
        monkeypatch.setenv("TOCSIN_CONFIG_DIR", str(folder / "config"))
        self.folder = folder
        self.settings = Settings(updates=UpdatesSettings())
        self.device = Device(state_of(self.settings).folder, repository)
        self.choose(repository.root_bytes(1), repository)

    def choose(self, root: bytes, repository: Repository) -> None:
        place, policy = self.folder / "a.json", self.folder / "a.policy"
        place.write_bytes(root)
        policy.write_bytes(repository.policy_text())
        chosen(self.settings, None, place, policy, [str(repository.folder)])
        self.device.mirrors = [str(repository.folder)]
        self.device.trust = read_trust(self.folder / "config" / "trust")

    def timestamp(self) -> int:
        held = self.device.state.timestamp_bytes()
        return 0 if held is None else json.loads(held)["signed"]["version"]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository")
    for version in (1, 2, 3):
        made.add(version)
        made.publish_metadata()
    return made


@pytest.fixture
def chooser(tmp_path: Path, repository: Repository, monkeypatch) -> Chooser:
    made = Chooser(tmp_path, repository, monkeypatch)
    made.device.update()
    return made


def test_the_same_root_written_otherwise_lowers_nothing(
    chooser: Chooser, repository: Repository
) -> None:
    before = chooser.timestamp()
    spaced = json.dumps(json.loads(repository.root_bytes(1)), indent=7).encode()
    assert spaced != repository.root_bytes(1)
    chooser.choose(spaced, repository)
    assert chooser.timestamp() == before > 1
    assert chooser.device.update().now == 3


def test_a_later_root_of_the_publisher_lowers_nothing(
    chooser: Chooser, repository: Repository
) -> None:
    before = chooser.timestamp()
    repository.write_root(repository.next_root(), repository.root_keys[:2])
    chooser.choose(repository.root_bytes(2), repository)
    assert chooser.timestamp() == before
    assert chooser.device.version == 3


def test_another_publisher_begins_anew_and_protection_goes_on(
    chooser: Chooser, tmp_path: Path, repository: Repository
) -> None:
    """Its first version counts less than what the other gave, and is another's 1."""
    other = Repository(tmp_path / "other", name="Another", seed=1)
    current = chooser.device.folder / "current.tdb"
    before = current.read_bytes()
    chooser.choose(other.root_bytes(1), other)
    assert current.read_bytes() == before
    assert former_in_use(chooser.device.state)
    outcome = chooser.device.update()
    assert not outcome.changed  # it offers nothing yet
    assert current.read_bytes() == before
    other.add(1, data=database_bytes(77))
    other.publish_metadata()
    assert chooser.device.update().now == 1
    assert current.read_bytes() == other.plain[1] != before
    assert not former_in_use(chooser.device.state)
    assert not (chooser.device.folder / "former").exists()


def test_another_publisher_is_not_asked_in_passing(
    chooser: Chooser, tmp_path: Path, repository: Repository
) -> None:
    """What the first one said last would be forgotten, and an older word of it be taken again."""
    other = Repository(tmp_path / "other", name="Another", seed=1)
    other.add(1, data=database_bytes(77))
    other.publish_metadata()
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / ROOT).write_bytes(other.root_bytes(1))
    (folder / POLICY).write_bytes(other.policy_text())
    before = chooser.timestamp()
    with pytest.raises(UsageError, match="another publisher's"):
        update_device(chooser.settings, Asked(folder, (str(other.folder),)))
    assert chooser.timestamp() == before
    assert chooser.device.version == 3


@pytest.mark.parametrize("call", ["link", "rename", "symlink_to", "keep_installed"])
def test_power_may_be_lost_while_it_begins_anew(chooser: Chooser, monkeypatch, call: str) -> None:
    state = chooser.device.state
    current = chooser.device.folder / "current.tdb"
    before = current.read_bytes()

    class PowerLost(BaseException):
        pass

    def lost(*_: object, **__: object) -> None:
        raise PowerLost

    with monkeypatch.context() as patch:
        owner = {"symlink_to": Path, "keep_installed": type(state)}.get(call, os)
        patch.setattr(owner, call, lost)
        with pytest.raises(PowerLost):
            begin_with_another(state)
    assert current.read_bytes() == before
    with state.locked():
        assert current.read_bytes() == before
        begin_with_another(state)
    assert current.read_bytes() == before
    assert former_in_use(state)


@pytest.mark.parametrize("name", [".", ROOT, POLICY])
def test_what_anybody_may_write_says_nothing(chooser: Chooser, name: str) -> None:
    folder = chooser.folder / "config" / "trust"
    assert isinstance(read_trust(folder), Trust)
    place = folder / name
    place.chmod(place.stat().st_mode | 0o002)
    with pytest.raises(NoTrust, match="chmod o-w"):
        read_trust(folder)

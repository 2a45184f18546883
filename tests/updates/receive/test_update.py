"""A device that is brought up to date, and what is asked for on the way."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from receive_samples import NOW, Device, Repository

from tocsin.updates.receive.state import Received


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    repository = Repository(tmp_path_factory.mktemp("published") / "repository")
    repository.add(1)
    repository.add(2)
    repository.publish_metadata()
    return repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository")
    made.add(1)
    made.publish_metadata()
    return made


def test_a_new_device_gets_the_newest_version_whole(published: Repository, tmp_path: Path) -> None:
    device = Device(tmp_path / "state", published)
    outcome = device.update()
    assert (outcome.before, outcome.now, outcome.way) == (0, 2, "full")
    state = device.state
    assert state.database(2).read_bytes() == published.plain[2]
    assert (state.folder / "current.tdb").read_bytes() == published.plain[2]
    assert outcome.vouching is not None
    assert outcome.vouching.verdict is not None
    assert len(outcome.vouching.verdict.missing) == 0
    how = state.received(2)
    assert isinstance(how, Received)
    assert how.created == NOW


def test_the_next_version_comes_as_a_delta(repository: Repository, tmp_path: Path) -> None:
    device = Device(tmp_path / "state", repository)
    device.update()
    for version in (2, 3):
        repository.add(version)
    repository.publish_metadata()
    outcome = device.update()
    assert (outcome.now, outcome.way) == (3, "delta")
    assert device.state.database(3).read_bytes() == repository.plain[3]
    assert not list((device.folder / "partial").iterdir())


def test_nothing_new_costs_two_small_requests(published: Repository, tmp_path: Path) -> None:
    device = Device(tmp_path / "state", published)
    device.update()
    device.mirrors.append(str(tmp_path / "second"))
    outcome = device.update()
    assert not outcome.changed
    assert device.fetcher is not None
    assert device.fetcher.requests == 2
    assert device.fetcher.received < 3000


def test_the_two_versions_before_are_kept(repository: Repository, tmp_path: Path) -> None:
    device = Device(tmp_path / "state", repository)
    for version in range(1, 5):
        if version > 1:
            repository.add(version)
            repository.publish_metadata()
        device.update()
    assert device.state.installed().previous == (3, 2)
    assert device.state.kept_versions() == [4, 3, 2]


def test_a_withdrawn_version_is_replaced_by_one_that_is_kept(
    repository: Repository, tmp_path: Path
) -> None:
    device = Device(tmp_path / "state", repository)
    device.update()
    repository.add(2)
    repository.publish_metadata()
    device.update()
    repository.withdraw(2, "flags /bin/ls")
    repository.publish_metadata()
    outcome = device.update()
    assert (outcome.before, outcome.now, outcome.way) == (2, 1, "kept")
    assert "flags /bin/ls" in outcome.choice.why
    repository.add(3)
    repository.publish_metadata()
    assert device.update().now == 3


def test_a_version_of_another_channel_waits(repository: Repository, tmp_path: Path) -> None:
    repository.add(2, channels={"fast": NOW})
    repository.publish_metadata()
    careful, fast = (Device(tmp_path / name, repository) for name in ("careful", "fast"))
    fast.channel = "fast"
    assert careful.update().now == 1
    assert fast.update().now == 2


def test_a_download_that_was_cut_off_goes_on(repository: Repository, tmp_path: Path) -> None:
    device = Device(tmp_path / "state", repository)
    target = repository.targets.signed.targets["databases/1.tdb.zst"]
    whole = repository.stored("databases/1.tdb.zst").read_bytes()
    begun = device.state.partial(target.hashes["sha256"])
    begun.write_bytes(whole[: len(whole) // 2])
    outcome = device.update()
    database = next(step for step in outcome.steps if step.name == "database")
    assert database.bytes == len(whole) - len(whole) // 2
    assert outcome.now == 1


def test_a_wrong_beginning_is_thrown_away(repository: Repository, tmp_path: Path) -> None:
    device = Device(tmp_path / "state", repository)
    target = repository.targets.signed.targets["databases/1.tdb.zst"]
    device.state.partial(target.hashes["sha256"]).write_bytes(b"x" * 100)
    assert device.update().now == 1


def test_a_mirror_that_is_gone_is_passed_over(published: Repository, tmp_path: Path) -> None:
    device = Device(tmp_path / "state", published)
    device.mirrors.insert(0, "http://127.0.0.1:9/")  # nothing fetches http in this test
    outcome = device.update()
    assert outcome.now == 2
    assert list(outcome.failures) == ["http://127.0.0.1:9/"]


def test_the_publisher_may_change_its_targets_key(repository: Repository, tmp_path: Path) -> None:
    from securesystemslib.signer import CryptoSigner

    device = Device(tmp_path / "state", repository)
    fresh = CryptoSigner.generate_ed25519()

    def change(root) -> None:
        root.revoke_key(repository.online["targets"].public_key.keyid, "targets")
        root.add_key(fresh.public_key, "targets")

    root = repository.next_root(change)
    repository.write_root(root, repository.root_keys[:2])
    repository.online["targets"] = fresh
    repository.publish_metadata()
    assert device.update().now == 1  # whose log entry the old key signed
    assert device.state.received(1).root_version == 1


def test_a_stated_time_lowers_nothing(repository: Repository, tmp_path: Path) -> None:
    device = Device(tmp_path / "state", repository)
    shutil.copytree(repository.folder, tmp_path / "old")
    repository.add(2)
    repository.publish_metadata()
    device.update()
    before = device.snapshot()
    device.mirrors = [str(tmp_path / "old")]
    with pytest.raises(Exception, match="version"):
        device.update(at=NOW - timedelta(days=1))
    assert device.snapshot() == before


@pytest.mark.parametrize("name", ["", "database.tdb", "entry", "tlog-proof", "received.json"])
def test_what_is_lost_of_the_version_in_use_comes_again(
    published: Repository, tmp_path: Path, name: str
) -> None:
    device = Device(tmp_path / "state", published)
    device.update()
    place = device.state.version_folder(2) / name
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    outcome = device.update()
    assert outcome.choice.why == "version 2 was not whole here, and is fetched again"
    assert device.state.kept_versions() == [2]
    assert (device.folder / "current.tdb").read_bytes() == published.plain[2]
    assert device.update().choice.why == "version 2 is the newest"


@pytest.mark.parametrize("name", ["", "database.tdb", "received.json"])
def test_what_is_lost_of_an_earlier_version_keeps_nobody_from_updating(
    repository: Repository, tmp_path: Path, name: str
) -> None:
    device = Device(tmp_path / "state", repository)
    for version in (2, 3):
        device.update()
        repository.add(version)
        repository.publish_metadata()
    place = device.state.version_folder(1) / name
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    assert device.update().now == 3
    assert device.version == 3


def test_a_pinned_version_that_is_lost_comes_again(repository: Repository, tmp_path: Path) -> None:
    device = Device(tmp_path / "state", repository)
    device.update()
    device.state.keep_installed(msgspec.structs.replace(device.state.installed(), pinned=1))
    device.state.database(1).unlink()
    device.update()
    assert (device.folder / "current.tdb").read_bytes() == repository.plain[1]

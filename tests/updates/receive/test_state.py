"""The device's state: whole after a loss of power at any step, and never two writers."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest
from receive_samples import Device, Repository

from tocsin.updates.receive.errors import NoRoom, StateBusy, StateDamaged
from tocsin.updates.receive.files import write_durably
from tocsin.updates.receive.state import Installed, UpdateState

_STEPS = ("replace", "rename", "symlink", "unlink", "mkdir")


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Device:
    folder = tmp_path_factory.mktemp("power")
    repository = Repository(folder / "repository")
    repository.add(1)
    repository.publish_metadata()
    device = Device(folder / "state", repository)
    device.update()
    repository.add(2)
    repository.publish_metadata()
    return device


def _update_until_power_is_lost(device: Device, step: int) -> bool:
    """Update in a process that ends without a word before a step; whether it came that far."""
    child = os.fork()
    if child == 0:
        try:
            left = step

            def counted(real):
                def call(*args, **named):
                    nonlocal left
                    if left == 0:
                        os._exit(9)
                    left -= 1
                    return real(*args, **named)

                return call

            for name in _STEPS:
                setattr(os, name, counted(getattr(os, name)))
            device.update()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, ended = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(ended)
    assert code in (0, 9)
    return code == 9


def test_power_may_be_lost_at_every_step(device: Device, tmp_path: Path) -> None:
    original, step, swapped = device.folder, 0, 0
    try:
        while True:
            device.folder = tmp_path / f"state-{step}"
            shutil.copytree(original, device.folder, symlinks=True)
            lost = _update_until_power_is_lost(device, step)
            state = device.state
            assert state.installed().current in (1, 2)
            swapped += state.installed().current == 2
            current = state.installed().current
            assert state.database(current).read_bytes()
            assert (device.folder / "current.tdb").read_bytes()  # whichever it is, it can be used
            assert device.update().now == 2
            held = device.state
            link = os.readlink(held.folder / "current.tdb")
            assert link == "versions/2/database.tdb"
            assert held.installed() == Installed(2, (1,), 0, 2)
            assert held.kept_versions() == [2, 1]
            assert not [e for e in (held.folder / "versions").iterdir() if e.name[0] == "."]
            shutil.rmtree(device.folder)
            if not lost:
                break
            step += 1
    finally:
        device.folder = original
    assert step > 20
    assert swapped > 1


def test_only_one_updates_at_a_time(tmp_path: Path) -> None:
    first, second = UpdateState(tmp_path), UpdateState(tmp_path)
    with (
        first.locked(),
        pytest.raises(StateBusy, match="another process is updating"),
        second.locked(patience=0.1),
    ):
        pass


def test_what_is_not_here_is_not_put_in_use(tmp_path: Path) -> None:
    with pytest.raises(StateDamaged, match="version 7 is not here"):
        UpdateState(tmp_path).keep_installed(Installed(7))


@pytest.mark.parametrize("content", [b"", b"{", b'{"current": -1}', b"[]", b"\xff"])
def test_a_damaged_record_is_said_and_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "installed.json").write_bytes(content)
    with pytest.raises(StateDamaged, match=r"installed\.json: damaged.*remove it"):
        UpdateState(tmp_path).installed()


def test_a_record_with_bytes_that_are_no_text_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "last.json").write_bytes(b'{"at": "2026-11-28T00:00:00Z", "outcome": "\x80"}')
    with pytest.raises(StateDamaged, match=r"last\.json: damaged"):
        UpdateState(tmp_path).last_run()


def test_a_checkpoint_of_another_log_is_kept_beside(tmp_path: Path) -> None:
    state = UpdateState(tmp_path)
    state.keep_checkpoint(b"a\n1\nx\n")
    state.keep_checkpoint(b"b\n5\ny\n")
    assert state.checkpoint("a") == b"a\n1\nx\n"
    assert state.checkpoint("b") == b"b\n5\ny\n"
    assert state.checkpoint("c") is None


def test_the_devices_number_is_its_own_and_stays(tmp_path: Path) -> None:
    one, two = (UpdateState(tmp_path / name) for name in ("one", "two"))
    assert one.device_id() == one.device_id() != two.device_id()
    assert stat.S_IMODE((one.folder / "device").stat().st_mode) == 0o600


def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "file"
    place.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NoRoom, match="Make room"):
        write_durably(place, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert place.read_bytes() == b"old"

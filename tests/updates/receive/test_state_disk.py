"""A disk that loses what was not synced, or refuses: what was in use is in use, or the next is."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from lossy_disk import LossyDisk, write_out
from receive_samples import Device, Repository

from tocsin import durable
from tocsin.database.cache import open_database, open_index_file
from tocsin.updates.errors import UpdatesError
from tocsin.updates.receive.errors import NoRoom, NotWritten
from tocsin.updates.receive.former import begin_with_another
from tocsin.updates.receive.installations import Installations
from tocsin.updates.receive.state import Installed, UpdateState

OLD, NEW = 3, 4


class Scene:
    """A device that has had three versions, and a publisher that has the fourth."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = Repository(folder / "repository")
        self.device = Device(folder / "device" / "state", self.repository)
        for version in range(1, OLD + 1):
            self.repository.add(version)
            self.repository.publish_metadata()
            self.device.update()
        self.repository.add(NEW)
        self.repository.publish_metadata()
        self.digests = {
            hashlib.sha256(data).hexdigest(): version
            for version, data in self.repository.plain.items()
        }

    def copy(self, folder: Path) -> Device:
        """A device in the same state, elsewhere; it makes an index of what it tries out."""
        shutil.copytree(self.folder / "device", folder, symlinks=True)
        return self.at(folder)

    def at(self, folder: Path) -> Device:
        made = Device(folder / "state", self.repository)
        made.trust = self.device.trust
        return made

    def used(self, device: Device) -> int:
        """The version that scans use: the link leads to a whole database."""
        data = (device.folder / "current.tdb").read_bytes()
        return self.digests[hashlib.sha256(data).hexdigest()]

    def stands(self, device: Device) -> int:
        """The version in use, in a state of which every part can be read."""
        state = UpdateState(device.folder)
        installed = state.installed()
        assert installed.current in (OLD, NEW)
        assert self.used(device) in (OLD, NEW)
        for version in (installed.current, *installed.previous):
            digest = hashlib.sha256(state.database(version).read_bytes()).hexdigest()
            assert self.digests[digest] == version == state.received(version).version
        state.seen(), state.last_run(), state.refused(), state.consent(), state.pending()
        return installed.current


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("disk"))


def finished(device: Device) -> None:
    """The next update comes to its end, whatever was left."""
    assert device.update().now == NEW
    assert device.state.installed() == Installed(NEW, (OLD, OLD - 1), 0, NEW)
    assert device.state.kept_versions()[:3] == [NEW, OLD, OLD - 1]
    assert not [each for each in device.folder.glob("**/.*") if each.is_dir()]


# --- power is lost ------------------------------------------------------------------------


def test_what_was_not_synced_may_be_lost_at_every_step(scene: Scene, tmp_path: Path) -> None:
    """Also while the index is made; the trial of an update makes it."""
    place = tmp_path / "watched"
    device = scene.copy(place)
    device.activate = lambda database: open_database([database], cache_dir=place / "cache")
    disk = LossyDisk(place)
    with disk.watching():
        assert device.update().now == NEW
    assert len(disk.states) > 60
    swapped = []
    for number, (what, content) in enumerate(disk.states):
        left = scene.at(tmp_path / f"left-{number}")
        write_out(content, left.folder.parent)
        try:
            swapped.append(scene.stands(left))
            for index in (left.folder.parent / "cache").glob("*.index"):
                open_index_file(index)  # what has its name is whole
            if number % 2 or swapped[-1] == NEW:
                finished(left)
        except BaseException as error:
            error.add_note(what)
            raise
        shutil.rmtree(left.folder.parent)
    assert set(swapped) == {OLD, NEW}


def test_a_first_installation_may_be_lost_at_every_step(scene: Scene, tmp_path: Path) -> None:
    place = tmp_path / "watched"
    place.mkdir()
    device = scene.at(place)
    disk = LossyDisk(place)
    with disk.watching():
        device.update()
    for number, (what, content) in enumerate(disk.states[::2]):
        left = scene.at(tmp_path / f"left-{number}")
        write_out(content, left.folder.parent)
        try:
            assert UpdateState(left.folder).installed().current in (0, NEW)
            assert left.update().now == NEW
            assert scene.used(left) == NEW
        except BaseException as error:
            error.add_note(what)
            raise
        shutil.rmtree(left.folder.parent)


def test_another_publisher_may_be_begun_with_again(scene: Scene, tmp_path: Path) -> None:
    """The database of the one before protects all the time."""
    place = tmp_path / "watched"
    state = scene.copy(place).state
    disk = LossyDisk(place)
    with disk.watching(), state.locked():
        begin_with_another(state)
    assert len(disk.states) > 20
    for number, (what, content) in enumerate(disk.states):
        left = scene.at(tmp_path / f"left-{number}")
        write_out(content, left.folder.parent)
        try:
            assert scene.used(left) == OLD
            begun = left.state
            with begun.locked():
                begin_with_another(begun)
            assert scene.used(left) == OLD
            assert begun.installed() == Installed()
            assert begun.newest_root() is None
        except BaseException as error:
            error.add_note(what)
            raise
        shutil.rmtree(left.folder.parent)


# --- the disk refuses ---------------------------------------------------------------------


class Refusing:
    """Has one call that changes the disk fail: the n-th in a folder.

    Args:
        folder: calls elsewhere are let through.
        at: how many are let through before.
        number: of the error.
    """

    def __init__(self, folder: Path, at: int, number: int) -> None:
        self._folder = str(folder)
        self._left = at
        self._number = number
        self.refused = ""

    @contextmanager
    def at_work(self) -> Iterator[None]:
        names = ("mkdir", "rename", "replace", "symlink", "link", "utime")
        opened = self._opened(io.open)
        with (
            mock.patch.multiple(os, **{name: self._wrapped(name) for name in names}),
            mock.patch.object(os, "fsync", self._fsync(os.fsync)),
            mock.patch.object(os, "open", self._os_open(os.open)),
            mock.patch.object(io, "open", opened),
            mock.patch("builtins.open", opened),
        ):
            yield

    def _next(self, what: str, place: object) -> None:
        if self.refused or not str(place).startswith(self._folder):
            return
        if self._left == 0:
            self.refused = f"{what} {place}"
            raise OSError(self._number, os.strerror(self._number))
        self._left -= 1

    def _wrapped(self, name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*args: Any, **named: Any) -> Any:
            self._next(name, args[-1] if name != "utime" else args[0])
            return real(*args, **named)

        return call

    def _fsync(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def call(descriptor: int) -> None:
            self._next("fsync", os.readlink(f"/proc/self/fd/{descriptor}"))
            real(descriptor)

        return call

    def _os_open(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *args: Any, **named: Any) -> int:
            if flags & os.O_CREAT:
                self._next("open", path)
            return real(path, flags, *args, **named)

        return call

    def _opened(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, mode: str = "r", *args: Any, **named: Any) -> Any:
            if set(mode) & set("wax+") and not isinstance(path, int):
                self._next("open", path)
            return real(path, mode, *args, **named)

        return call


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
def test_a_disk_that_refuses_keeps_what_is_in_use_and_says_it(
    scene: Scene, tmp_path: Path, number: int
) -> None:
    step, ends = 0, []
    while True:
        device = scene.copy(tmp_path / f"at-{step}")
        disk = Refusing(device.folder, step, number)
        error: UpdatesError | None = None
        with disk.at_work():
            try:
                device.update()
            except UpdatesError as caught:
                error = caught
        if not disk.refused:
            break
        try:
            used = scene.used(device)
            scene.stands(device)
            ends.append((used, error is None))
            if error is not None:
                _says_what_is_so(error, number, used, device.folder)
            else:
                assert used == NEW  # what failed was not needed for it
            if step % 4 == 0 or used == NEW:
                finished(device)
        except BaseException as wrong:
            wrong.add_note(f"{disk.refused}: {error}")
            raise
        shutil.rmtree(device.folder.parent)
        step += 1
    assert step > 50
    assert (OLD, False) in ends
    assert (NEW, False) in ends  # after the swap it is not undone, and not said to be


def _says_what_is_so(error: UpdatesError, number: int, used: int, folder: Path) -> None:
    text = str(error)
    assert isinstance(error, NotWritten), repr(error)
    assert isinstance(error, NoRoom) == (number == errno.ENOSPC)
    assert str(folder) in text
    assert os.strerror(number) in text
    assert ("Make room" if number == errno.ENOSPC else "dmesg") in text
    stated = re.search(r"version (\d+) is in use", text)
    if used == NEW:
        assert stated is not None
    else:
        assert stated is not None or "what is in use stays in use" in text
    assert stated is None or int(stated[1]) == used
    assert "nothing was changed" not in text


def test_a_file_that_is_in_place_and_may_not_last_is_told_from_one_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "file"
    place.write_bytes(b"old")
    real, calls = os.fsync, []

    def fails_the_second_time(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fails_the_second_time)
    with pytest.raises(durable.NotSynced):
        durable.write_file(place, b"new")
    assert place.read_bytes() == b"new"
    calls[:] = [0]
    with pytest.raises(OSError, match="Input/output error") as caught:
        durable.write_file(place, b"newer")
    assert not isinstance(caught.value, durable.NotSynced)
    assert place.read_bytes() == b"new"


def test_a_switch_of_the_software_that_may_not_last_says_which_release_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Installations(tmp_path / "software")
    names = ["1.0-0123456789ab", "1.1-0123456789ab"]
    for name in names:
        (store.place(name) / "bin").mkdir(parents=True)
    with store.locked():
        store.switch(names[0])
        seen = []
        for step in range(20):
            said = ""
            disk = Refusing(store.folder, step, errno.ENOSPC)
            with disk.at_work():
                try:
                    store.switch(names[1])
                except NoRoom as error:
                    said = str(error)
            if not disk.refused:
                break
            assert f"{store.current()} is in use" in said
            assert "'tocsin update software' again" in said
            seen.append(store.current())
            store.switch(names[0])
    assert set(seen) == set(names)

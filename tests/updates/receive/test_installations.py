"""Releases side by side: power may be lost at every step, and the one in use is always whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from receive_samples import Repository
from software_samples import SoftwareDevice, add_release, make_wheels

from tocsin.updates.receive import installations
from tocsin.updates.receive.errors import StateBusy, StateDamaged
from tocsin.updates.receive.installations import Installations, Release

_STEPS = (
    *("open", "mkdir", "rename", "replace", "symlink", "unlink", "rmdir", "fsync", "sync"),
    *("readlink", "fchmod", "scandir"),
)


def release(version: str) -> Release:
    digest = f"{int(version.replace('.', '')):064x}"[::-1]
    return Release(
        version, digest, datetime.now(UTC), "file:///mirror/", "3.11", {"a.whl": digest}, 1
    )


def environment(place: Path, version: str) -> Path:
    """What takes an environment's place: a command that says its version."""
    (place / "bin").mkdir(parents=True)
    command = place / "bin" / "tocsin"
    command.write_text(f"#!/bin/sh\necho {version}\n")
    command.chmod(0o755)
    (place / "bin" / f"tocsin-{'old' if version == '1.0' else 'new'}").write_text("")
    return place


def put(store: Installations, version: str) -> str:
    half = environment(store.half(), version)
    return store.put(half, release(version), b"entry", b"proof")


def install(store: Installations, version: str) -> None:
    """All that changes the folder, as an update does it."""
    with store.locked():
        store.switch(put(store, version))
    with store.locked():
        store.prune()


def says(store: Installations) -> str:
    command = store.folder / "bin" / "tocsin"
    return subprocess.run([command], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Installations(tmp_path_factory.mktemp("power") / "software")
    for version in ("1.0", "1.1", "1.2"):
        install(store, version)
    return store.folder


def _until_power_is_lost(step: int, work: Callable[[], None]) -> bool:
    """Work in a process that ends without a word before a step; whether it came that far."""
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
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


@pytest.mark.parametrize("work", ["install", "back"])
def test_power_may_be_lost_at_every_step(
    used: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    monkeypatch.setattr(installations, "_is_mapped", lambda _: False)  # reads all of /proc
    monkeypatch.setattr(os, "sync", lambda: None)  # the whole machine's disks, each time

    def back(store: Installations) -> None:
        with store.locked():
            store.switch(store.previous()[0])

    aim = "2.0" if work == "install" else "1.1"
    step, seen = 0, []
    while True:
        store = Installations(tmp_path / f"software-{step}")
        shutil.copytree(used, store.folder, symlinks=True)
        done = (lambda s=store: install(s, "2.0")) if work == "install" else lambda s=store: back(s)
        lost = _until_power_is_lost(step, done)
        seen.append(says(store))  # a user starts it in this very state
        assert seen[-1] in ("1.2", aim)
        with store.locked():  # whoever comes next puts it in order
            assert says(store) == seen[-1]
            assert store.highest() is not None
            assert str(store.highest()) == ("2.0" if seen[-1] == "2.0" else "1.2")
            assert not [each for each in store.folder.rglob("*") if each.name.startswith(".")]
        if seen[-1] != aim:
            done()
        assert says(store) == aim
        with store.locked():
            store.prune()
        names = [name.rpartition("-")[0] for name in (store.current(), *store.previous())]
        if work == "install":
            assert names == ["2.0", "1.2", "1.1"]
        else:
            assert names == ["1.1", "1.2", "1.0"]
        assert len(store.kept()) == 3
        if not lost:
            break
        step += 1
    assert step > 20
    assert seen == sorted(seen, key=lambda each: each == aim)  # from one to the other, once


def test_what_must_be_on_the_disk_first_is(used: Path, tmp_path: Path, monkeypatch) -> None:
    """A name is given only to what is on the disk, and the link leads only to a name that is."""
    store = Installations(tmp_path / "software")
    shutil.copytree(used, store.folder, symlinks=True)
    calls: list[str] = []

    def noted(name: str, real):
        def call(*args, **named):
            aim = str(args[-1]) if name in ("rename", "replace") else ""
            if name == "fsync":
                aim = os.readlink(f"/proc/self/fd/{args[0]}")
            calls.append(f"{name} {os.path.basename(aim)}".strip())
            return real(*args, **named)

        return call

    for name in ("sync", "rename", "replace", "fsync"):
        monkeypatch.setattr(os, name, noted(name, getattr(os, name)))
    with store.locked():
        name = put(store, "2.0")
        store.switch(name)
    order = [calls.index(each) for each in ("sync", f"rename {name}", "replace current")]
    assert order == sorted(order)
    assert "fsync versions" in calls[order[1] : order[2]]
    assert "replace software.json" in calls[order[1] : order[2]]
    assert "fsync software" in calls[order[2] :]


def test_an_update_is_killed_while_it_builds(tmp_path: Path) -> None:
    """Whatever it was doing, the release in use stays, and the next update succeeds."""
    repository = Repository(tmp_path / "repository")
    add_release(repository, "1.0", make_wheels(tmp_path / "wheels" / "1.0", "1.0"))
    repository.publish_metadata()
    device = SoftwareDevice(tmp_path / "device", repository)
    device.install()
    add_release(repository, "1.1", make_wheels(tmp_path / "wheels" / "1.1", "1.1"))
    repository.publish_metadata()
    began = time.monotonic()
    finished = 0
    for delay in (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4):
        child = os.fork()
        if child == 0:
            os.setsid()
            try:
                device.install()
            finally:
                os._exit(0)
        timer = threading.Timer(delay, os.kill, (child, signal.SIGKILL))
        timer.start()
        os.waitpid(child, 0)
        timer.cancel()
        current = device.store.current()
        assert device.says() == f"hello {current[:3]}"
        finished += current.startswith("1.1")
    assert finished < 8, f"nothing was killed in {time.monotonic() - began:.1f} s"
    device.install()
    assert device.says() == "hello 1.1"
    assert device.versions() == ["1.1", "1.0"]


# --- what is in a folder ------------------------------------------------------------------


def test_commands_that_a_release_has_not_any_more_go(used: Path, tmp_path: Path) -> None:
    store = Installations(tmp_path / "software")
    install(store, "1.0")
    (store.folder / "bin" / "mine").symlink_to("/bin/true")
    assert (store.folder / "bin" / "tocsin-old").exists()
    install(store, "1.1")
    assert sorted(os.listdir(store.folder / "bin")) == ["mine", "tocsin", "tocsin-new"]


def test_a_second_process_waits_and_is_told(used: Path) -> None:
    store = Installations(used)
    code = (
        "import sys, time; from pathlib import Path\n"
        "from tocsin.updates.receive.installations import Installations\n"
        "with Installations(Path(sys.argv[1])).locked():\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code, used], stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(StateBusy, match="another process"), store.locked(0.1):
            pass
        other.communicate()


@pytest.mark.parametrize(
    "aim", ["/etc", "versions/../../etc", "versions/1.0-zzzzzzzzzzzz", "versions/9.9-0123456789ab"]
)
def test_a_link_that_leads_elsewhere_is_no_release(tmp_path: Path, aim: str) -> None:
    store = Installations(tmp_path / "software")
    with store.locked():
        pass
    (store.folder / "current").symlink_to(aim)
    with pytest.raises(StateDamaged, match="ln -sfn"):
        store.current()


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b'{"previous": 3}', b"[" * 99_999])
def test_a_damaged_record_is_said(tmp_path: Path, data: bytes) -> None:
    store = Installations(tmp_path / "software")
    install(store, "1.0")
    (store.folder / "software.json").write_bytes(data)
    with pytest.raises(StateDamaged, match=r"software.json: damaged: .*remove it"):
        store.record()
    (store.folder / "software.json").unlink()
    assert store.current().startswith("1.0-")
    (store.place(store.current()) / "release.json").write_bytes(data)
    with pytest.raises(StateDamaged, match=r"release.json: damaged"):
        store.release(store.current())


def test_the_last_refusals_are_remembered(tmp_path: Path) -> None:
    store = Installations(tmp_path / "software")
    with store.locked():
        for number in range(60):
            each = msgspec.structs.replace(release(f"{number}.0"), sha256=f"{number:064x}")
            store.refuse(each, "bad")
    assert next(iter(store.record().refused)) == f"{10:064x}"
    assert len(store.record().refused) == len(store.record().failed) == 50
    assert (store.failed("9.0"), store.failed("10.0")) == ("", "bad")

"""The guard where nobody is asked: what was written is found afterwards. And removable media."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from protect.guard_machine import Machine, eicar, mounted, needs_fanotify
from tocsin.protect.guard import inotify
from tocsin.protect.guard.inotify import Watcher
from tocsin.protect.guard.media import is_removable
from tocsin.protect.mounts import Mount
from tocsin.settings import GuardSettings

NOBODY = 65534


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may use."""
    place = Path(tempfile.mkdtemp(prefix="tocsin-guard-", dir="/var/tmp"))
    place.chmod(0o777)
    try:
        yield place
    finally:
        shutil.rmtree(place)


@needs_fanotify
def test_what_was_written_or_executed_is_found_and_handed_over(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk") as disk:
        folder = disk / "guarded"
        folder.mkdir()
        there = folder / "there-before"
        there.write_bytes(b"#!/bin/sh\n#" + eicar() + b"\n")
        there.write_bytes(eicar())
        there.chmod(0o755)
        chosen = GuardSettings(
            enabled=True, mode="notify", folders=(str(folder),), on_infected="quarantine"
        )
        with Machine(chosen) as machine:
            machine.start_host()
            (folder / "new").write_bytes(eicar())
            (disk / "elsewhere").write_bytes(eicar())
            assert (folder / "new").read_bytes() == eicar()  # nobody is asked
            machine.until(lambda: machine.said(f"{folder}/new: "))
            machine.until(lambda: len(machine.findings) == 1)
            assert machine.findings[0][0].path == os.fsencode(folder / "new")
            assert not machine.said("there-before")
            with pytest.raises(OSError, match="Exec format"):
                subprocess.run([there], check=False)
            machine.until(lambda: machine.said(f"{there}: "))
            assert not machine.said("elsewhere")
            machine.until(lambda: machine.state.get("mode") == "notify")
            assert machine.state["active"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_without_rights_folders_are_watched(open_folder: Path) -> None:
    (open_folder / "old").mkdir(mode=0o755)
    (open_folder / "old" / "there-before").write_bytes(eicar())
    chosen = GuardSettings(enabled=True, folders=(str(open_folder), str(open_folder / "later")))
    with Machine(chosen, user=NOBODY) as machine:
        machine.start_host()
        machine.until(lambda: machine.said("nothing is refused (inotify): the kernel does not ask"))
        machine.until(lambda: machine.said("later (folder) is not guarded: No such file"))
        machine.until(lambda: machine.state.get("mode") == "inotify")
        time.sleep(0.3)
        (open_folder / "old" / "written").write_bytes(eicar())
        machine.until(lambda: machine.said("old/written: "))
        (open_folder / "new" / "deep").mkdir(parents=True)
        (open_folder / "new" / "deep" / "at-once").write_bytes(eicar())
        machine.until(lambda: machine.said("new/deep/at-once: "))
        os.rename(open_folder / "new", open_folder / "renamed")
        machine.until(lambda: machine.said("renamed/deep/at-once: "))
        (open_folder / "renamed" / "deep" / "again").write_bytes(eicar())
        machine.until(lambda: machine.said("renamed/deep/again: "))
        os.mkfifo(open_folder / "fifo")
        (open_folder / "link").symlink_to("/etc/passwd")
        assert not machine.said("there-before")
        assert not machine.said("/new/deep/again")


def test_lost_events_are_made_up_for(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inotify, "_MARGIN", 0.3)
    folder = open_folder / "deep"
    folder.mkdir()
    (folder / "old").write_bytes(b"old")
    os.utime(folder / "old")
    watcher = Watcher()
    try:
        watcher.watch([str(open_folder)])
        while watcher.busy:
            assert watcher.step() == []
        time.sleep(0.5)  # what is older than the margin is not looked at again
        watcher.hear()
        limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        for _ in range(limit // 2 + 10):
            (folder / "a").touch()  # created, written and closed
            os.rename(folder / "a", folder / "b")
        (folder / "after").write_bytes(b"lost")
        time.sleep(0.5)  # what was lost is older than the margin when that is heard of
        found = _heard(watcher)
        assert str(folder / "after") in found
        assert str(folder / "old") not in found
    finally:
        watcher.close()


def test_losing_events_twice_loses_nothing(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inotify, "_MARGIN", 0.1)
    came = open_folder.with_name("came")
    came.mkdir()
    (came / "old").write_bytes(b"old")
    moved = open_folder.with_name("moved")
    (moved / "deep").mkdir(parents=True)
    (moved / "deep" / "old").write_bytes(b"old")
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    watcher = Watcher()
    try:
        watcher.watch([str(open_folder)])
        watcher.step()
        os.rename(came, open_folder / "came")
        watcher.hear()
        for each in ("first", "second"):
            for _ in range(limit // 2 + 10):
                (open_folder / "a").touch()
                os.rename(open_folder / "a", open_folder / "b")
            (open_folder / each).write_bytes(b"lost")
            if each == "second":
                os.rename(moved, open_folder / "moved")  # nobody is told of it
            for _ in range(limit):
                watcher.hear()  # and no time to go through the folders
            time.sleep(0.2)
        found = _heard(watcher)
        for name in ("came/old", "first", "second", "moved/deep/old"):
            assert str(open_folder / name) in found
    finally:
        watcher.close()


def _heard(watcher: Watcher) -> set[str]:
    """Everything that is told until nothing is left to do."""
    found: set[str] = set()
    while True:
        changed = watcher.hear()
        found.update(changed)
        if not changed and not watcher.busy:
            return found
        found.update(watcher.step())


@needs_fanotify
def test_a_removable_medium_is_looked_at_when_it_is_mounted(tmp_path: Path) -> None:
    with mounted(tmp_path / "made", "ext4") as made:
        (made / "folder").mkdir()
        for number in range(50):
            (made / "folder" / f"good-{number}").write_bytes(b"good %d" % number)
        (made / "folder" / "bad").write_bytes(eicar())
        (made / "folder" / "link").symlink_to("/etc/passwd")
        os.mkfifo(made / "folder" / "fifo")
    place = tmp_path / "medium"
    place.mkdir()
    chosen = GuardSettings(enabled=True, folders=("/nowhere",), fallback="deny")
    with Machine(chosen, removable=place) as machine:
        machine.start_host()
        machine.until(lambda: machine.said("/nowhere (folder) is not guarded"))
        subprocess.run(["mount", "-o", "loop", tmp_path / "made.img", place], check=True)
        try:
            machine.until(lambda: machine.said(f"{place} (file system) is guarded"))
            with pytest.raises(PermissionError):
                (place / "folder" / "bad").read_bytes()
            machine.until(lambda: machine.said("removable medium scanned"))
            event = next(each for each in machine.events if "medium scanned" in each.message)
            assert event.details["scanned"] == 51
            assert event.details["found"] == 1
            assert event.severity == "alarm"
            machine.until(lambda: machine.said("bad: "))
            machine.until(
                lambda: bool(machine.state["media"]) and machine.state["media"][0]["done"]
            )
        finally:
            while subprocess.run(["umount", place], check=False).returncode:
                time.sleep(0.1)
        machine.until(lambda: not machine.state["active"])


def test_which_media_are_removable() -> None:
    root = os.stat("/").st_dev
    mounts = (
        Mount(1, root, "/", "ext4", "/dev/root", "rw"),
        Mount(2, os.makedev(0, 5), "/sys", "sysfs", "sysfs", "rw"),
        Mount(3, os.makedev(0, 9), "/x", "btrfs", "/dev/nothing", "rw"),
        Mount(4, os.makedev(250, 250), "/x", "vfat", "/dev/nothing", "rw"),
    )
    assert not any(is_removable(mount) for mount in mounts)

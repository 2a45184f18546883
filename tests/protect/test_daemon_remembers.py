"""What is clean is not scanned again, and nothing that could be another content is taken for it."""

from __future__ import annotations

import mmap
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from protect.guard_machine import mounted
from protect.running_daemon import RunningDaemon, eicar, piece, running_daemon
from tocsin.engine.report import Note, Report, SkippedObject
from tocsin.protect.daemon.marks import Marks
from tocsin.protect.daemon.remembered import Remembered

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts, or reads others' files")


@pytest.fixture(scope="module")
def daemon() -> Iterator[RunningDaemon]:
    with running_daemon(database={"with_default": True}) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    """A folder on a file system that keeps change times."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="tocsin-") as name:
        place = Path(name)
        place.chmod(0o755)
        (place / "probe").write_bytes(b"x")
        settle()
        with (place / "probe").open("rb") as opened:
            if not Marks().of(opened.fileno(), b"probe"):
                pytest.skip("/var/tmp is on a file system of which nothing is remembered")
        yield place


def known(daemon: RunningDaemon) -> int:
    """How often a content was known."""
    text = daemon.request("GET", "/metrics")[1].decode()
    line = next(each for each in text.splitlines() if each.startswith("tocsin_remembered_total"))
    return int(float(line.split()[1]))


def scan(daemon: RunningDaemon, path: Path) -> bytes:
    return daemon.ask(b"zSCAN %s\0" % bytes(path)).rpartition(b": ")[2].rstrip(b"\0")


def settle() -> None:
    time.sleep(0.12)  # longer than several ticks


# --- streams ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 10, 100_000, 3_000_000])
def test_a_stream_is_known_by_its_digest(daemon: RunningDaemon, size: int) -> None:
    data = os.urandom(16)[: min(size, 16)] + bytes(max(0, size - 16))
    pieces = [piece(data[at : at + 50_000]) for at in range(0, len(data), 50_000)]
    before = known(daemon)
    for _ in range(3):
        assert daemon.ask(b"zINSTREAM\0", *pieces, piece(b"")) == b"stream: OK\0"
    assert known(daemon) - before >= 2
    before = known(daemon)
    other = [piece(b"x"), *pieces]
    assert daemon.ask(b"zINSTREAM\0", *other, piece(b"")) == b"stream: OK\0"
    assert known(daemon) == before


def test_what_is_found_is_found_again(daemon: RunningDaemon) -> None:
    before = known(daemon)
    for _ in range(3):
        assert daemon.ask(b"zINSTREAM\0", piece(eicar()), piece(b"")).endswith(b"FOUND\0")
    assert known(daemon) == before


# --- files ----------------------------------------------------------------------------------


@needs_root
def test_a_file_is_known_until_it_changes(daemon: RunningDaemon, disk: Path) -> None:
    file = disk / "file"
    file.write_bytes(b"clean")
    settle()
    before = known(daemon)
    assert [scan(daemon, file) for _ in range(3)] == [b"OK"] * 3
    assert known(daemon) == before + 2
    times = file.stat()
    file.write_bytes(eicar())
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert scan(daemon, file).endswith(b"FOUND")
    settle()
    assert scan(daemon, file).endswith(b"FOUND")
    file.write_bytes(b"clean")
    settle()
    assert scan(daemon, file) == b"OK"


@needs_root
def test_one_that_changed_just_now_is_not_remembered(daemon: RunningDaemon, disk: Path) -> None:
    file = disk / "fresh"
    before = known(daemon)
    for _ in range(5):
        file.write_bytes(b"clean")
        assert scan(daemon, file) == b"OK"
    assert known(daemon) == before


@needs_root
def test_a_file_that_is_open_for_writing_is_not_known(daemon: RunningDaemon, disk: Path) -> None:
    file = disk / "open"
    file.write_bytes(b"clean")
    settle()
    assert scan(daemon, file) == b"OK"
    before = known(daemon)
    with file.open("r+b"):
        assert [scan(daemon, file) for _ in range(2)] == [b"OK"] * 2
    assert known(daemon) == before


@needs_root
def test_a_store_through_an_old_mapping_is_not_missed(daemon: RunningDaemon, disk: Path) -> None:
    file = disk / "mapped"
    good = b"clean".ljust(4096)
    file.write_bytes(good)
    settle()
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 4096) as memory:
        memory[:5] = b"dirty"  # from now on stores change no time until the page is written back
        settle()
        assert scan(daemon, file) == b"OK"
        memory[: len(eicar())] = eicar()
        memory[len(eicar()) :] = b" " * (4096 - len(eicar()))
        assert scan(daemon, file).endswith(b"FOUND")


@needs_root
def test_a_store_through_a_new_mapping_is_not_missed(daemon: RunningDaemon, disk: Path) -> None:
    file = disk / "stored"
    file.write_bytes(b"clean".ljust(4096))
    settle()
    assert scan(daemon, file) == b"OK"
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 4096) as memory:
        memory[:] = eicar().ljust(4096)
    settle()
    assert scan(daemon, file).endswith(b"FOUND")


@needs_root
def test_on_tmpfs_nothing_is_remembered(daemon: RunningDaemon, tmp_path: Path) -> None:
    with mounted(tmp_path / "tmpfs") as place:
        for folder in (*list(tmp_path.parents)[:2], tmp_path, place):
            folder.chmod(0o755)
        file = place / "file"
        file.write_bytes(b"clean")
        settle()
        before = known(daemon)
        assert [scan(daemon, file) for _ in range(3)] == [b"OK"] * 3
        assert known(daemon) == before


@needs_root
@pytest.mark.parametrize("how", ["another's", "for a group", "for all", "an access list"])
def test_what_others_may_write_to_is_looked_at_every_time(
    daemon: RunningDaemon, disk: Path, how: str
) -> None:
    """There are ways to change such a file that set no time, see ADR 10."""
    file = disk / how.replace(" ", "-")
    file.write_bytes(b"clean")
    if how == "another's":
        os.chown(file, 65534, 65534)
    elif how == "an access list":
        done = subprocess.run(["setfacl", "-m", "u:nobody:rw", file], check=False)
        if done.returncode:
            pytest.skip("no access lists here")
    else:
        file.chmod(0o664 if how == "for a group" else 0o646)
    settle()
    before = known(daemon)
    assert [scan(daemon, file) for _ in range(3)] == [b"OK"] * 3
    assert known(daemon) == before


@needs_root
def test_another_name_is_another_file(daemon: RunningDaemon, disk: Path) -> None:
    """A YARA rule may ask for the name."""
    (disk / "one").mkdir()
    file = disk / "one" / "name"
    file.write_bytes(b"clean")
    settle()
    assert [scan(daemon, file) for _ in range(2)] == [b"OK"] * 2
    before = known(daemon)
    (disk / "one").rename(disk / "two")
    assert scan(daemon, disk / "two" / "name") == b"OK"
    assert known(daemon) == before


@needs_root
def test_on_a_loop_device_nothing_is_remembered(daemon: RunningDaemon, tmp_path: Path) -> None:
    """Its image may be written to beneath the file system."""
    with mounted(tmp_path / "loop", "ext4") as place:
        for folder in (*list(tmp_path.parents)[:2], tmp_path, place):
            folder.chmod(0o755)
        file = place / "file"
        file.write_bytes(b"clean")
        settle()
        before = known(daemon)
        assert [scan(daemon, file) for _ in range(3)] == [b"OK"] * 3
        assert known(daemon) == before


@needs_root
def test_once_something_was_mounted_all_is_forgotten(
    daemon: RunningDaemon, disk: Path, tmp_path: Path
) -> None:
    """What is mounted may be made to look like what was there before."""
    file = disk / "before"
    file.write_bytes(b"clean")
    settle()
    assert [scan(daemon, file) for _ in range(2)] == [b"OK"] * 2
    before = known(daemon)
    with mounted(tmp_path / "other"):
        assert scan(daemon, file) == b"OK"
        assert known(daemon) == before
        assert scan(daemon, file) == b"OK"
        assert known(daemon) == before + 1


@needs_root
def test_another_database_begins_with_nothing(disk: Path) -> None:
    file = disk / "later"
    file.write_bytes(b"what a signature will name")
    settle()
    with running_daemon() as daemon:
        assert [scan(daemon, file) for _ in range(2)] == [b"OK"] * 2
        assert known(daemon) == 1
        added = "Later:0:*:" + b"a signature will name".hex() + "\n"
        with (daemon.folder / "db" / "small.ndb").open("a") as database:
            database.write(added)
        assert daemon.ask(b"zRELOAD\0") == b"RELOADING\0"
        daemon.wait_until(lambda: scan(daemon, file).endswith(b"FOUND"))


@needs_root
def test_nothing_is_remembered_when_it_is_switched_off(disk: Path) -> None:
    file = disk / "off"
    file.write_bytes(b"clean")
    settle()
    with running_daemon(daemon={"cache_size": 0}) as daemon:
        for _ in range(2):
            assert scan(daemon, file) == b"OK"
            assert daemon.ask(b"zINSTREAM\0", piece(b"x"), piece(b"")) == b"stream: OK\0"
        assert known(daemon) == 0


# --- the parts --------------------------------------------------------------------------------


def test_only_what_was_wholly_looked_at_is_remembered() -> None:
    remembered = Remembered(2)
    for spoil in (
        lambda report: report.skipped.append(SkippedObject("x", "allowed", "by the user")),
        lambda report: report.errors.append("unreadable"),
        lambda report: report.notes.append(Note("x", "odd", "odd")),
    ):
        report = Report("x")
        spoil(report)
        remembered.keep(b"mark", report)
        assert remembered.recall(b"mark", "x") is None
    remembered.keep(b"", Report("x"))
    assert remembered.recall(b"", "x") is None
    for mark in (b"1", b"2"):
        remembered.keep(mark, Report("x"))
    assert remembered.recall(b"1", "y").path == "y"
    remembered.keep(b"3", Report("x"))
    assert [mark for mark in (b"1", b"2", b"3") if remembered.recall(mark, "x")] == [b"1", b"3"]


@needs_root
def test_marks_are_the_same_while_nothing_changes(disk: Path) -> None:
    file = disk / "marked"
    file.write_bytes(b"clean")
    settle()
    marks, others = Marks(), Marks()
    with file.open("rb") as opened:
        mark = marks.of(opened.fileno(), b"a")
        assert mark
        assert marks.of(opened.fileno(), b"a") == mark
        assert marks.of(opened.fileno(), b"b") not in (b"", mark)
        assert others.of(opened.fileno(), b"a") not in (b"", mark)
    file.touch()
    settle()
    with file.open("rb") as opened:
        assert marks.of(opened.fileno(), b"a") not in (b"", mark)
    with file.open("r+b") as opened:
        assert marks.of(opened.fileno(), b"a") == b""

"""The parts of the schedule: state on disk, conditions, priorities, what "local" means."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis.strategies import data, integers, lists, sampled_from

from tocsin.errors import SettingsError, UsageError
from tocsin.protect.mounts import Mount
from tocsin.protect.schedule import files as files_module
from tocsin.protect.schedule.conditions import EVERY, Conditions, on_battery
from tocsin.protect.schedule.files import Lock, is_locked, read_state, write_state
from tocsin.protect.schedule.local import local_file_systems, outermost, quick_folders
from tocsin.protect.schedule.plan import Memory
from tocsin.protect.schedule.progress import (
    Checkpoint,
    Files,
    Progress,
    State,
    Tracker,
    read_progress,
    stop_task,
)
from tocsin.protect.schedule.scheduler import Scheduler, read_memory
from tocsin.settings import TaskSettings

# --- state --------------------------------------------------------------------------------


def test_state_comes_back_with_any_path(tmp_path: Path) -> None:
    path = os.fsencode("caf\udce9/\n")
    checkpoint = Checkpoint(part="/", place=1, path=path, written=2.5, progress=Progress(files=3))
    write_state(tmp_path / "a" / "checkpoint", checkpoint)
    assert read_state(tmp_path / "a" / "checkpoint", Checkpoint) == checkpoint
    assert os.listdir(tmp_path / "a") == ["checkpoint"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"part":1}', b"\xff" * 100, b"0" * 99])
def test_state_that_makes_no_sense_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    assert read_state(tmp_path / "x", Checkpoint) is None
    assert read_state(tmp_path / "y", Checkpoint) is None


def test_state_that_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "memory"
    write_state(place, Memory(seen=1.0))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files_module.os, "fsync", full)
    with pytest.raises(SettingsError, match="No space left"):
        write_state(place, Memory(seen=2.0))
    assert read_state(place, Memory) == Memory(seen=1.0)
    assert os.listdir(tmp_path) == ["memory"]


def test_a_lock_is_held_by_one_and_ends_with_it(tmp_path: Path) -> None:
    first, second = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    assert not is_locked(tmp_path / "lock")
    assert first.take()
    assert is_locked(tmp_path / "lock")
    assert not second.take()
    first.close()
    assert second.take()
    second.close()
    assert not is_locked(tmp_path / "lock")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".hidden"])
def test_names_that_would_leave_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Files.of(tmp_path, name)


def test_a_run_whose_process_is_gone_was_interrupted(tmp_path: Path) -> None:
    files = Files.of(tmp_path, "t")
    assert read_progress(files).state is State.NEVER
    write_state(files.progress, Progress(state=State.RUNNING, pid=os.getpid()))
    assert read_progress(files).state is State.INTERRUPTED
    lock = Lock(files.lock)
    assert lock.take()
    assert read_progress(files).state is State.RUNNING
    lock.close()


def test_a_process_that_only_has_the_number_is_not_stopped(tmp_path: Path) -> None:
    files = Files.of(tmp_path, "t")
    lock = Lock(files.lock)
    assert lock.take()
    with subprocess.Popen(["sleep", "100"]) as other:
        write_state(files.progress, Progress(state=State.RUNNING, pid=other.pid, pid_start=1))
        assert not stop_task(files, 0.1)
        assert other.poll() is None
        other.kill()
    lock.close()


@given(order=lists(integers(0, 9).map(str), max_size=12), drawing=data())
def test_the_safe_place_is_before_whatever_is_not_done(order: list[str], drawing) -> None:
    tracker = Tracker()
    for place, path in enumerate(order):
        tracker.drawn(place, path)
    left = list(range(len(order)))
    while left:
        safe = tracker.safe
        expected = left[0] - 1
        assert safe == ((expected, order[expected]) if expected >= 0 else None)
        # Of equal paths the first that was drawn is taken to be done first.
        path = order[drawing.draw(sampled_from(left))]
        left.remove(next(number for number in left if order[number] == path))
        tracker.done(path)
        tracker.done("never drawn")
    assert tracker.safe == ((len(order) - 1, order[-1]) if order else None)


# --- conditions and priorities ------------------------------------------------------------


@pytest.mark.parametrize(
    ("supplies", "expected"),
    [
        ({}, False),
        ({"AC": {"type": "Mains", "online": "0"}}, False),
        ({"BAT0": {"type": "Battery", "status": "Discharging"}}, True),
        ({"BAT0": {"type": "Battery", "status": "Charging"}}, False),
        ({"BAT0": {"type": "Battery", "status": "Full"}}, False),
        (
            {
                "AC": {"type": "Mains", "online": "0"},
                "BAT0": {"type": "Battery", "status": "Not charging"},
                "BAT1": {"type": "Battery", "status": "Discharging"},
            },
            True,
        ),
        (
            {
                "AC": {"type": "Mains", "online": "1"},
                "BAT0": {"type": "Battery", "status": "Discharging"},
            },
            False,
        ),
        ({"mouse": {"type": "Battery", "scope": "Device", "status": "Discharging"}}, False),
        (
            {
                "usb": {"type": "USB", "online": "1"},
                "BAT0": {"type": "Battery", "status": "Discharging"},
            },
            False,
        ),
    ],
)
def test_whether_it_is_on_battery(
    supplies: dict[str, dict[str, str]], expected: bool, tmp_path: Path
) -> None:
    for name, values in supplies.items():
        (tmp_path / name).mkdir()
        for key, value in values.items():
            (tmp_path / name / key).write_text(value + "\n")
    assert on_battery(tmp_path) is expected
    assert on_battery(tmp_path / "nothing") is False


def test_conditions_are_looked_at_now_and_then() -> None:
    now, battery, load = 100.0, True, 0.5
    conditions = Conditions(
        pause_on_battery=True,
        pause_above_load=1.0,
        battery=lambda: battery,
        load=lambda: load,
        clock=lambda: now,
    )
    assert not conditions.may_go_on()
    assert conditions.reason == "on battery"
    battery = False
    assert not conditions.may_go_on()
    now += EVERY
    assert conditions.may_go_on()
    load, now = 1.25, now + EVERY
    assert not conditions.may_go_on()
    assert "1.2" in conditions.reason
    never = Conditions(
        pause_on_battery=False, pause_above_load=0, battery=lambda: True, load=lambda: 99.0
    )
    assert never.may_go_on()


def test_priorities_are_lowered() -> None:
    script = (
        "import os\n"
        "from tocsin.protect.schedule.priority import lower_priority\n"
        "from tocsin.sandbox import syscalls\n"
        "assert lower_priority(7, idle_io=True) == []\n"
        "print(os.getpriority(os.PRIO_PROCESS, 0), syscalls.call('ioprio_get', 1, 0) >> 13)\n"
        "assert lower_priority(3, idle_io=False) == []\n"
        "print(os.getpriority(os.PRIO_PROCESS, 0))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["7", "3", "7"], done.stderr


# --- where to look ------------------------------------------------------------------------


def mount(place: str, kind: str, device: int, root: str = "/", number: int = 0) -> Mount:
    return Mount(number, device, place, kind, "x", "rw", root)


def test_local_file_systems_once_each() -> None:
    found = local_file_systems(
        [
            mount("/", "ext4", 1),
            mount("/proc", "proc", 2),
            mount("/home", "btrfs", 3, "/@home"),
            mount("/snapshots", "btrfs", 3, "/@snapshots"),
            mount("/srv/again", "btrfs", 3, "/@home/srv"),
            mount("/srv/etc", "ext4", 1, "/etc"),
            mount("/tmp", "tmpfs", 4),
            mount("/mnt/nas", "nfs4", 5),
            mount("/mnt/win", "fuseblk", 6),
            mount("/mnt/ssh", "fuse.sshfs", 7),
            mount("/var/lib/docker/overlay2/x/merged", "overlay", 8),
            mount("/snap/core/1", "squashfs", 9),
            mount("/mnt/hidden", "ext4", 10),
            mount("/mnt/hidden", "nfs", 11),
        ]
    )
    assert found.tops == ("/", "/home", "/snap/core/1", "/snapshots", "/tmp")
    assert "/mnt/nas" in found.leave
    assert dict(found.passed_over) == {
        "/mnt/nas": "nfs4",
        "/mnt/win": "fuseblk",
        "/mnt/ssh": "fuse.sshfs",
        "/var/lib/docker/overlay2/x/merged": "overlay",
        "/mnt/hidden": "nfs",
    }


def test_the_root_is_looked_at_whatever_it_is() -> None:
    assert local_file_systems([mount("/", "overlay", 1)]).tops == ("/",)


def test_where_new_files_arrive() -> None:
    said = {"/home/a": '# x\nXDG_DOWNLOAD_DIR="$HOME/Geladen"\nXDG_DESKTOP_DIR="$HOME/"\n'}
    folders = quick_folders(["/home/a", "/home/b"], said)
    assert {"/tmp", "/home/a/Downloads", "/home/a/Geladen", "/home/b/Downloads"} <= set(folders)
    assert "/home/a" not in folders
    assert outermost(["/tmp/x/", "/tmp", "/tmpx", "/a/b"]) == ["/a/b", "/tmp", "/tmpx"]


# --- the scheduler ------------------------------------------------------------------------


class Run:
    """A process that ends when a test says so."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.told = 0

    def poll(self) -> int | None:
        return self.status

    def terminate(self) -> None:
        self.told += 1


class Bench:
    """A scheduler and what it started."""

    def __init__(self, state: Path, *tasks: TaskSettings) -> None:
        self.started: list[tuple[str, Run]] = []
        self.scheduler = Scheduler(
            tasks,
            state,
            self.start,
            following=lambda _, after: (after // 100 + 1) * 100,
            delay=lambda _: 0.0,
        )

    def start(self, task: TaskSettings) -> Run:
        self.started.append((task.name, Run()))
        return self.started[-1][1]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.started]


def scheduled(name: str = "t") -> TaskSettings:
    return TaskSettings(name=name, kind="critical", at="x")


def test_a_scheduler_starts_and_remembers_before_it_does(tmp_path: Path) -> None:
    bench = Bench(tmp_path, scheduled(), scheduled("u"))
    assert bench.scheduler.run_once(1000.0) == 60
    assert bench.scheduler.run_once(1090.0) == 10
    assert bench.names == []
    bench.scheduler.run_once(1100.0)
    assert bench.names == ["t", "u"]
    assert read_memory(tmp_path).tasks["t"].last == 1100.0
    bench.scheduler.close()
    assert [run.told for _, run in bench.started] == [1, 1]
    again = Bench(tmp_path, scheduled(), scheduled("u"))
    again.scheduler.run_once(1101.0)
    assert again.names == []
    again.scheduler.run_once(1200.0)
    assert again.names == ["t", "u"]
    again.scheduler.close()


def test_there_is_one_scheduler(tmp_path: Path) -> None:
    bench = Bench(tmp_path, scheduled())
    with pytest.raises(SettingsError, match="another process"):
        Bench(tmp_path, scheduled())
    bench.scheduler.close()
    Bench(tmp_path, scheduled()).scheduler.close()


def test_a_task_that_runs_is_not_started_a_second_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path, scheduled())
    bench.scheduler.run_once(1000.0)
    bench.scheduler.run_once(1100.0)
    bench.scheduler.run_once(1200.0)
    assert len(bench.started) == 1
    bench.started[0][1].status = 0
    bench.scheduler.run_once(1300.0)
    assert len(bench.started) == 2
    bench.started[1][1].status = 0
    by_hand = Lock(Files.of(tmp_path, "t").lock)
    assert by_hand.take()
    bench.scheduler.run_once(1400.0)
    assert len(bench.started) == 2
    by_hand.close()
    bench.scheduler.close()


def test_an_interrupted_task_is_taken_up_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tocsin.protect.schedule import scheduler as module

    now = 5000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    files = Files.of(tmp_path, "t")
    write_state(files.progress, Progress(state=State.RUNNING, pid=1))
    bench = Bench(tmp_path, scheduled())
    for _ in range(60):
        bench.scheduler.run_once(1000.0)
        for _, run in bench.started:
            run.status = -signal.SIGKILL
        now += 30.0
    assert len(bench.started) == 3
    assert "3 times in a row" in bench.scheduler.trouble
    write_state(files.progress, Progress(state=State.FINISHED))
    now += 1000
    bench.scheduler.run_once(1000.0)
    write_state(files.progress, Progress(state=State.RUNNING))
    now += 1000
    bench.scheduler.run_once(1000.0)
    assert len(bench.started) == 4
    bench.scheduler.close()


def test_stopped_by_somebody_is_not_interrupted(tmp_path: Path) -> None:
    write_state(Files.of(tmp_path, "t").progress, Progress(state=State.STOPPED))
    bench = Bench(tmp_path, scheduled())
    bench.scheduler.run_once(1000.0)
    assert bench.started == []
    bench.scheduler.close()


def test_a_full_disk_starts_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, scheduled())
    bench.scheduler.run_once(1000.0)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files_module.os, "fsync", full)
    bench.scheduler.run_once(1100.0)
    bench.scheduler.run_once(1101.0)
    assert len(bench.started) == 1
    assert "No space left" in bench.scheduler.trouble
    bench.scheduler.close()

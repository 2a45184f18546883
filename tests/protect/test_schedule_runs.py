"""Tasks that really run: killed and stopped on their way, they go on where they were."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

from engine_samples import BODY_RULE, COMMAND, PAYLOAD, environment, isolation, tocsin

from tocsin.app import task_parts, tasks
from tocsin.app.scan import ScanRun
from tocsin.app.settings import load_settings
from tocsin.app.walk import Walk, WalkOptions
from tocsin.errors import TocsinError, UsageError
from tocsin.protect.journal.event import Kind
from tocsin.protect.journal.store import Filter, Journal
from tocsin.protect.mounts import Mount
from tocsin.protect.schedule.files import Lock, read_state
from tocsin.protect.schedule.progress import Checkpoint, Files, Progress, State, read_progress
from tocsin.settings import Settings

RUNNER = str(Path(__file__).with_name("task_runner.py"))


class Device:
    """A folder with files, settings that name tasks, and state of their own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.data = place / "data"
        self.log = place / "log"
        self.state = place / "own" / "state"
        self.rules = place / "a.ndb"
        self.rules.write_text(BODY_RULE)
        self.settings_file = place / "tocsin.toml"

    def settle(self, **tasks_: str) -> Settings:
        text = f'[database]\nsources = ["{self.rules}"]\nwith_default = false\n'
        text += '[daemon]\napi_socket = "/nonexistent/api.sock"\n'
        for name, stated in tasks_.items():
            text += f'[[task]]\nname = "{name}"\npause_on_battery = false\n'
            text += f"nice = 0\nidle_io = false\n{stated}\n"
        self.settings_file.write_text(text)
        self.settings_file.chmod(0o644)
        return load_settings(self.settings_file).settings

    def fill(self, count: int) -> None:
        for number in range(count):
            folder = self.data / f"d{number % 7}" / f"e{number % 3}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"f{number:04}").write_bytes(b"%d" % number * 50)
        (self.data / "caf\udce9").write_bytes(b"x")

    def files(self, name: str = "t") -> Files:
        return Files.of(self.state, name)

    def start(self, seconds: float = 0.0) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, RUNNER, str(self.settings_file), "t", str(self.log), str(seconds)],
            env=environment(self.place),
            stderr=subprocess.PIPE,
        )

    def reported(self) -> list[str]:
        if not self.log.exists():
            return []
        return self.log.read_text(errors="surrogateescape").splitlines()

    def events(self) -> list[tuple[Kind, str, str]]:
        journal = Journal(self.state / "journal" / "journal.db", read_only=True)
        found = [(e.kind, e.origin, e.action) for e in journal.read(Filter())]
        journal.close()
        return found


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    for name, value in isolation(tmp_path).items():
        monkeypatch.setenv(name, value)
    return Device(tmp_path)


def wait_for(true: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def custom(device: Device, more: str = "") -> str:
    return f'kind = "custom"\npaths = ["{device.data}"]\nincremental = false\n{more}'


def run(
    settings: Settings, name: str = "t", *, from_start: bool = False
) -> tuple[Progress, tasks.TaskRun]:
    task = tasks.TaskRun(settings, tasks.task_named(settings, name))
    return task.run(from_start=from_start), task


# --- interrupted --------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_run_that_was_killed_goes_on_behind_its_checkpoint(device: Device, jobs: int) -> None:
    device.fill(300)
    device.settle(t=custom(device, f"jobs = {jobs}"))
    process = device.start(0.002)
    wait_for(lambda: len(device.reported()) > 80, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = device.reported()
    assert len(first) < 301
    assert read_progress(device.files()).state is State.INTERRUPTED
    checkpoint = read_state(device.files().checkpoint, Checkpoint)
    assert checkpoint is not None
    order = list(Walk(WalkOptions()).items([str(device.data)]))
    number = order.index(os.fsdecode(checkpoint.path))
    assert number > 20
    assert set(order[: number + 1]) <= set(first)
    new = device.data / "d6" / "zzz"
    new.write_bytes(b"made meanwhile")
    Path(str(order[number])).unlink()  # the very file that the checkpoint names
    device.log.unlink()
    process = device.start()
    assert process.wait() == 0
    second = device.reported()
    assert sorted(second) == sorted([*map(str, order[number + 1 :]), str(new)])
    progress = read_progress(device.files())
    assert progress.state is State.FINISHED
    assert progress.resumed
    assert not device.files().checkpoint.exists()
    assert [action for _, _, action in device.events()] == ["started", "started", "finished"]


def test_stop_writes_where_to_go_on(device: Device) -> None:
    device.fill(200)
    device.settle(t=custom(device))
    process = device.start(0.005)
    wait_for(lambda: len(device.reported()) > 20, process)
    done = tocsin(device.place, "--config", device.settings_file, "task", "stop", "t")
    assert done.returncode == 0, done.stderr
    assert process.wait() == 2
    first = device.reported()
    assert read_progress(device.files()).state is State.STOPPED
    again = tocsin(device.place, "--config", device.settings_file, "task", "stop", "t")
    assert again.returncode == 1
    device.log.unlink()
    process = device.start()
    assert process.wait() == 0
    second = device.reported()
    assert set(first) & set(second) == set()
    assert len(first) + len(second) == 201
    assert read_progress(device.files()).files == 201


def test_from_the_start_when_that_is_asked_for_or_too_long_ago(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.fill(10)
    settings = device.settle(t=custom(device))
    run(settings)
    files = device.files()
    place = device.data / "d3" / "e0" / "f0003"
    stopped = Checkpoint(
        part="paths", place=0, path=bytes(place), written=time.time(), progress=Progress(files=4)
    )
    for from_start, written, expected in (
        (False, time.time(), "less"),
        (True, time.time(), "all"),
        (False, time.time() - tasks.TOO_OLD - 1, "all"),
    ):
        stopped.written = written
        tasks.write_state(files.checkpoint, stopped)
        progress, _ = run(settings, from_start=from_start)
        assert progress.resumed == (expected == "less")
        assert (progress.files == 11) == (expected == "all")


def test_a_part_that_is_gone_begins_anew(device: Device) -> None:
    device.fill(5)
    settings = device.settle(t=custom(device))
    gone = Checkpoint(
        part="/mnt/gone", place=0, path=b"/x", written=time.time(), progress=Progress()
    )
    tasks.write_state(device.files().checkpoint, gone)
    progress, _ = run(settings)
    assert progress.files == 6


# --- one run ------------------------------------------------------------------------------


def test_what_is_found_is_acted_on_and_journalled(device: Device) -> None:
    device.fill(3)
    (device.data / "bad").write_bytes(PAYLOAD)
    settings = device.settle(t=custom(device, 'action = "quarantine"'))
    progress, task = run(settings)
    assert (progress.found, progress.acted, progress.failed) == (1, 1, 0)
    assert tasks.exit_status(progress) == 1
    assert task.trouble == []
    assert not (device.data / "bad").exists()
    events = device.events()
    assert (Kind.DETECTION, "task:t", "") in events
    assert (Kind.ACTION, "task:t", "quarantined") in events
    assert events[-1] == (Kind.TASK, "task:t", "finished")


def test_the_users_own_command_is_run(device: Device, tmp_path: Path) -> None:
    device.fill(1)
    (device.data / "bad").write_bytes(PAYLOAD)
    device.settle(t=custom(device))
    out = tmp_path / "out"
    out.mkdir()
    out.chmod(0o777)
    told = out / "told"
    script = tmp_path / "tell"
    script.write_text(f'#!/bin/sh\necho "$(id -u) $TOCSIN_SIGNATURE $TOCSIN_PATH" > {told}\n')
    script.chmod(0o755)
    uid = os.geteuid()
    if uid == 0:
        uid = pwd.getpwnam("nobody").pw_uid
        for folder in (tmp_path, *tmp_path.parents):  # that user has to get there
            if folder.owner() == "root":
                folder.chmod(folder.stat().st_mode | 0o011)
    settings = load_settings(device.settings_file).settings
    replace = msgspec.structs.replace
    settings = replace(
        settings,
        daemon=replace(settings.daemon, user="nobody"),
        on_finding=replace(settings.on_finding, command=(str(script),)),
    )
    run(settings)
    assert told.read_text() == f"{uid} Test.Needle {device.data}/bad\n"


def test_it_waits_while_it_must_and_then_goes_on(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.fill(30)
    settings = device.settle(t=custom(device))
    task = tasks.TaskRun(settings, tasks.task_named(settings, "t"))
    asked = 0
    states = []

    def may_go_on() -> bool:
        nonlocal asked
        asked += 1
        task._conditions.reason = "on battery" if 10 < asked < 13 else ""
        states.append(read_progress(device.files()).state)
        return not task._conditions.reason

    monkeypatch.setattr(task._conditions, "may_go_on", may_go_on)
    progress = task.run()
    assert progress.state is State.FINISHED
    assert progress.files == 31
    assert State.PAUSED in states


def test_a_task_runs_once_at_a_time(device: Device) -> None:
    settings = device.settle(t=custom(device))
    held = Lock(device.files().lock)
    assert held.take()
    with pytest.raises(UsageError, match="runs already"):
        run(settings)
    held.close()


def test_a_task_that_cannot_be_run_says_so(device: Device) -> None:
    settings = device.settle(t=custom(device))
    device.rules.unlink()
    with pytest.raises(TocsinError):
        run(settings)
    progress = read_progress(device.files())
    assert progress.state is State.FAILED
    assert str(device.rules) in progress.detail
    assert device.events()[-1] == (Kind.TASK, "task:t", "failed")


def test_an_unknown_task_names_those_there_are(device: Device) -> None:
    settings = device.settle(t=custom(device))
    with pytest.raises(UsageError, match="there are: t"):
        tasks.task_named(settings, "x")


@pytest.mark.parametrize("kind", ["quick", "critical", "full", "reexamination"])
def test_each_kind_looks_where_it_says(
    device: Device, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.fill(4)
    (device.data / "bad").write_bytes(PAYLOAD)
    device.place.joinpath("other").mkdir()
    mounts = [
        Mount(1, 1, str(device.data), "ext4", "x", "rw"),
        Mount(2, 2, str(device.data / "d1"), "nfs", "x", "rw"),
        Mount(3, 3, str(device.place / "other"), "tmpfs", "x", "rw"),
    ]
    monkeypatch.setattr(task_parts, "read_mounts", lambda: mounts)
    monkeypatch.setattr(task_parts, "_quick_paths", lambda: (str(device.data),))
    asked = []

    def sources(self: ScanRun) -> object:
        asked.append((self._request.memory, self._request.critical))
        return iter(())

    monkeypatch.setattr(ScanRun, "_sources", sources)
    settings = device.settle(q=custom(device, 'action = "quarantine"'), t=f'kind = "{kind}"')
    if kind == "reexamination":
        run(settings, "q")
        asked.clear()
    progress, _ = run(settings)
    assert progress.state is State.FINISHED
    if kind == "critical":
        assert asked == [(False, True)]
    elif kind == "quick":
        assert asked == [(False, True), (True, False), (False, False)]
        assert (progress.files, progress.found) == (6, 1)
    elif kind == "full":
        assert len(asked) == 2
        assert (progress.files, progress.found) == (5, 1)  # all but what is in d1
    else:
        assert asked == []
        assert (progress.files, progress.found) == (1, 1)


# --- commands -----------------------------------------------------------------------------


def test_the_list_and_a_run_by_command(device: Device) -> None:
    device.fill(3)
    device.settle(t=custom(device, 'at = "0 3 * * *"'), u='kind = "critical"')
    config = ("--config", device.settings_file)
    before = tocsin(device.place, *config, "task", "list", "--json")
    rows = [json.loads(line) for line in before.stdout.splitlines()]
    assert [(row["name"], row["state"], row["last"]) for row in rows] == [
        ("t", "never run", 0),
        ("u", "never run", 0),
    ]
    assert time.time() < rows[0]["next"] <= time.time() + 86400 + 3600
    assert rows[1]["next"] == 0
    done = tocsin(device.place, *config, "task", "run", "t")
    assert done.returncode == 0, done.stderr
    assert b"finished" in done.stdout
    after = tocsin(device.place, *config, "task", "list", env={"COLUMNS": "200"})
    assert b"finished: 4 objects, 0 found" in after.stdout
    unknown = tocsin(device.place, *config, "task", "run", "x")
    assert unknown.returncode == 2
    assert b"there are: t, u" in unknown.stderr


def test_a_scheduler_in_the_foreground_takes_up_what_was_interrupted(device: Device) -> None:
    device.fill(3)
    device.settle(t=custom(device))
    tasks.write_state(device.files().progress, Progress(state=State.RUNNING, pid=1))
    process = subprocess.Popen(
        [*COMMAND, "--config", str(device.settings_file), "task", "schedule"],
        env=environment(device.place),
        stderr=subprocess.PIPE,
    )
    wait_for(lambda: read_progress(device.files()).state is State.FINISHED, process)
    second = tocsin(device.place, "--config", device.settings_file, "task", "schedule")
    assert second.returncode == 2
    assert b"already" in second.stderr
    process.terminate()
    assert process.wait() == 0
    assert process.stderr is not None
    process.stderr.close()

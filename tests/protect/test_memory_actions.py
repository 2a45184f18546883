"""Ending what is found in memory, and telling the daemon's processes from others."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from engine_samples import tocsin
from memory_children import mapping, own_marker, program, sleeping

from tocsin.app.own_processes import daemon_sessions
from tocsin.protect.actions import terminate
from tocsin.protect.processes import ancestors, read_process, running


def test_what_is_found_in_memory_is_ended_and_nothing_else(tmp_path: Path) -> None:
    rules = tmp_path / "a.ndb"
    with mapping(own_marker(rules)) as bad, mapping(b"x") as good:
        command = ("scan", "--memory", "--json", "--db", rules, "--action", "terminate")
        done = tocsin(tmp_path, *command)
        assert bad.process.wait(10) == -9
        assert good.process.poll() is None
    (line,) = [
        values
        for values in map(json.loads, done.stdout.splitlines())
        if values["verdict"] == "infected"
    ]
    assert line["outcome"]["state"] == "terminated"
    assert f"process {bad.pid}" in line["outcome"]["detail"]
    events = tocsin(tmp_path, "events", "--json")
    actions = [json.loads(said).get("action") for said in events.stdout.splitlines()]
    assert "terminated" in actions


def test_a_mapped_file_is_taken_away_by_its_name(tmp_path: Path) -> None:
    rules = tmp_path / "a.ndb"
    path = program(tmp_path, tail=own_marker(rules))
    with sleeping(path):
        done = tocsin(tmp_path, "scan", "--memory", "--db", rules, "--action", "delete")
        assert done.returncode == 1, done.stderr
        assert not path.exists()


def test_whom_this_depends_on_is_never_ended() -> None:
    above = ancestors(os.getpid())
    assert os.getppid() in above
    for pid in (0, 1, -1, os.getpid(), *above):
        start = read_process(pid).start if pid > 1 else 0
        outcome = terminate(pid, start)
        assert outcome.failed
        assert "depends on it" in outcome.detail
    assert all(read_process(pid) for pid in above if pid)


def test_threads_of_the_kernel_are_never_ended() -> None:
    kernel = next((p for p in running() if p.kernel and p.pid > 1), None)
    if kernel is None:
        pytest.skip("none can be seen from here")
    outcome = terminate(kernel.pid, kernel.start)
    assert outcome.failed
    assert "kernel" in outcome.detail or os.geteuid()


def test_children_that_go_on_are_named() -> None:
    script = (
        "import subprocess, time; c = subprocess.Popen(['sleep', '1000']); "
        "print(c.pid, flush=True); time.sleep(1000)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    start = read_process(child).start
    outcome = terminate(process.pid, read_process(process.pid).start)
    process.wait()
    process.stdout.close()
    assert outcome.state == "terminated"
    assert f"{child} (sleep)" in outcome.detail
    assert terminate(child, start + 1).failed
    assert terminate(child, start).state == "terminated"


def test_the_daemon_is_told_by_who_listens(tmp_path: Path) -> None:
    place = str(tmp_path / "api.sock")
    assert daemon_sessions(place) == daemon_sessions("") == ()
    script = (
        "import os, socket, sys\n"
        "os.setsid(); s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, place], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert daemon_sessions(place) == (process.pid,)
    process.communicate()
    with socket.socket(socket.AF_UNIX) as nobody:
        nobody.bind(str(tmp_path / "deaf"))
        assert daemon_sessions(str(tmp_path / "deaf")) == ()

"""Nobody is kept waiting by what somebody else asks for."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from running_daemon import MARKER, RunningDaemon, eicar, piece, running_daemon

from tocsin.protect.daemon.fair_queue import FairQueue

PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
STREAM = b"zINSTREAM\0" + piece(MARKER) + piece(b"")

_MANY_HUGE = """
import os, socket, sys, time
ends = []
for _ in range(int(sys.argv[2])):
    descriptor = os.memfd_create("huge")
    os.ftruncate(descriptor, 1 << 50)
    end = socket.socket(socket.AF_UNIX); end.connect(sys.argv[1])
    end.sendall(b"zFILDES\\0"); socket.send_fds(end, [b"\\0"], [descriptor]); ends.append(end)
print("asked", flush=True)
time.sleep(60)
"""
_MANY_IDLE = """
import socket, sys, time
ends = []
for _ in range(int(sys.argv[2])):
    end = socket.socket(socket.AF_UNIX); end.connect(sys.argv[1]); end.sendall(sys.argv[3].encode())
    ends.append(end)
print("asked", flush=True)
time.sleep(60)
"""
_WALKS = """
import socket, sys, time
for _ in range(64):
    end = socket.socket(socket.AF_UNIX); end.connect(sys.argv[1])
    end.sendall(b"zSCAN " + sys.argv[2].encode() + b"\\0")
    end.close()
print("asked", flush=True)
time.sleep(60)
"""


@contextlib.contextmanager
def stranger(program: str, *arguments: str) -> Iterator[None]:
    """A user without rights who does something, and goes on with it for a while."""
    process = subprocess.Popen(
        [PYTHON, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        user=54_321,
        group=54_321,
        extra_groups=[],
        cwd="/",
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"asked\n"
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def answered(daemon: RunningDaemon, asked: bytes, patience: float) -> bytes:
    with daemon.connect(patience) as end:
        end.sendall(asked)
        found = b""
        while chunk := end.recv(4096):
            found += chunk
        return found


@as_root
def test_huge_files_of_one_user_hold_up_neither_others_nor_the_guard() -> None:
    with running_daemon() as daemon:
        with stranger(_MANY_HUGE, daemon.socket, "20"):
            assert answered(daemon, STREAM, 30).endswith(b"FOUND\0")
            assert answered(daemon, STREAM, 30).endswith(b"FOUND\0")
        daemon.wait_until(lambda: daemon.status()["queue"]["pending"] == 0)  # they have gone
        daemon.stop()
        guarded = daemon.folder / "guarded"
        guarded.mkdir()
        (guarded / "bad").write_bytes(eicar())
        daemon = RunningDaemon(
            daemon.folder,
            guard=GUARD | {"folders": [str(guarded)]},
            database={"with_default": True},
        ).start()
        try:
            daemon.wait_until(lambda: daemon.status()["guard"].get("active"))
            with stranger(_MANY_HUGE, daemon.socket, "20"):
                for number in range(5):
                    bad = guarded / f"bad {number}"
                    bad.write_bytes(eicar() + b" " * number)
                    with pytest.raises(PermissionError):
                        bad.read_bytes()
                assert daemon.status()["guard"]["timed_out"] == 0
        finally:
            daemon.stop()


GUARD = {"enabled": True, "fallback": "allow", "deadline": 10.0}


@as_root
def test_idle_connections_of_one_user_leave_room_for_others() -> None:
    with running_daemon(daemon={"max_connections": 50}) as daemon:
        with stranger(_MANY_IDLE, daemon.socket, "300", "zIDSESSION\0".replace("\0", "")):
            assert answered(daemon, b"zPING\0", 10) == b"PONG\0"
            status = daemon.status()
            assert status["clients"] <= 100
        with stranger(_MANY_IDLE, daemon.api, "150", "GET"):
            assert daemon.status()["ready"]


@as_root
def test_folders_without_files_hold_no_thread() -> None:
    with running_daemon() as daemon:
        tree = daemon.folder / "tree"
        for number in range(3000):
            (tree / str(number % 50) / str(number)).mkdir(parents=True)
        place = daemon.folder / "file"
        place.write_bytes(MARKER)
        with stranger(_WALKS, daemon.socket, str(tree)):
            assert answered(daemon, b"zSCAN %s\0" % bytes(place), 20).endswith(b"FOUND\0")


@as_root
def test_unread_answers_cost_the_daemon_little() -> None:
    with running_daemon() as daemon:
        closed = daemon.folder / "closed"
        closed.mkdir()
        for number in range(4000):
            (closed / f"{'x' * 180}{number}").touch(mode=0)
        body = json.dumps({"paths": [str(closed)] * 500}).encode()
        asked = b"POST /v1/scan HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        pids = daemon.status()["processes"]
        before = {name: _resident(pids[name]) for name in ("front", "keeper")}
        program = _MANY_IDLE.replace("sys.argv[3].encode()", "open(sys.argv[3], 'rb').read()")
        request = daemon.folder / "request"
        request.write_bytes(asked + body)
        with stranger(program, daemon.api, "10", str(request)):
            time.sleep(3)
            after = {name: _resident(pids[name]) for name in before}
        assert all(after[name] < before[name] + 40_000 for name in before), (before, after)


def _resident(pid: int) -> int:
    """KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError(pid)


def test_who_leaves_stops_what_they_asked_for() -> None:
    with running_daemon() as daemon:
        ends = []
        for _ in range(6):
            descriptor = os.memfd_create("huge")
            os.ftruncate(descriptor, 1 << 50)
            end = daemon.connect()
            end.sendall(b"zFILDES\0")
            socket.send_fds(end, [b"\0"], [descriptor])
            os.close(descriptor)
            ends.append(end)
        daemon.wait_until(lambda: daemon.status()["queue"]["pending"] == 6)
        for end in ends:
            end.close()
        daemon.wait_until(lambda: daemon.status()["queue"]["pending"] == 0)
        assert daemon.ask(STREAM).endswith(b"FOUND\0")


def test_a_path_ends_where_its_name_says() -> None:
    with running_daemon() as daemon:
        place = daemon.folder / "file"
        place.write_bytes(MARKER)
        assert b"FOUND" not in daemon.ask(b"nSCAN %s\0more\n" % bytes(place))


# --- the queue -------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["add", "take", "end", "remove"]))))
def test_queue_gives_everything_once_and_serves_who_has_least(
    steps: list[tuple[int, str]],
) -> None:
    queue, waiting, running = FairQueue(), {}, {}
    for number, (owner, step) in enumerate(steps):
        if step == "add":
            queue.add(owner, number)
            waiting[number] = owner
        elif step == "take" and waiting:
            taken = queue.take()
            mine = waiting.pop(taken)
            least = min(_count(running, each) for each in {mine, *waiting.values()})
            assert _count(running, mine) == least
            assert all(taken < other for other, its in waiting.items() if its == mine)
            running[taken] = mine
        elif step == "end" and running:
            queue.ended(running.pop(min(running)))
        elif step == "remove" and waiting:
            gone = max(waiting)
            assert queue.remove(waiting.pop(gone), gone)
        assert len(queue) == len(waiting)
        assert sum(queue.under_way.values()) == len(running)
        heads = {its for its in waiting.values() if not _count(running, its)}
        assert {its for its, _ in queue.heads()} == heads


def _count(running: dict[int, int], owner: int) -> int:
    return sum(each == owner for each in running.values())


def test_queue_that_is_empty_says_so() -> None:
    with pytest.raises(IndexError):
        FairQueue().take()
    assert not FairQueue().remove(1, 2)

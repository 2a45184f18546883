"""One host takes over from another: loaded beside it where there is room, and whatever ends it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from protect.running_daemon import RunningDaemon, piece, running_daemon
from tocsin.protect.daemon import ports
from tocsin.protect.daemon.control_messages import DatabaseFacts, HostNote
from tocsin.protect.daemon.ports import Ports, has_room_for_two

ADDED = b"what the next database knows"


def hosts(daemon: RunningDaemon) -> list[int]:
    """Processes of the daemon that hold an index, or are to hold one.

    Its own children alone: what a host forks has the host's name for a moment.
    """
    assert daemon.process is not None
    pid, found = daemon.process.pid, []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{child}/comm").read_text().strip() == "tocsin host":
                found.append(int(child))
    return sorted(found)


def the_host(daemon: RunningDaemon) -> int:
    """The kernel's list of children may miss one while others come and go: proc(5)."""
    (pid,) = daemon.wait_until(lambda: len(found := hosts(daemon)) == 1 and found)
    return int(pid)


def knows_it(daemon: RunningDaemon) -> bool:
    return daemon.ask(b"zINSTREAM\0" + piece(ADDED) + piece(b"")).endswith(b"FOUND\0")


def change(daemon: RunningDaemon) -> None:
    (daemon.folder / "db" / "more.ndb").write_text(f"Test.More:0:*:{ADDED.hex()}\n")
    daemon.ask(b"zRELOAD\0")


def two_hosts(daemon: RunningDaemon) -> list[int]:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if len(found := hosts(daemon)) == 2:
            return found
    raise AssertionError("there was one host all the time")


def test_the_next_host_loads_while_the_old_one_answers() -> None:
    with running_daemon(database={"with_default": False}) as daemon:
        old = the_host(daemon)
        change(daemon)
        assert old in two_hosts(daemon)
        assert daemon.status()["processes"]["host"] == old
        daemon.wait_until(lambda: knows_it(daemon))
        daemon.wait_until(lambda: not Path(f"/proc/{old}").exists())
        assert the_host(daemon) != old


def test_a_next_host_that_is_ended_is_replaced_and_nothing_is_lost() -> None:
    """As when memory is short after all: then one host comes after the other."""
    with running_daemon(database={"with_default": False}) as daemon:
        old = the_host(daemon)
        change(daemon)
        (warming,) = set(two_hosts(daemon)) - {old}
        os.kill(warming, signal.SIGKILL)
        daemon.wait_until(lambda: knows_it(daemon), 30)
        assert warming not in hosts(daemon)


def test_the_daemon_ends_while_a_host_loads() -> None:
    with running_daemon(database={"with_default": False}) as daemon:
        change(daemon)
        both = two_hosts(daemon)
        assert daemon.stop() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in both)


class Recording:
    """A child that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, int]] = []

    def send(self, message: object, descriptors: tuple[int, ...] = ()) -> bool:
        self.told.append((message, len([os.dup(each) for each in descriptors])))
        return True


def test_each_who_asks_gets_its_end_when_it_is_time() -> None:
    given = Ports(("front", "guard"))
    assert len(given.descriptors()) == 4
    front, guard = Recording(), Recording()
    facts = DatabaseFacts(identity="next")
    given.give({"front": front, "guard": guard}, facts)  # type: ignore[dict-item]
    assert front.told == [(HostNote(facts), 2)]
    assert guard.told == [(HostNote(facts), 2)]


def test_a_host_whose_ports_are_let_go_sees_their_end() -> None:
    let_go = Ports(("front",))
    ((requests, answers),) = let_go.theirs
    let_go.close()
    requests.setblocking(False)
    assert requests.recv(1) == b""
    assert isinstance(answers, socket.socket)
    let_go.host_has_them()


def test_whether_there_is_room_is_told_by_what_is_free(tmp_path, monkeypatch) -> None:
    memory = tmp_path / "meminfo"
    monkeypatch.setattr(ports, "_MEMORY", memory)
    memory.write_text("MemTotal: 9 kB\nMemAvailable:    64000000 kB\n")
    assert has_room_for_two(os.getpid())
    memory.write_text("MemTotal: 9 kB\nMemAvailable:    200000 kB\n")
    assert not has_room_for_two(os.getpid())


@pytest.mark.parametrize("text", ["", "MemAvailable: many kB\n"])
def test_where_it_cannot_be_told_there_is_no_room(tmp_path, monkeypatch, text: str) -> None:
    (tmp_path / "meminfo").write_text(text)
    monkeypatch.setattr(ports, "_MEMORY", tmp_path / "meminfo")
    assert not has_room_for_two(os.getpid())


def test_a_process_that_is_gone_needs_no_room_beside_it() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert not has_room_for_two(gone.pid)

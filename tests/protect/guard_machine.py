"""A guard, an engine and a file system of their own, for tests: the daemon without the daemon."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tocsin.database.cache import open_database
from tocsin.engine.host import run_host
from tocsin.engine.host_port import HostEnd
from tocsin.engine.options import Options
from tocsin.errors import ChannelClosed
from tocsin.protect.daemon.channel import Channel
from tocsin.protect.daemon.control_messages import (
    ChildStateWish,
    DatabaseFacts,
    HappenedWish,
    HoldNote,
    HostNote,
    ReadyWish,
    StopNote,
    TakeWish,
    from_child,
)
from tocsin.protect.daemon.rights import end_with_parent
from tocsin.protect.guard.fanotify import Group
from tocsin.protect.guard.guard import run_guard
from tocsin.protect.journal.event import Event
from tocsin.settings import GuardSettings

LONGEST = 60
"""Seconds after which everything ends by itself, whatever hangs."""

_PATIENCE = 15.0


def why_not() -> str:
    """Why these tests cannot run here, or empty."""
    if os.geteuid() != 0:
        return "only root may be asked before files are opened"
    try:
        Group(permission=True).close()
    except OSError as error:
        return f"this kernel does not ask before files are opened: {error}"
    return ""


needs_fanotify = pytest.mark.skipif(bool(why_not()), reason=why_not() or "it can")


def eicar() -> bytes:
    """The test file, put together here so that no scanner takes this module for it."""
    parts = ("X5O!P%@AP[4", "PZX54(P^)7CC)7}$", "EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!$H+H*")
    return (parts[0] + chr(92) + "".join(parts[1:])).encode()


@contextmanager
def mounted(place: Path, kind: str = "tmpfs", *options: str) -> Iterator[Path]:
    """A file system of one's own; `bind` takes what is to be seen as the first option."""
    place.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", kind, *options, "tocsin-test", str(place)]
    if kind == "bind":
        command = ["mount", "--bind", options[0], str(place)]
    elif kind == "ext4":
        image = place.with_suffix(".img")
        subprocess.run(["truncate", "-s", "64M", str(image)], check=True)
        subprocess.run(["mkfs.ext4", "-qF", *options, str(image)], check=True)
        command = ["mount", "-o", "loop", str(image), str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


class Machine:
    """Processes as the daemon has them, in a session of their own.

    Args:
        settings: of the guard.
        sources: signatures; those that come with the package when there are none.
        workers: of each host.
        removable: where what is mounted counts as a removable medium.
        user: as whom the guard runs.
    """

    def __init__(
        self,
        settings: GuardSettings,
        sources: tuple[Path, ...] = (),
        workers: int = 2,
        removable: Path | None = None,
        user: int = 0,
    ) -> None:
        self.settings = settings
        self.workers = workers
        self.events: list[Event] = []
        self.findings: list[tuple[TakeWish, int]] = []
        self.state: dict[str, Any] = {}
        self.ready = False
        self.generation = 0
        self.host = 0
        self._sources = sources
        open_database(list(sources) or None)  # in this process, once: the others find the index
        self._leader, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._pid = os.fork()
        if self._pid == 0:
            _lead(theirs, workers, os.fspath(removable or "/nowhere"), user)
        theirs.close()
        self.guard = self._start_guard()

    def __enter__(self) -> Machine:
        self.until(lambda: self.ready)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _start_guard(self) -> int:
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        socket.send_fds(
            self._leader, [b"g" + msgspec.msgpack.encode(self.settings)], [its.fileno()]
        )
        its.close()
        self.control = Channel(mine, from_child)
        return int(self._leader.recv(64))

    def start_host(self, sources: tuple[Path, ...] | None = None) -> int:
        """Have another host, and the guard told of it; its process."""
        if sources is not None:
            self._sources = sources
        requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        answers = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        names = [os.fspath(source) for source in self._sources]
        socket.send_fds(
            self._leader,
            [b"h" + msgspec.msgpack.encode(names)],
            [requests[1].fileno(), answers[1].fileno()],
        )
        self.host = int(self._leader.recv(64))
        self.generation += 1
        facts = DatabaseFacts(generation=self.generation, identity=f"test-{self.generation}")
        self.control.send(HostNote(facts), [requests[0].fileno(), answers[0].fileno()])
        for end in (*requests, *answers):
            end.close()
        return self.host

    def hold(self) -> None:
        """Tell the guard that another host comes."""
        self.control.send(HoldNote())

    def a_worker(self) -> int:
        """One of the host's workers, 0 when there is none."""
        children = Path(f"/proc/{self.host}/task/{self.host}/children").read_text().split()
        return int(children[0]) if children else 0

    def listen(self, seconds: float) -> None:
        """Hear what the guard says."""
        readable, _, _ = select.select([self.control], [], [], seconds)
        if not readable:
            return
        with suppress(ChannelClosed):
            while (received := self.control.receive()) is not None:
                message, descriptors = received
                if isinstance(message, HappenedWish):
                    self.events.append(message.event)
                elif isinstance(message, ChildStateWish):
                    self.state = message.state
                elif isinstance(message, ReadyWish):
                    self.ready = True
                elif isinstance(message, TakeWish):
                    self.findings.append((message, descriptors[0]))

    def until(self, what: Callable[[], bool]) -> None:
        """Hear what the guard says until something is so."""
        end = time.monotonic() + _PATIENCE
        while not what():
            assert time.monotonic() < end, f"not so in {_PATIENCE:g} s: {self.state} {self.events}"
            self.listen(0.05)

    def said(self, words: str) -> bool:
        """Whether an event's message has these words."""
        return any(words in event.message for event in self.events)

    def stop_guard(self) -> None:
        """Have the guard end in good order, and wait for that."""
        self.control.send(StopNote())
        self.until(lambda: not alive(self.guard))

    def close(self) -> None:
        """End everything."""
        for _, descriptor in self.findings:
            os.close(descriptor)
        self.findings.clear()
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)  # the others end with it
        os.waitpid(self._pid, 0)
        with suppress(ProcessLookupError):
            os.kill(self.guard, signal.SIGKILL)  # one that became a user does not
        end = time.monotonic() + _PATIENCE
        while alive(self.guard) and time.monotonic() < end:
            time.sleep(0.01)
        self.control.close()
        self._leader.close()


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] not in "ZX"
    except OSError:
        return False


def _lead(commands: socket.socket, workers: int, removable: str, user: int) -> None:
    """The process that the others are children of; ends with the test's."""
    try:
        end_with_parent(os.getppid())
        os.setsid()
        signal.alarm(LONGEST)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            data, descriptors, _, _ = socket.recv_fds(commands, 1 << 16, 8)
            if not data:
                os._exit(0)
            leader = os.getpid()
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                end_with_parent(leader)
                commands.close()
                ends = [socket.socket(fileno=each) for each in descriptors]
                if data[:1] == b"g":
                    _guard(data[1:], ends[0], removable, user)
                _host(data[1:], ends, workers)
            for descriptor in descriptors:
                os.close(descriptor)
            commands.send(str(pid).encode())
    finally:
        os._exit(1)


def _guard(data: bytes, end: socket.socket, removable: str, user: int) -> None:
    try:
        settings = msgspec.msgpack.decode(data, type=GuardSettings)
        session = os.getsid(0)
        if user:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        run_guard(settings, end, session, lambda mount: mount.place.startswith(removable))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _host(data: bytes, ends: list[socket.socket], workers: int) -> None:
    try:
        paths = [Path(name) for name in msgspec.msgpack.decode(data, type=list[str])] or None
        run_host(lambda: open_database(paths), Options(), workers, [HostEnd(*ends)])
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)

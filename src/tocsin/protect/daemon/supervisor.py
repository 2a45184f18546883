"""The first process: forks the others, hears when one ends, and forks it anew.

It parses nothing, holds no index and talks to no client; that is why it can stay what it was
started as. Children are plain functions: each gets its end of a channel and lives until its
work is done. A child that ends too often is left alone for a while, longer each time.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from types import FrameType
from typing import NamedTuple

from tocsin.errors import ChannelClosed, TocsinError
from tocsin.protect.daemon.channel import Channel
from tocsin.protect.daemon.control_messages import FromChild, ToChild, from_child
from tocsin.protect.daemon.rights import end_with_parent
from tocsin.sandbox.descriptors import close_all_but

FIRST_WAIT = 0.05
LONGEST_WAIT = 30.0
CALM_SECONDS = 60.0
"""A child that lived so long is started anew at once."""

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

Life = Callable[[socket.socket], None]
"""What a child does with its end of the channel to the supervisor."""


class Said(NamedTuple):
    """What a child said.

    Attributes:
        child: which.
        message: what.
        descriptors: what came along.
    """

    child: Child
    message: FromChild
    descriptors: list[int]


class Ended(NamedTuple):
    """A child that has ended.

    Attributes:
        child: which.
        status: as `os.waitpid` gives it.
        lived: seconds.
    """

    child: Child
    status: int
    lived: float

    @property
    def reason(self) -> str:
        """How it ended, in words."""
        if os.WIFSIGNALED(self.status):
            return f"ended by {signal.Signals(os.WTERMSIG(self.status)).name}"
        return f"ended with status {os.WEXITSTATUS(self.status)}"


class Child:
    """A process that was forked.

    Attributes:
        name: of its kind.
        pid: its process.
        channel: to it.
        since: when it was forked.
    """

    def __init__(self, name: str, pid: int, channel: Channel[FromChild, ToChild]) -> None:
        self.name = name
        self.pid = pid
        self.channel = channel
        self.since = time.monotonic()

    def send(self, message: ToChild, descriptors: Collection[int] = ()) -> bool:
        """Tell it something; False when it has gone."""
        try:
            self.channel.send(message, tuple(descriptors))
        except ChannelClosed:
            return False
        return True


class Backoff:
    """How long to wait before a child is forked anew."""

    def __init__(self) -> None:
        self._wait = FIRST_WAIT

    def after(self, lived: float) -> float:
        """Seconds to wait after one that lived so long."""
        if lived >= CALM_SECONDS:
            self._wait = FIRST_WAIT
        wait, self._wait = self._wait, min(LONGEST_WAIT, self._wait * 3)
        return wait


class Supervisor:
    """Forks children and hears of them; who decides what that means is `daemon.Daemon`.

    Attributes:
        stopping: a signal asked to end.
        reloading: a signal asked to look at the database again.
    """

    def __init__(self) -> None:
        self.stopping = False
        self.reloading = False
        self.children: dict[int, Child] = {}
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, Callable[[], None]]] = []
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)

    def catch_signals(self) -> None:
        """From now on signals wake `wait` and end nothing by themselves."""
        for number in _STOP_SIGNALS:
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        signal.signal(signal.SIGCHLD, _nothing)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)

    def fork(self, name: str, life: Life, keep: Iterable[int] = ()) -> Child:
        """Fork a child.

        Args:
            name: of its kind; its process is named after it.
            life: what it does; the process ends when this returns.
            keep: descriptors that it needs besides its channel.

        Raises:
            OSError: there can be no more processes.
        """
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        kept = {its.fileno(), 0, 1, 2, *keep}
        parent = os.getpid()
        gc.collect()
        gc.freeze()  # pages of what there is stay shared with the child
        try:
            pid = os.fork()
        except OSError:
            mine.close()
            its.close()
            raise
        if pid == 0:
            _live(name, life, its, kept, parent)
        gc.unfreeze()
        its.close()
        child = Child(name, pid, Channel(mine, from_child))
        self.children[pid] = child
        self._selector.register(child.channel, selectors.EVENT_READ, child)
        return child

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something after a while, from `wait`."""
        self._timers.append((time.monotonic() + seconds, call))

    def wait(self, patience: float) -> tuple[list[Said], list[Ended]]:
        """What children said, and which of them have ended.

        The descriptors that came with what was said are the caller's to close.

        Args:
            patience: seconds to wait for something to happen.
        """
        now = time.monotonic()
        if self._timers:
            patience = max(0.0, min(patience, min(at for at, _ in self._timers) - now))
        said: list[Said] = []
        for child in self.children.values():
            wanted = selectors.EVENT_READ
            if child.channel.wants_write:
                wanted |= selectors.EVENT_WRITE
            with suppress(KeyError):
                self._selector.modify(child.channel, wanted, child)
        for key, mask in self._selector.select(patience):
            if key.data is None:
                with suppress(BlockingIOError):
                    os.read(self._wake_reader, 4096)
                continue
            child = key.data
            try:
                if mask & selectors.EVENT_WRITE:
                    child.channel.flush()
                while (received := child.channel.receive()) is not None:
                    said.append(Said(child, *received))
            except ChannelClosed:
                with suppress(KeyError):
                    self._selector.unregister(child.channel)
        ended = self._reap()
        now = time.monotonic()
        due = [timer for timer in self._timers if timer[0] <= now]
        self._timers = [timer for timer in self._timers if timer[0] > now]
        for _, call in due:
            call()
        return said, ended

    def end(self, child: Child, number: int = signal.SIGTERM) -> None:
        """Have a child end."""
        with suppress(ProcessLookupError):
            os.kill(child.pid, number)

    def _reap(self) -> list[Ended]:
        ended = []
        for pid, child in list(self.children.items()):
            try:
                done, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                done, status = pid, 0
            if done == 0:
                continue
            del self.children[pid]
            with suppress(KeyError, ValueError):
                self._selector.unregister(child.channel)
            child.channel.close()
            ended.append(Ended(child, status, time.monotonic() - child.since))
        return ended

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _reload(self, _number: int, _frame: FrameType | None) -> None:
        self.reloading = True


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """A child ended: that alone wakes the supervisor."""


def _live(name: str, life: Life, end: socket.socket, keep: set[int], parent: int) -> None:
    """In the child: be rid of what is the supervisor's, live, and end."""
    status = 70
    try:
        end_with_parent(parent)
        signal.set_wakeup_fd(-1)
        for number in (*_STOP_SIGNALS, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal tells all; the parent decides
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        close_all_but(keep)
        name_process(f"tocsin {name}")
        life(end)
        status = 0
    except TocsinError as error:
        print(f"tocsin {name}: {error}", file=sys.stderr, flush=True)
        status = 2
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stderr.flush()
        os._exit(status)


def name_process(name: str) -> None:
    """Have tools such as `ps` and `top` show this process by a name, of which 15 bytes count."""
    with suppress(OSError), open("/proc/self/comm", "w", encoding="ascii") as file:
        file.write(name[:15])

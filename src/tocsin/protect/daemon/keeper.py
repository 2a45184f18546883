"""The process that may do things: opens what peers name, acts on what was found.

It hears from the front, which talks to strangers and holds no rights, and from the supervisor.
Who is at the other end of a client's connection the kernel tells it itself; the front is not
believed. Whatever may wait (a file system that hangs, a vault's disk) happens in threads.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from tocsin.errors import ChannelClosed, TocsinError
from tocsin.protect.daemon.channel import Channel
from tocsin.protect.daemon.keeper_messages import (
    ActedNote,
    ActWish,
    CancelWish,
    FinishedNote,
    FromKeeper,
    MoreWish,
    OpenedNote,
    OpenWish,
    RefusedNote,
    ToKeeper,
    acted,
    to_keeper,
)
from tocsin.protect.daemon.marks import Marks
from tocsin.protect.daemon.opener import Opened, Opening, Wish
from tocsin.protect.daemon.peer import Peer, is_admin, peer_of
from tocsin.protect.daemon.socket_origin import Origin, origin_of
from tocsin.protect.journal.sendable import sendable
from tocsin.protect.own_files import Key

THREADS = 16

MOST_AHEAD = 256
"""Files of one walk that may be open and not looked at yet."""

Act = Callable[[str, dict[str, Any], Peer], Any]
"""Does something for an administrator: verb, arguments, who asks; raises `TocsinError`."""

Quarantine = Callable[[bytes, int, dict[str, Any], str], None]
"""Takes what was found away: path, descriptor, report, who found it."""


class _Task:
    """A path that is being opened."""

    def __init__(self, opening: Opening, credit: int) -> None:
        self.opening = opening
        self.credit = credit
        self.running = False
        self.cancelled = False


class Keeper:
    """Serves one front.

    Args:
        front: the channel to it.
        network_peer: as whom files are opened for clients over a network.
        admin_gid: the group whose members may act.
        act: does what administrators want done.
        quarantine: takes away what was found.
        exclude: globs of paths that are not opened.
        places: the files at which the daemon listens; only who connected there is believed.
        own: says what is this program's own, which is not opened, by device and inode.
    """

    def __init__(
        self,
        front: socket.socket,
        network_peer: Peer,
        admin_gid: int | None,
        act: Act,
        quarantine: Quarantine,
        exclude: tuple[str, ...] = (),
        places: frozenset[Origin] = frozenset(),
        own: Callable[[], frozenset[Key]] = frozenset,
    ) -> None:
        self._own = own
        self._places = places
        self._exclude = exclude
        self._channel: Channel[ToKeeper, FromKeeper] = Channel(front, to_keeper)
        self._network_peer = network_peer
        self._admin_gid = admin_gid
        self._act = act
        self._quarantine = quarantine
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="keeper")
        self._slow = ThreadPoolExecutor(1, thread_name_prefix="vault")
        self._tasks: dict[int, _Task] = {}
        self._done: deque[tuple[FromKeeper, int]] = deque()
        self._finished: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._marks = Marks()
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def serve(
        self,
        also: Callable[[], float] | None = None,
        listen: dict[Any, Callable[[], None]] | None = None,
    ) -> None:
        """Until the front has gone.

        Args:
            also: called now and then; gives the seconds until it wants to be called again.
            listen: what else to wait for, and what is called when it can be read.
        """
        selector = selectors.DefaultSelector()
        selector.register(self._wake_reader, selectors.EVENT_READ)
        events = selectors.EVENT_READ
        selector.register(self._channel, events)
        for end, call in (listen or {}).items():
            selector.register(end, selectors.EVENT_READ, call)
        try:
            while True:
                wanted = selectors.EVENT_READ
                wanted |= selectors.EVENT_WRITE if self._channel.wants_write else 0
                if wanted != events:
                    events = wanted
                    selector.modify(self._channel, events)
                patience = also() if also is not None else 3600.0
                for key, mask in selector.select(patience):
                    if key.data is not None:
                        key.data()
                        continue
                    if key.fd == self._wake_reader:
                        with suppress(BlockingIOError):
                            os.read(self._wake_reader, 4096)
                        continue
                    if mask & selectors.EVENT_WRITE:
                        self._channel.flush()
                    if mask & selectors.EVENT_READ:
                        self._hear()
                self._say_what_is_done()
        except ChannelClosed:
            return
        finally:
            selector.close()
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._slow.shutdown(wait=True)

    def take_away(
        self, path: bytes, report: dict[str, Any], origin: str, descriptors: list[int]
    ) -> None:
        """Take what was found into quarantine, in the vault's thread; closes the descriptor."""

        def take() -> None:
            try:
                self._quarantine(path, descriptors[0], report, origin)
            finally:
                _close_all(descriptors)

        self._slow.submit(take)

    def _hear(self) -> None:
        while (received := self._channel.receive()) is not None:
            message, descriptors = received
            try:
                self._take(message, descriptors)
            except BaseException:
                _close_all(descriptors)
                raise

    def _take(self, message: ToKeeper, descriptors: list[int]) -> None:
        if isinstance(message, OpenWish):
            peer = self._who(descriptors, networked=message.networked)
            _close_all(descriptors)
            if peer is None:
                note = RefusedNote(message.number, message.path, True, "who asks is unknown", False)
                self._post(note)
                self._post(FinishedNote(message.number))
                return
            wish = Wish(
                message.path,
                message.follow_links,
                message.cross_file_systems,
                self._exclude,
                self._own(),
            )
            task = _Task(Opening(wish, peer), min(message.ahead, MOST_AHEAD))
            self._tasks[message.number] = task
            self._step(message.number, task)
        elif isinstance(message, MoreWish):
            _close_all(descriptors)
            more = self._tasks.get(message.number)
            if more is not None:
                more.credit = min(more.credit + message.count, MOST_AHEAD)
                self._step(message.number, more)
        elif isinstance(message, CancelWish):
            _close_all(descriptors)
            cancelled = self._tasks.pop(message.number, None)
            if cancelled is not None:
                cancelled.cancelled = True
        else:
            peer = self._who(descriptors, networked=False)
            _close_all(descriptors)
            self._slow.submit(self._do, message, peer)

    def _who(self, descriptors: list[int], *, networked: bool) -> Peer | None:
        """Who is at the other end of the connection that came along.

        It must be one that was accepted where the daemon listens. Of a pair of sockets the kernel
        names who made it, of a client's own end and of a listener who listens: all may be root,
        and a front that is not itself any more holds such, and may name them as it likes. What it
        can still do is ask for who is connected at that moment.
        """
        if networked:
            return self._network_peer
        if len(descriptors) != 1:
            return None
        try:
            with socket.socket(fileno=os.dup(descriptors[0])) as connection:
                if connection.family != socket.AF_UNIX:
                    return None
                listens = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                if listens or origin_of(connection.fileno()) not in self._places:
                    return None
                return peer_of(connection)
        except OSError:
            return None

    def _step(self, number: int, task: _Task) -> None:
        if task.running or task.credit <= 0 or task.opening.done:
            return
        task.running = True
        credit, task.credit = task.credit, 0
        self._threads.submit(self._open_some, number, task, credit)

    def _open_some(self, number: int, task: _Task, credit: int) -> None:
        """In a thread: open the next few."""
        if task.cancelled:
            return
        try:
            found = task.opening.step(credit)
        except Exception as error:  # a walk must end with an answer, whatever it met
            self._post(RefusedNote(number, b"", True, f"a defect: {error}", False))
            self._later(lambda: self._stepped(number, task, 0, ended=True))
            return
        for item in found:
            if isinstance(item, Opened):
                mark = self._marks.of(item.descriptor, item.path)
                self._post(OpenedNote(number, item.path, mark), item.descriptor)
            else:
                self._post(RefusedNote(number, *item))
        ended = task.opening.done
        left = credit - len(found)
        self._later(lambda: self._stepped(number, task, left, ended=ended))

    def _stepped(self, number: int, task: _Task, left: int, *, ended: bool) -> None:
        """Back in the loop: what was found costs credit, refused or not."""
        task.running = False
        task.credit += left
        if task.cancelled:
            return
        if ended:
            self._tasks.pop(number, None)
            self._post(FinishedNote(number))
        else:
            self._step(number, task)

    def _do(self, message: ActWish, peer: Peer | None) -> None:
        """In the vault's thread: do what an administrator wants done."""
        if peer is None or not is_admin(peer, self._admin_gid, os.geteuid()):
            self._post(ActedNote(message.number, "only root and its group may do this", True))
            return
        try:
            values = self._act(message.verb, message.arguments, peer)
            for note in acted(message.number, json.dumps(values)):
                self._post(note)
        except (TocsinError, OSError, ValueError) as error:
            self._post(ActedNote(message.number, sendable(str(error)) or type(error).__name__))
        except Exception as error:
            self._post(ActedNote(message.number, f"a defect: {type(error).__name__}: {error}"))

    def _post(self, note: FromKeeper, descriptor: int = -1) -> None:
        with self._lock:
            self._done.append((note, descriptor))
        self._wake()

    def _later(self, call: Callable[[], None]) -> None:
        with self._lock:
            self._finished.append(call)
        self._wake()

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._wake_writer, b"x")

    def _say_what_is_done(self) -> None:
        self._say_posted()
        while self._finished:
            self._finished.popleft()()
        self._say_posted()  # what those said

    def _say_posted(self) -> None:
        while self._done:
            note, descriptor = self._done.popleft()
            if descriptor < 0:
                self._channel.send(note)
                continue
            try:
                self._channel.send(note, [descriptor])
            finally:
                os.close(descriptor)


def _close_all(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())

"""The front's way to the keeper: asks for descriptors and deeds, one callback for each answer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import msgspec

from tocsin.errors import ChannelClosed
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
)


class Listener(Protocol):
    """Who wants to know what was opened."""

    def opened(self, path: bytes, descriptor: int, mark: bytes) -> None:
        """A file was opened; the descriptor is the listener's.

        Args:
            path: of the file.
            descriptor: of the file.
            mark: by which its content is known; empty when it cannot be.
        """

    def refused(self, note: RefusedNote) -> None:
        """Something could not be opened."""

    def finished(self) -> None:
        """Nothing more comes."""


class OpenRules(NamedTuple):
    """How folders are walked.

    Attributes:
        follow_links: follow links inside folders.
        cross_file_systems: leave the file system that a folder lies on.
    """

    follow_links: bool = False
    cross_file_systems: bool = True


class KeeperClient:
    """Asks the keeper; may be given another when one has ended.

    Args:
        loop: the event loop this is used in.
        rules: how folders are walked.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, rules: OpenRules) -> None:
        self._loop = loop
        self._rules = rules
        self._channel: Channel[FromKeeper, ToKeeper] | None = None
        self._writing = False
        self._number = 0
        self._listeners: dict[int, Listener] = {}
        self._acts: dict[int, Callable[[ActedNote], None]] = {}
        self._parts: dict[int, list[str]] = {}

    def attach(self, channel: Channel[FromKeeper, ToKeeper]) -> None:
        """From now on ask this keeper."""
        self.detach()
        self._channel = channel
        self._loop.add_reader(channel.fileno(), self._hear)

    def detach(self) -> None:
        """The keeper has ended: what it was asked for fails."""
        channel, self._channel = self._channel, None
        if channel is not None:
            self._loop.remove_reader(channel.fileno())
            self._loop.remove_writer(channel.fileno())
            self._writing = False
            channel.close()
        listeners, self._listeners = self._listeners, {}
        for number, listener in listeners.items():
            reason = "the process that opens files has ended; try again"
            listener.refused(RefusedNote(number, b"", True, reason, False))
            listener.finished()
        acts, self._acts = self._acts, {}
        self._parts.clear()
        for number, done in acts.items():
            done(ActedNote(number, "the process that does this has ended; try again"))

    def open(
        self, path: bytes, connection: int, ahead: int, listener: Listener, *, networked: bool
    ) -> int:
        """Open a path as whoever is at the other end of a connection.

        Returns:
            The request's number, for `more` and `cancel`.
        """
        self._number += 1
        number = self._number
        self._listeners[number] = listener
        wish = OpenWish(number, path, *self._rules, ahead=ahead, networked=networked)
        self._send(wish, [connection])
        return number

    def more(self, number: int) -> None:
        """One more of a folder's files may be opened."""
        if number in self._listeners:
            self._send(MoreWish(number, 1))

    def cancel(self, number: int) -> None:
        """Nobody listens any more; what comes all the same is closed."""
        if self._listeners.pop(number, None) is not None:
            self._send(CancelWish(number))

    def act(
        self,
        verb: str,
        arguments: dict[str, Any],
        connection: int,
        done: Callable[[ActedNote], None],
    ) -> None:
        """Have something done for whoever is at the other end of a connection."""
        self._number += 1
        self._acts[self._number] = done
        self._send(ActWish(self._number, verb, arguments), [connection])

    def _send(self, message: ToKeeper, descriptors: list[int] | None = None) -> None:
        channel = self._channel
        if channel is None:
            self._loop.call_soon(self.detach)
            return
        try:
            channel.send(message, descriptors or ())
        except ChannelClosed:
            self._loop.call_soon(self.detach)
            return
        if channel.wants_write and not self._writing:
            self._writing = True
            self._loop.add_writer(channel.fileno(), self._flush)

    def _flush(self) -> None:
        channel = self._channel
        if channel is None:
            return
        try:
            channel.flush()
        except ChannelClosed:
            self.detach()
            return
        if not channel.wants_write:
            self._loop.remove_writer(channel.fileno())
            self._writing = False

    def _hear(self) -> None:
        channel = self._channel
        try:
            while channel is not None and (received := channel.receive()) is not None:
                self._take(*received)
                channel = self._channel
        except ChannelClosed:
            self.detach()

    def _acted(self, note: ActedNote) -> None:
        """An answer, or a part of one, which waits for the others."""
        if note.more:
            self._parts.setdefault(note.number, []).append(note.values)
            return
        parts = self._parts.pop(note.number, [])
        done = self._acts.pop(note.number, None)
        if done is not None:
            whole = "".join([*parts, note.values])
            done(msgspec.structs.replace(note, values=whole))

    def _take(self, note: FromKeeper, descriptors: list[int]) -> None:
        if isinstance(note, ActedNote):
            self._acted(note)
            return
        listener = self._listeners.get(note.number)
        if isinstance(note, OpenedNote) and len(descriptors) == 1 and listener is not None:
            listener.opened(note.path, descriptors[0], note.mark)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        if listener is None:
            return
        if isinstance(note, RefusedNote):
            listener.refused(note)
        elif isinstance(note, FinishedNote):
            del self._listeners[note.number]
            listener.finished()

"""What the daemon's processes do, as whoever decides about them sees it."""

from __future__ import annotations

import socket
from typing import NamedTuple, Protocol


class Excepted(NamedTuple):
    """The user's exceptions that hold.

    Attributes:
        identity: other when they are others; never empty.
        message: in words, for the journal.
    """

    identity: str
    message: str


class Lives(Protocol):
    """What the daemon's processes do."""

    def front(self, end: socket.socket, listeners: list[int]) -> None:
        """Talk to clients."""

    def keeper(self, end: socket.socket, front: socket.socket) -> None:
        """Open files, act."""

    def guard(self, end: socket.socket, session: int) -> None:
        """Answer the kernel."""

    def build(self, end: socket.socket, in_use: str, *, fall_back: bool) -> None:
        """Make the index of what the settings name; says a `Built` to `end`."""

    def host(self, end: socket.socket, ports: list[list[socket.socket]], identity: str) -> None:
        """Hold the index, answer ports: first the front's, then the guard's, which is urgent."""

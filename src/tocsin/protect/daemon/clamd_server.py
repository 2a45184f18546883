"""The clamd protocol's listeners, and what its commands have in common."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections import Counter, deque
from collections.abc import Callable

from tocsin.engine.report import Report, Verdict
from tocsin.protect.daemon.clamd_commands import COMMANDS, Command, Verb
from tocsin.protect.daemon.clamd_connection import ClamdConnection
from tocsin.protect.daemon.keeper_client import KeeperClient
from tocsin.protect.daemon.peer import Peer, is_admin
from tocsin.protect.daemon.scan_service import ScanService
from tocsin.settings import DaemonSettings
from tocsin.version import VERSION

_SWEEP_SECONDS = 1.0
_ACCEPT_AT_ONCE = 64
_LATER = 0.1

_MOST_OWNERS = 8
"""So many times what one user may have, all together may."""

_SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

Saw = Callable[[Report, Peer, bool], None]
"""Told of a report: who asked, and whether they passed the file open, named as they like."""


class Control:
    """What clients may have the daemon do; the front fills it in.

    Attributes:
        reload: look for a new database.
        shutdown: end in good order.
    """

    def __init__(self, reload: Callable[[str], None], shutdown: Callable[[str], None]) -> None:
        self.reload = reload
        self.shutdown = shutdown


class ClamdServer:
    """Accepts clients and answers what needs no scan.

    Args:
        loop: the event loop this is used in.
        settings: who may ask what.
        service: the way to the engine.
        keeper: who opens paths.
        jobs: worker processes.
        stream_folder: where streams that are too large for memory are kept.
        admin_gid: the group whose members may reload and end the daemon.
        owner: the user who started the daemon.
        saw: told of every report.
        control: what clients may have the daemon do.

    Attributes:
        commands: how often each command came.
        connections: clients there are.
        turned_away: clients that were closed because their owner had too many.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        settings: DaemonSettings,
        service: ScanService,
        keeper: KeeperClient,
        jobs: int,
        stream_folder: str,
        admin_gid: int | None,
        owner: int,
        saw: Saw,
        control: Control,
    ) -> None:
        self.loop = loop
        self.settings = settings
        self.service = service
        self.keeper = keeper
        self.jobs = jobs
        self.stream_folder = stream_folder
        self.saw = saw
        self.commands: Counter[str] = Counter()
        self.connections: set[ClamdConnection] = set()
        self.turned_away = 0
        self._owned: Counter[int] = Counter()
        self._parked: dict[int, deque[ClamdConnection]] = {}
        self.database_label = ""
        self._admin_gid = admin_gid
        self._owner = owner
        self._control = control
        self._listeners: list[tuple[socket.socket, bool]] = []
        self._accepting = False
        self._closing = False
        self._timer: asyncio.TimerHandle | None = None

    def listen(self, listeners: list[tuple[socket.socket, bool]]) -> None:
        """Accept clients.

        Args:
            listeners: listening sockets, and whether each is a network's.
        """
        for listener, _ in listeners:
            listener.setblocking(False)
        self._listeners = listeners
        self._resume()
        self._timer = self.loop.call_later(_SWEEP_SECONDS, self._sweep)

    def left(self, connection: ClamdConnection) -> None:
        """A client has gone."""
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        owner = connection.owner
        self._owned[owner] -= 1
        if not self._owned[owner]:
            del self._owned[owner]
        parked = self._parked.get(owner)
        if parked:
            if connection in parked:
                parked.remove(connection)
            elif self._owned[owner] - len(parked) < self.settings.max_connections:
                parked.popleft().start()
            if not parked:
                del self._parked[owner]
        if not self._accepting and not self._closing:
            self._resume()

    @property
    def busy(self) -> bool:
        """Whether a client waits for an answer, or for the rest of one."""
        return any(connection.busy for connection in self.connections)

    def stop_accepting(self) -> None:
        """Take no new clients; those there are get their answers."""
        self._closing = True
        self._pause()

    def close(self) -> None:
        """Close every client."""
        self.stop_accepting()
        if self._timer is not None:
            self._timer.cancel()
        for connection in list(self.connections):
            connection.close()

    def count_command(self, name: str) -> None:
        """Count a command."""
        self.commands[name or "unknown"] += 1

    def simple(self, command: Command, peer: Peer, *, networked: bool) -> list[bytes]:
        """The answer to a command that scans nothing, as lines."""
        verb = command.verb
        if verb is Verb.PING:
            return [b"PONG"]
        if verb is Verb.VERSION:
            return [self._version()]
        if verb is Verb.VERSIONCOMMANDS:
            return [self._version() + b"| COMMANDS: " + COMMANDS.encode()]
        if verb is Verb.STATS:
            return [self._stats()]
        if verb in (Verb.DETSTATS, Verb.DETSTATSCLEAR):
            return []
        if verb is Verb.RELOAD and not (networked and not self.settings.tcp_shutdown):
            self._control.reload(_who(peer, networked=networked))
            return [b"RELOADING"]
        if verb is Verb.SELFCHECK and not (networked and not self.settings.tcp_shutdown):
            self._control.reload(_who(peer, networked=networked))
            return [b"SELFCHECKING"]
        if verb is Verb.SHUTDOWN:
            admin = not networked and is_admin(peer, self._admin_gid, self._owner)
            allowed = admin or (networked and self.settings.tcp_shutdown)
            if allowed:
                self._control.shutdown(_who(peer, networked=networked))
                return []
        if verb in (Verb.SHUTDOWN, Verb.RELOAD, Verb.SELFCHECK):
            return [b"%s: not permitted. ERROR" % verb.value.encode()]
        return [b"UNKNOWN COMMAND"]

    def _version(self) -> bytes:
        label = f"/{self.database_label}" if self.database_label else ""
        return f"tocsin {VERSION}{label}".encode()

    def _stats(self) -> bytes:
        busy = min(self.jobs, self.service.pending)
        lines = [
            "POOLS: 1",
            "",
            "STATE: VALID PRIMARY",
            f"THREADS: live {self.jobs}  idle {self.jobs - busy} max {self.jobs} "
            f"idle-timeout {int(self.settings.idle_timeout)}",
            f"QUEUE: {self.service.waiting} items",
            "",
            "MEMSTATS: heap N/A mmap N/A used N/A free N/A releasable N/A pools 1 "
            "pools_used N/A pools_total N/A",
            "END",
        ]
        return "\n".join(lines).encode()

    def _accept(self, listener: socket.socket, networked: bool) -> None:
        for _ in range(_ACCEPT_AT_ONCE):
            if self._full():
                self._pause()
                return
            try:
                end, _address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in _SCARCE:
                    self._pause()
                    self.loop.call_later(_LATER, self._resume)
                return
            end.setblocking(False)
            if networked:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._admit(ClamdConnection(self, end, networked=networked))

    def _admit(self, connection: ClamdConnection) -> None:
        """Serve a client, let it wait while its owner has enough, or turn it away."""
        owner = connection.owner
        self.connections.add(connection)
        self._owned[owner] += 1
        most = self.settings.max_connections
        if self._owned[owner] > 2 * most:
            self.turned_away += 1
            connection.close()
        elif self._owned[owner] > most:
            self._parked.setdefault(owner, deque()).append(connection)
        else:
            connection.start()

    def _full(self) -> bool:
        settings = self.settings
        return (
            len(self.connections) >= _MOST_OWNERS * settings.max_connections
            or self.service.pending >= _MOST_OWNERS * settings.max_queue
        )

    def _pause(self) -> None:
        self._accepting = False
        for listener, _ in self._listeners:
            self.loop.remove_reader(listener.fileno())

    def _resume(self) -> None:
        if self._accepting or self._closing or self._full():
            return
        self._accepting = True
        for listener, networked in self._listeners:
            self.loop.add_reader(listener.fileno(), self._accept, listener, networked)

    def _sweep(self) -> None:
        now = time.monotonic()
        for connection in list(self.connections):
            connection.sweep(now)
        self._resume()
        self._timer = self.loop.call_later(_SWEEP_SECONDS, self._sweep)


def _who(peer: Peer, *, networked: bool) -> str:
    return "a client over TCP" if networked else f"user {peer.uid} (process {peer.pid})"


def found(report: Report) -> bool:
    """Whether a report says that something was found."""
    return report.verdict in (Verdict.INFECTED, Verdict.SUSPICIOUS)

"""The process that talks to clients. It holds no rights: whatever needs some, others do.

One thread, one event loop; nothing here waits for a disk but the journal's own thread.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import Any, Protocol

from tocsin.engine.host_port import ScanPort
from tocsin.engine.report import Report
from tocsin.errors import ChannelClosed
from tocsin.protect.daemon.api_server import ApiServer
from tocsin.protect.daemon.channel import Channel
from tocsin.protect.daemon.clamd_server import ClamdServer, Control, found
from tocsin.protect.daemon.control_messages import (
    DatabaseFacts,
    FromChild,
    HoldNote,
    HostNote,
    JournalNote,
    KeeperNote,
    ReadyWish,
    ReloadWish,
    ShutdownWish,
    StateNote,
    StopNote,
    ToChild,
    to_child,
)
from tocsin.protect.daemon.keeper_client import KeeperClient, OpenRules
from tocsin.protect.daemon.keeper_messages import from_keeper
from tocsin.protect.daemon.listening import Listeners
from tocsin.protect.daemon.peer import Peer
from tocsin.protect.daemon.scan_service import ScanService
from tocsin.protect.journal.event import Event, Kind, Severity, found_in
from tocsin.protect.journal.filters import Filter
from tocsin.protect.journal.sendable import received_event
from tocsin.settings import Settings
from tocsin.version import VERSION

FINISH_SECONDS = 10.0
"""How long clients get for their answers when the daemon ends."""


_SAID = frozenset({Kind.DAEMON, Kind.FAILURE, Kind.GUARD, Kind.SETTING, Kind.UPDATE})
_LEVELS = {Severity.INFO: 6, Severity.NOTICE: 5, Severity.WARNING: 4, Severity.ALARM: 1}
_PRIORITIES = {
    severity: f"<{level}>" if os.environ.get("JOURNAL_STREAM") else f"tocsin: {severity.value}: "
    for severity, level in _LEVELS.items()
}
"""What stands before a line: what systemd's journal takes for its priority, or words."""


class Recorder(Protocol):
    """Keeps events, in the background; never waits."""

    def record(self, event: Event) -> None:
        """Keep one."""

    def state(self) -> dict[str, Any]:
        """How it goes, as plain values."""

    def read(self, wanted: Filter) -> list[dict[str, Any]]:
        """Events of the journal, as plain values; may wait."""

    def recent(self) -> list[dict[str, Any]]:
        """The last detections and alarms, as plain values; never waits."""

    def close(self) -> None:
        """Write what is left."""


class Front:
    """Everything the front holds.

    Args:
        settings: the settings.
        listeners: where clients come.
        control: the channel to the supervisor.
        recorder: keeps events.
        jobs: worker processes.
        stream_folder: where large streams are kept.
        admin_gid: the group whose members may change things.
        owner: the user who started the daemon.
    """

    def __init__(
        self,
        settings: Settings,
        listeners: Listeners,
        control: socket.socket,
        recorder: Recorder,
        jobs: int,
        stream_folder: str,
        admin_gid: int | None,
        owner: int,
    ) -> None:
        self.loop = asyncio.new_event_loop()
        self.settings = settings
        self.recorder = recorder
        self.jobs = jobs
        self.admin_gid = admin_gid
        self.owner = owner
        self.started = time.time()
        self.facts = DatabaseFacts()
        self.state: dict[str, Any] = {}
        self._listeners = listeners
        self._control: Channel[ToChild, FromChild] = Channel(control, to_child)
        self.service = ScanService(self.loop, jobs, settings.daemon.cache_size)
        rules = OpenRules(settings.daemon.follow_links, settings.daemon.cross_file_systems)
        self.keeper = KeeperClient(self.loop, rules)
        asked = Control(self._want_reload, self._want_shutdown)
        self.clamd = ClamdServer(
            self.loop,
            settings.daemon,
            self.service,
            self.keeper,
            jobs,
            stream_folder,
            admin_gid,
            owner,
            self.saw,
            asked,
        )
        self.api = ApiServer(self, asked)
        self._stop_by = 0.0

    def run(self) -> None:
        """Until the supervisor says so, or has gone."""
        loop = self.loop
        asyncio.set_event_loop(loop)
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        loop.add_reader(self._control.fileno(), self._hear)
        clamd = [(self._listeners.clamd_unix, False), (self._listeners.clamd_tcp, True)]
        self.clamd.listen([(end, networked) for end, networked in clamd if end is not None])
        listening = loop.create_task(self.api.listen(self._listeners.api, self._listeners.metrics))
        listening.add_done_callback(self._listening)
        try:
            loop.run_forever()
            if listening.done() and not listening.cancelled():
                listening.result()  # or what went wrong
        finally:
            listening.cancel()
            self.clamd.close()
            self.service.close()
            self.recorder.close()
            loop.close()

    def _listening(self, task: asyncio.Task[None]) -> None:
        """All clients can come now, or cannot."""
        if task.cancelled() or task.exception() is not None:
            self.loop.stop()
        else:
            self._tell(ReadyWish())

    def record(self, event: Event) -> None:
        """Journal something; what is no finding is said where the daemon was started, too."""
        self.recorder.record(event)
        if event.kind in _SAID and (event.kind is Kind.DAEMON or event.severity.rank):
            said = "".join(c if c.isprintable() else "?" for c in event.message)
            with suppress(OSError):
                print(f"{_PRIORITIES[event.severity]}{said}", file=sys.stderr, flush=True)

    def saw(self, report: Report, peer: Peer, passed: bool = False) -> None:
        """A client had something scanned: what was found is journalled."""
        if found(report):
            event = detection(report, "daemon", self.facts.identity, peer)
            if passed:  # the name is what it has where the client lives, or what they made up
                event.path = ""
                event.details = {"passed as": report.path}
            self.record(event)

    def status(self, *, paths: bool) -> dict[str, Any]:
        """What protects this device now, as plain values.

        Args:
            paths: name what was scanned and found; not for everybody's eyes.
        """
        tally = self.service.tally
        return {
            **(self.state if paths else _without_paths(self.state)),
            "version": VERSION,
            "paths": paths,
            "guarded": self.settings.guard.enabled,
            "ready": self.service.ready,
            "jobs": self.jobs,
            "clients": len(self.clamd.connections),
            "queue": {
                "pending": self.service.pending,
                "waiting": self.service.waiting,
                "most": self.settings.daemon.max_queue,
            },
            "scanned": {
                "objects": tally.objects,
                "bytes": tally.bytes,
                "worker_seconds": round(tally.seconds, 3),
                "verdicts": tally.verdicts,
                "slowest": [slow._asdict() for slow in tally.slowest] if paths else [],
            },
            "listening": {
                "clamd": self.settings.daemon.socket,
                "tcp": self.settings.daemon.tcp,
                "api": self.settings.daemon.api_socket,
                "metrics": self.settings.daemon.metrics,
            },
            "journal": self.recorder.state(),
            "recent": self.recorder.recent() if paths else [],
        }

    def _hear(self) -> None:
        try:
            while (received := self._control.receive()) is not None:
                self._take(*received)
        except ChannelClosed:
            self._stop()

    def _take(self, message: ToChild, descriptors: list[int]) -> None:
        if isinstance(message, HostNote) and len(descriptors) == 2:
            requests, answers = (socket.socket(fileno=each) for each in descriptors)
            self.facts = message.facts
            self.clamd.database_label = message.facts.label
            self.service.attach(ScanPort(requests, answers), message.facts.generation)
            return
        if isinstance(message, KeeperNote) and len(descriptors) == 1:
            self.keeper.attach(Channel(socket.socket(fileno=descriptors[0]), from_keeper))
            return
        for descriptor in descriptors:
            os.close(descriptor)
        if isinstance(message, HoldNote):
            self.service.hold()
        elif isinstance(message, StateNote):
            self.state = message.state
        elif isinstance(message, JournalNote):
            self.record(received_event(message.event))
        elif isinstance(message, StopNote):
            self._stop()

    def _want_reload(self, who: str) -> None:
        self._tell(ReloadWish(who))

    def _want_shutdown(self, who: str) -> None:
        self._tell(ShutdownWish(who))

    def _tell(self, message: FromChild) -> None:
        try:
            self._control.send(message)
        except ChannelClosed:
            self._stop()

    def _stop(self) -> None:
        """Take no more clients, and end once those there are have their answers."""
        if self._stop_by:
            return
        self._stop_by = time.monotonic() + FINISH_SECONDS
        self.clamd.stop_accepting()
        self.api.stop_accepting()
        self._stop_when_done()

    def _stop_when_done(self) -> None:
        busy = self.service.pending or self.api.busy or self.clamd.busy
        if not busy or time.monotonic() > self._stop_by:
            self.loop.stop()
        else:
            self.loop.call_later(0.05, self._stop_when_done)


def detection(report: Report, origin: str, database: str, peer: Peer | None = None) -> Event:
    """The event that something was found."""
    first = report.detections[0]
    names = tuple(dict.fromkeys(each.name for each in report.detections))
    return Event(
        kind=Kind.DETECTION,
        severity=Severity.ALARM,
        origin=origin,
        message=found_in(names, report.path),
        path=report.path,
        object=first.object if first.object != report.path else "",
        signatures=names,
        verdict=report.verdict.value,
        sha256=report.sha256,
        size=report.size,
        database=database,
        uid=peer.uid if peer is not None else -1,
        pid=peer.pid if peer is not None else 0,
    )


def _without_paths(state: dict[str, Any]) -> dict[str, Any]:
    """What the supervisor says, without the names of files that others have."""
    guard = state.get("guard", {})
    if "slowest" not in guard:
        return state
    return {**state, "guard": {**guard, "slowest": {**guard["slowest"], "path": ""}}}

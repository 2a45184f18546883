"""The process that guards: sets up, waits, and is rid of by itself when it hangs.

Nothing that this process does may wait for an answer that it must give itself. So everything is
imported and every account looked up before the first mark is set; afterwards files are opened
below `/proc` and `/sys` only. If something went wrong with that, or with anything else, the
machine would stand still. Therefore:

- what has not been imported by then cannot be: an import fails instead of waiting for ever;
- a timer of the kernel's own ends this process when its loop has not come round for
  `HANGS_AFTER` seconds; the kernel then allows everything that waits, and the supervisor starts
  another guard;
- an exception closes the fanotify group before it is reported, because reporting it reads files;
- a crash writes no core: whoever writes it would open files while this process cannot answer.
"""

from __future__ import annotations

import gc
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FrameType
from typing import Any, Final

from tocsin.engine.host_port import ScanPort
from tocsin.errors import ChannelClosed
from tocsin.protect.daemon.channel import Channel
from tocsin.protect.daemon.control_messages import (
    FromChild,
    HoldNote,
    HostNote,
    ReadyWish,
    StopNote,
    ToChild,
    to_child,
)
from tocsin.protect.file_facts import prepare_leases
from tocsin.protect.guard import notices
from tocsin.protect.guard.engine_link import EngineLink
from tocsin.protect.guard.hearing import choose_hearing
from tocsin.protect.guard.media import MediumScan, is_removable
from tocsin.protect.guard.outbox import Outbox
from tocsin.protect.guard.tally import Tally
from tocsin.protect.guard.teller import Teller
from tocsin.protect.guard.warden import Warden
from tocsin.protect.journal.event import Severity
from tocsin.protect.mounts import Mount, MountWatch, read_mounts
from tocsin.sandbox import syscalls
from tocsin.settings import GuardSettings

HANGS_AFTER: Final = 10.0
"""Seconds without a round of the loop after which this process is ended."""

_ROUND: Final = 1.0
_RETRY_AFTER: Final = 10.0
_SOON: Final = 0.05
_PRIORITY: Final = -10


class Guard:
    """The loop around a warden.

    Args:
        settings: that say what is guarded and how.
        control: the channel to the supervisor.
        session: to which the daemon's own processes belong.
        removable: whether a mount is one of a removable medium.
    """

    def __init__(
        self,
        settings: GuardSettings,
        control: Channel[ToChild, FromChild],
        session: int,
        removable: Callable[[Mount], bool],
    ) -> None:
        self._settings = settings
        self._control = control
        self._removable = removable
        self._selector = selectors.DefaultSelector()
        self._tally = Tally()
        self._outbox = Outbox(control, self._tally)
        self._mounts = MountWatch()
        self._link = EngineLink(self._selector)
        self._hearing = choose_hearing(settings)
        self._warden = Warden(
            settings,
            self._hearing.kernel,
            self._link,
            Teller(settings, self._outbox, self._link),
            self._tally,
            session,
            _raise_descriptor_limit(),
            self._see_mounts,
        )
        self._warden.acts_afterwards = self._hearing.mode != "permission"
        self._link.answered = self._warden.answered
        self._link.lost = self._warden.lost
        self._media: dict[int, str] | None = None
        self._scans: list[MediumScan] = []
        self._stopping = False
        self._sent: dict[str, Any] = {}
        self._started = time.time()

    def run(self) -> None:
        """Until it is told to end, or the supervisor has gone."""
        wake_reader, wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGTERM, self._stop)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        selector, hearing = self._selector, self._hearing
        selector.register(wake_reader, selectors.EVENT_READ, lambda: os.read(wake_reader, 512))
        selector.register(self._control, selectors.EVENT_READ, self._hear_control)
        if hearing.fileno() >= 0:
            selector.register(hearing, selectors.EVENT_READ, lambda: hearing.hear(self._warden))
        if hearing.mode != "permission":
            self._say(Severity.WARNING, f"nothing is refused ({hearing.mode}): {hearing.reason}")
        for trouble in self._warden.boundary.processes.trouble:
            self._say(Severity.WARNING, trouble)
        gc.collect()
        gc.freeze()
        gc.disable()  # nothing here makes cycles; nobody is to wait for a collection
        _stay_alive()
        if hearing.mode == "permission":
            sys.meta_path[:] = [_NoImport()]
        self._look_at_targets()
        self._control.send(ReadyWish())
        try:
            self._loop()
        except ChannelClosed:
            pass  # nobody starts another guard: whoever waits is let go
        finally:
            signal.set_wakeup_fd(-1)
            self._end()

    def close_group(self) -> None:
        """Let everybody go who waits, whatever state this is in."""
        self._hearing.close()

    def _loop(self) -> None:
        warden, outbox, hearing = self._warden, self._outbox, self._hearing
        tick = retry = 0.0
        while not self._stopping:
            now = time.monotonic()
            if now >= tick:
                tick = now + _ROUND
                _stay_alive()
                self._see_mounts()
                if now >= retry:
                    retry = now + _RETRY_AFTER
                    warden.boundary.processes.look_again()
                    self._look_at_targets()
                self._say_state()
            outbox.flush()
            patience = min(_SOON if outbox.waits else _ROUND, max(0.0, warden.expire(now)))
            if hearing.step(warden):
                patience = 0.0
            for key, _ in self._selector.select(patience):
                key.data()
            warden.pump()

    def _hear_control(self) -> None:
        while (received := self._control.receive()) is not None:
            message, descriptors = received
            sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
            if isinstance(message, HostNote) and len(sockets) == 2:
                self._warden.new_database(message.facts.generation)
                port = ScanPort(sockets[0], sockets[1])
                self._link.attach(port, message.facts.generation, message.facts.identity)
            elif isinstance(message, HoldNote):
                self._link.hold()
            elif isinstance(message, StopNote):
                self._stopping = True

    # --- what is guarded ------------------------------------------------------------------

    def _see_mounts(self) -> None:
        if self._mounts.changed():
            self._look_at_targets()

    def _look_at_targets(self) -> None:
        hearing = self._hearing
        if self._settings.removable:
            self._look_at_media(read_mounts())
        anew, changes = hearing.look_again()
        if anew:
            self._warden.other_file_systems()
        self._warden.boundary.scope = hearing.scope
        for target, trouble in changes.items():
            if trouble:
                words = f"{target.path} ({target.kind}) is not guarded: {trouble}"
                self._say(Severity.WARNING, words)
            else:
                self._say(Severity.INFO, f"{target.path} ({target.kind}) is guarded")

    def _look_at_media(self, mounts: list[Mount]) -> None:
        """Guard what can be taken out, and look at all of it when it was just mounted."""
        media = {mount.number: mount.place for mount in mounts if self._removable(mount)}
        before, self._media = self._media, media
        if media == before:
            return
        self._hearing.also(list(media.values()))
        self._scans = [scan for scan in self._scans if not scan.done]
        for number, place in media.items():
            if before is not None and before.get(number) != place:
                self._say(Severity.INFO, f"{place}: a removable medium was mounted")
                self._scans.append(
                    MediumScan(place, self._selector, self._warden.examine, self._outbox.happened)
                )

    # --- how things stand -----------------------------------------------------------------

    def _say(self, severity: Severity, words: str) -> None:
        self._outbox.happened(notices.guard_event(severity, words))

    def _say_state(self) -> None:
        warden, link, hearing = self._warden, self._link, self._hearing
        active = any(not trouble for trouble in hearing.trouble.values())
        reason = hearing.reason
        if not active and not reason:
            reason = "nothing that is to be guarded is there"
        state = {
            "mode": hearing.mode,
            "active": active,
            "reason": reason,
            "since": self._started,
            "targets": [
                {"kind": target.kind, "path": target.path, "trouble": trouble}
                for target, trouble in hearing.trouble.items()
            ],
            "media": [scan.state() for scan in self._scans],
            "engine": link.ready,
            "generation": link.generation,
            "waiting": warden.waiting,
            "looking": warden.looks.running,
            "queued": warden.looks.waiting,
            "verdicts": warden.remembered,
            **self._tally.to_dict(),
        }
        if state != self._sent:
            self._sent = state
            self._outbox.state(state)

    # --- the end --------------------------------------------------------------------------

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _end(self) -> None:
        with suppress(OSError):
            self._warden.let_go()
        self._hearing.close()
        for scan in self._scans:
            if not scan.done:
                scan.close()
        self._link.close()
        self._outbox.close()
        self._selector.close()
        signal.setitimer(signal.ITIMER_REAL, 0)


class _NoImport(MetaPathFinder):
    """Finds no module: its file could be one that is waited for here."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        """Say so.

        Raises:
            ImportError: always.
        """
        del path, target
        raise ImportError(f"the guard must have imported {fullname} before it set marks")


def run_guard(
    settings: GuardSettings,
    control: socket.socket,
    session: int,
    removable: Callable[[Mount], bool] = is_removable,
) -> int:
    """The life of the guard's process.

    Args:
        settings: that say what is guarded and how.
        control: a `SOCK_SEQPACKET` socket to the supervisor (`control_messages`).
        session: to which the daemon's own processes belong.
        removable: whether a mount is one of a removable medium.

    Returns:
        An exit status.
    """
    _make_uncrashable()
    channel: Channel[ToChild, FromChild] = Channel(control, to_child)
    guard = Guard(settings, channel, session, removable)
    importers = sys.meta_path[:]
    try:
        guard.run()
    finally:
        guard.close_group()  # before anything is imported or read to report an error
        sys.meta_path[:] = importers
    return 0


def _stay_alive() -> None:
    """Put off the end of this process."""
    signal.setitimer(signal.ITIMER_REAL, HANGS_AFTER)


def _make_uncrashable() -> None:
    prepare_leases()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)  # no program that takes cores is started
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)


def _raise_descriptor_limit() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else 1 << 20
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]

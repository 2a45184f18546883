"""The daemon composed: from settings to the processes and what each of them holds."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import socket
import stat
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import msgspec

from tocsin.app.allow import allow_file, read_allowed
from tocsin.app.device_index import build, opener_of, scan_options, sources_changed
from tocsin.app.ownership import JOURNAL_MODE, STREAMS_MODE, settle
from tocsin.app.settings import journal_file, quarantine_folder, state_folder
from tocsin.app.settings_changes import changed_settings
from tocsin.app.state_lock import take_state
from tocsin.errors import SettingsError
from tocsin.protect.account import Account
from tocsin.protect.daemon.built import say_built, say_ready
from tocsin.protect.daemon.daemon import Daemon
from tocsin.protect.daemon.listening import Listeners, listen_tcp, listen_unix
from tocsin.protect.daemon.lives import Excepted
from tocsin.protect.daemon.peer import Peer
from tocsin.protect.daemon.rights import (
    drop_to,
    end_with_parent,
    group_id,
    keep_capabilities,
    user_ids,
)
from tocsin.protect.daemon.service_manager import ServiceManager
from tocsin.protect.daemon.socket_origin import Origin, origin_of
from tocsin.protect.journal.event import Event, Kind, Severity
from tocsin.sandbox.identity import others_may_read
from tocsin.sandbox.policy import runtime_paths
from tocsin.settings import Settings

LATE_MODULES = (
    *("encodings.idna", "encodings.ascii", "encodings.latin_1", "encodings.utf_16", "stringprep"),
    *("concurrent.futures.thread", "tempfile", "random", "traceback", "linecache", "tokenize"),
)
"""What Python's own library imports when it is first needed, in the front."""

_HOST_CAPABILITIES = (
    *("SETUID", "SETGID", "SETPCAP", "SYS_ADMIN", "SYS_CHROOT", "SYS_RESOURCE", "KILL"),
    "DAC_READ_SEARCH",
)
"""What confining workers takes, ending them, and reading modules in a home that is closed."""


def worker_count(settings: Settings) -> int:
    """Worker processes."""
    return settings.scan.jobs or len(os.sched_getaffinity(0))


class Composition:
    """What the daemon's processes do, from its settings.

    Args:
        settings: the settings.
        config: the settings file, None for the usual place.
        listeners: where clients come.
        places: the files at which they do.
        user: account and group that the front becomes, or None to stay what it is.
    """

    def __init__(
        self,
        settings: Settings,
        config: Path | None,
        listeners: Listeners,
        places: frozenset[Origin],
        user: tuple[int, int] | None,
    ) -> None:
        self._settings = settings
        self._places = places
        self._config = config
        self._listeners = listeners
        self._user = user
        self._state = state_folder(settings)
        self._jobs = worker_count(settings)
        self._admin_gid = group_id(settings.daemon.admin_group)

    def front(self, end: socket.socket, listeners: list[int]) -> None:
        """Talk to clients, with no rights."""
        del listeners
        from tocsin.app.recorder import BackgroundRecorder
        from tocsin.protect.daemon.front import Front

        settings = self._settings
        folder = self._state / "streams"
        _import_for_front(settings, unreadable=self._user is not None)
        if self._user is not None:
            has_command = bool(settings.on_finding.command)
            drop_to(*self._user, new_privileges=has_command)
        recorder = BackgroundRecorder(settings)
        front = Front(
            settings,
            self._listeners,
            end,
            recorder,
            self._jobs,
            str(folder),
            self._admin_gid,
            0 if self._user is not None else os.geteuid(),
        )
        front.run()

    def keeper(self, end: socket.socket, front: socket.socket) -> None:
        """Open files and act, with the rights that the daemon was started with."""
        from tocsin.app.keeping import run_keeper

        network = Peer(*(self._user or (os.geteuid(), os.getegid())), ())
        run_keeper(
            self._settings,
            self._config,
            end,
            front,
            network,
            self._admin_gid,
            self._places,
        )

    def guard(self, end: socket.socket, session: int) -> None:
        """Answer the kernel."""
        from tocsin.protect.guard.guard import run_guard

        if self._user is not None:
            rights = ("SYS_ADMIN", "DAC_READ_SEARCH", "SYS_PTRACE", "SYS_NICE", "LEASE", "KILL")
            keep_capabilities(*rights)
        run_guard(self._settings.guard, end, session)

    def build(self, end: socket.socket, in_use: str, *, fall_back: bool) -> None:
        """Make the index of what the settings name, and try it."""
        say_built(end, build(self._settings, self._state, in_use, fall_back=fall_back))

    def host(self, end: socket.socket, ports: list[list[socket.socket]], identity: str) -> None:
        """Hold the index, answer ports."""
        from tocsin.engine.host import run_host
        from tocsin.engine.host_port import HostEnd

        ends = [
            HostEnd(requests, answers, urgent=place > 0)
            for place, (requests, answers) in enumerate(ports)
        ]
        opened = opener_of(self._settings, identity)
        if self._user is not None:
            keep_capabilities(*_HOST_CAPABILITIES)
        try:
            options = scan_options(self._settings)
        except SettingsError:  # the exceptions cannot be read; `exceptions_now` says so
            options = scan_options(self._settings, excepted=False)
        run_host(opened, options, self._jobs, ends, lambda: say_ready(end))


def _import_for_front(settings: Settings, *, unreadable: bool) -> None:
    """Import what the front needs while it still may.

    Args:
        settings: the settings.
        unreadable: the front becomes another user, who may not be able to read the modules, as
            where root installed this program for itself.
    """
    wanted = ["tocsin.protect.journal.buffered", "tocsin.protect.journal.store"]
    if settings.forward:
        kinds = {f"tocsin.protect.journal.forward_{each.kind}" for each in settings.forward}
        wanted += ["tocsin.protect.journal.forward", *sorted(kinds)]
    if settings.on_finding.command or settings.on_finding.mail_to:
        wanted.append("tocsin.protect.notify")
    if unreadable and not all(others_may_read(path) for path in runtime_paths()):
        wanted += ["tocsin.protect.daemon.metrics", *LATE_MODULES]
    for name in wanted:
        import_module(name)


def exceptions_now() -> Excepted:
    """The user's exceptions that hold now; those that cannot be read change nothing."""
    place = allow_file()
    try:
        entries = [entry for entry in read_allowed(place) if entry.holds(datetime.now(UTC))]
    except SettingsError as error:
        return Excepted("unreadable", f"the exceptions cannot be read, and none holds: {error}")
    numbers = [str(entry.number) for entry in entries]
    stated = "\n".join(f"{e.number} {e.kind} {e.value}" for e in entries)
    identity = hashlib.sha256(stated.encode("utf-8", "surrogateescape")).hexdigest()
    which = f" (numbers {', '.join(numbers)})" if numbers else ""
    return Excepted(identity, f"the exceptions changed: {len(numbers)} hold{which}")


def run_daemon(settings: Settings, config: Path | None = None) -> int:
    """Run until told to end.

    Args:
        settings: the settings.
        config: the file they were read from, None for the usual place.

    Returns:
        An exit status.

    Raises:
        SettingsError: something that the settings name cannot be had.
    """
    user = user_ids(settings.daemon.user) if os.geteuid() == 0 else None
    _lead_a_session()
    _allow_descriptors()
    settings = _settled(settings)
    state = state_folder(settings)
    lock = _make_folders(settings, user)
    listeners = _listen(settings)
    places, news = _origins(listeners)
    try:
        daemon = Daemon(
            Composition(settings, config, listeners, places, user),
            listeners.descriptors(),
            guarded=settings.guard.enabled,
            check_every=settings.database.check_every,
            sources_changed=lambda identity: sources_changed(settings, identity),
            exceptions=exceptions_now,
            serves=_places(settings),
            news=[*changed_settings(settings, state), *news],
            notify=ServiceManager(),
        )
        return daemon.run()
    finally:
        for path in (settings.daemon.socket, settings.daemon.api_socket):
            if path:
                with suppress(OSError):
                    os.unlink(path)
        os.close(lock)


def _origins(listeners: Listeners) -> tuple[frozenset[Origin], list[Event]]:
    """The files at which clients connect, by which the keeper knows who is one."""
    found: set[Origin] = set()
    news: list[Event] = []
    for listener in (listeners.clamd_unix, listeners.api):
        try:
            origin = origin_of(listener.fileno()) if listener is not None else None
        except OSError as error:
            message = (
                f"this kernel does not tell where a connection came from ({error.strerror}; "
                "CONFIG_UNIX_DIAG): clients have no paths scanned, streams and descriptors only"
            )
            news = [
                Event(
                    kind=Kind.FAILURE, severity=Severity.WARNING, origin="daemon", message=message
                )
            ]
            continue
        if origin is not None:
            found.add(origin)
    return frozenset(found), news


def _places(settings: Settings) -> str:
    """Where clients come, in words."""
    daemon = settings.daemon
    places = [daemon.socket, daemon.tcp, daemon.api_socket, daemon.metrics]
    return "at " + ", ".join(place for place in places if place)


def _settled(settings: Settings) -> Settings:
    """The settings with each place named that they leave open.

    Who reads them may be another user by then, whose usual places are others.
    """
    replace = msgspec.structs.replace
    return replace(
        settings,
        daemon=replace(settings.daemon, state=str(state_folder(settings))),
        journal=replace(settings.journal, file=str(journal_file(settings))),
        quarantine=replace(settings.quarantine, folder=str(quarantine_folder(settings))),
    )


def _allow_descriptors() -> None:
    """Let as many connections and files be open as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 1 << 20
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _lead_a_session() -> None:
    """Be the leader of a session of its own, by which the guard knows the daemon's processes.

    A process that was started from a shell cannot become one: then a child does, and this
    process passes signals on to it until it ends.
    """
    if os.getsid(0) == os.getpid():
        return
    try:
        os.setsid()
    except PermissionError:
        pass
    else:
        return
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        os.setsid()
        end_with_parent(parent)
        return
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _frame: os.kill(child, n))
    while True:
        with suppress(InterruptedError):
            _, status = os.waitpid(child, 0)
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _make_folders(settings: Settings, user: tuple[int, int] | None) -> int:
    """Make what the daemon writes to; the front's folders belong to its user.

    Returns:
        The lock by which this is the only daemon of its state folder; it must stay open.
    """
    state = state_folder(settings)
    journal = journal_file(settings).parent
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o755)
        lock = take_state(state)
        for folder, mode in ((state / "streams", STREAMS_MODE), (journal, JOURNAL_MODE)):
            if not folder.is_dir():
                folder.mkdir(parents=True, mode=mode)
                if user is not None:
                    os.chown(folder, *user)
        if user is not None:
            settle(settings, Account(*user))
        return lock
    except OSError as error:
        raise SettingsError(
            f"{error.filename or state}: {error.strerror}; name a folder that can be written "
            "in [daemon] state"
        ) from error


def _listen(settings: Settings) -> Listeners:
    daemon = settings.daemon
    group = None
    if daemon.socket_group:
        group = group_id(daemon.socket_group)
        if group is None:
            raise SettingsError(f"[daemon] socket_group: there is no group {daemon.socket_group!r}")
    mode = int(daemon.socket_mode, 8)

    def unix(path: str, mode: int, group: int | None) -> socket.socket | None:
        if not path:
            return None
        try:
            return listen_unix(path, mode, group)
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror}; {_advice(path, error)}") from error

    def tcp(stated: str, key: str) -> socket.socket | None:
        if not stated:
            return None
        host, _, port = stated.rpartition(":")
        try:
            return listen_tcp(host.strip("[]"), int(port))
        except OSError as error:
            raise SettingsError(f"[daemon] {key} = {stated!r}: {error.strerror}") from error

    return Listeners(
        unix(daemon.socket, mode, group),
        tcp(daemon.tcp, "tcp"),
        unix(daemon.api_socket, 0o666, None),
        tcp(daemon.metrics, "metrics"),
    )


def _advice(path: str, error: OSError) -> str:
    if error.errno in (98, 17):
        return "end that program, or name another socket in [daemon]"
    with suppress(OSError):
        if not stat.S_ISDIR(os.stat(os.path.dirname(path)).st_mode):
            return "its folder is none"
    return "name another place in [daemon] socket and api_socket"

"""What the supervisor decides: who runs, which database is in use, when it ends.

    supervisor ── front    talks to clients; no rights
               ├─ keeper   opens files as clients, acts; root where the daemon was started by root
               ├─ guard    answers the kernel; root, only where the settings want it
               ├─ builder  makes an index, then ends; one at a time
               └─ host     holds the index ── workers, confined

A new database takes over like this. A builder makes its index, loads it and tries it, while all
goes on. Then front and guard are told to hold what they have not asked yet, the old host
answers what it has taken and ends, and the new one is forked and asked what was held. So no
request is lost, and the two indexes are never in memory together, unless an object of the old
one takes longer than `DRAIN_SECONDS`.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import msgspec

from tocsin.protect.daemon.built import Built, read_built
from tocsin.protect.daemon.control_messages import (
    ChildStateWish,
    DatabaseFacts,
    DatabaseNote,
    HappenedWish,
    HoldNote,
    HostNote,
    JournalNote,
    KeeperNote,
    ReadyWish,
    ReloadWish,
    ShutdownWish,
    StateNote,
    StopNote,
    TakeNote,
    TakeWish,
)
from tocsin.protect.daemon.service_manager import ServiceManager
from tocsin.protect.daemon.supervisor import Backoff, Child, Ended, Said, Supervisor
from tocsin.protect.journal.event import Event, Kind, Severity

DRAIN_SECONDS = 2.0
"""How long a new host waits for an old one to end."""

STOP_SECONDS = 15.0
"""How long children have to end in good order."""

_STATE_SECONDS = 1.0
_MOST_HELD_EVENTS = 1000


class Excepted(NamedTuple):
    """The user's exceptions that hold.

    Attributes:
        identity: other when they are others; never empty.
        message: in words, for the journal.
    """

    identity: str
    message: str


class Lives(Protocol):
    """What the daemon's processes do; `app.daemon` composes it."""

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


class Daemon:
    """Runs until it is told to end.

    Args:
        lives: what the processes do.
        listeners: descriptors of the listening sockets, the front's.
        guarded: whether there is a guard.
        check_every: seconds between looks at the database's sources; 0: never.
        sources_changed: whether the sources are others than those in use; quick.
        exceptions: the user's exceptions that hold now; quick.
        serves: where, in words.
        news: what is to be journalled first.
        read_built: reads what a builder said.
        notify: the service manager.
        unprivileged: whether everything runs as the user that started it.
    """

    def __init__(
        self,
        lives: Lives,
        listeners: list[int],
        *,
        guarded: bool,
        check_every: float,
        sources_changed: Callable[[str], bool],
        exceptions: Callable[[], Excepted],
        serves: str,
        news: list[Event],
        notify: ServiceManager,
    ) -> None:
        self._lives = lives
        self._listeners = listeners
        self._guarded = guarded
        self._check_every = check_every
        self._sources_changed = sources_changed
        self._exceptions = exceptions
        self._excepted = ""
        self._serves = serves
        self._notify = notify
        self._supervisor = Supervisor()
        self._children: dict[str, Child] = {}
        self._backoff: dict[str, Backoff] = {}
        self._facts = DatabaseFacts()
        self._next: DatabaseFacts | None = None
        self._retiring: list[Child] = []
        self._builder: Child | None = None
        self._build_again = False
        self._was_ready = False
        self._ready = False
        self._held_events = news
        self._child_states: dict[str, dict[str, Any]] = {}
        self._restarts: dict[str, int] = {}
        self._last_state = 0.0
        self._last_running: tuple[int, ...] = ()
        self._last_check = time.monotonic()
        self._started = time.time()
        self._stopping_since = 0.0
        self._built: Built | None = None
        self._drain_until = 0.0
        self._failed = False
        self._refused = ""

    def run(self) -> int:
        """Until the end.

        Returns:
            An exit status: 0, or 2 when there is no way to go on.
        """
        supervisor = self._supervisor
        supervisor.catch_signals()
        self._start_front()
        self._start_keeper()
        if self._guarded:
            self._start_guard()
        self._start_builder(fall_back=True)
        while True:
            said, ended = supervisor.wait(_STATE_SECONDS)
            for each in said:
                self._hear(each)
            for gone in ended:
                self._mourn(gone)
            if supervisor.stopping and not self._stopping_since:
                self._stop("a signal")
            if self._stopping_since and self._stopped():
                return 2 if self._failed else 0
            if supervisor.reloading:
                supervisor.reloading = False
                self._reload("a signal")
            self._now_and_then()

    # --- children -------------------------------------------------------------------------

    def _start_front(self) -> None:
        child = self._supervisor.fork(
            "front", lambda end: self._lives.front(end, self._listeners), self._listeners
        )
        self._children["front"] = child
        for event in self._held_events:
            child.send(JournalNote(event))
        self._held_events.clear()
        if "host" in self._children:
            self._give_ports()

    def _start_keeper(self) -> None:
        its, fronts = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        child = self._supervisor.fork(
            "keeper", lambda end: self._lives.keeper(end, its), [its.fileno()]
        )
        its.close()
        self._children["keeper"] = child
        front = self._children.get("front")
        if front is not None:
            front.send(KeeperNote(), [fronts.fileno()])
        fronts.close()
        if self._facts.generation:
            child.send(DatabaseNote(self._facts))

    def _start_guard(self) -> None:
        session = os.getsid(0)
        self._children["guard"] = self._supervisor.fork(
            "guard", lambda end: self._lives.guard(end, session)
        )
        if "host" in self._children:
            self._give_ports()

    def _start_builder(self, *, fall_back: bool) -> None:
        in_use = self._facts.identity
        self._built = None
        self._builder = self._supervisor.fork(
            "builder", lambda end: self._lives.build(end, in_use, fall_back=fall_back)
        )

    def _start_host(self) -> None:
        """Fork a host for the next database, and give everybody a port to it."""
        facts = self._next
        assert facts is not None
        self._next = None
        self._facts = facts
        self._give_ports()

    def _give_ports(self) -> None:
        """Fork a host anew, with ports to whoever asks hosts; the old one ends by that."""
        old = self._children.pop("host", None)
        if old is not None:
            self._retiring.append(old)
        askers = [name for name in ("front", "guard") if name in self._children]
        pairs = []
        for _ in askers:
            requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            answers = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            pairs.append((requests, answers))
        theirs = [[requests[1], answers[1]] for requests, answers in pairs]
        keep = [end.fileno() for ends in theirs for end in ends]
        identity = self._facts.identity
        self._children["host"] = self._supervisor.fork(
            "host", lambda end: self._lives.host(end, theirs, identity), keep
        )
        for name, (requests, answers) in zip(askers, pairs, strict=True):
            ends = (requests[0].fileno(), answers[0].fileno())
            self._children[name].send(HostNote(self._facts), ends)
        for requests, answers in pairs:
            for end in (*requests, *answers):
                end.close()
        if "keeper" in self._children:
            self._children["keeper"].send(DatabaseNote(self._facts))

    def _again(self, name: str, ended: Ended, start: Callable[[], None]) -> None:
        """Start a child anew, soon."""
        self._restarts[name] = self._restarts.get(name, 0) + 1
        wait = self._backoff.setdefault(name, Backoff()).after(ended.lived)
        self._happened(
            Event(
                kind=Kind.FAILURE,
                severity=Severity.WARNING,
                origin="daemon",
                message=f"the daemon's {name} process was {ended.reason}; "
                f"it is started anew in {wait:g} s",
            )
        )
        self._supervisor.later(wait, start)

    def _mourn(self, ended: Ended) -> None:
        """A child has ended: expected, or to be started anew."""
        child = ended.child
        name = child.name
        if self._children.get(name) is child:
            del self._children[name]
        if child in self._retiring:
            self._retiring.remove(child)
            return
        if self._stopping_since:
            return
        if child is self._builder:
            self._builder = None
            self._take_built(ended)
        elif name == "front":
            keeper = self._children.get("keeper")
            if keeper is not None:
                self._supervisor.end(keeper)
            self._again(name, ended, self._start_front)
        elif name == "keeper":
            self._again(name, ended, self._start_keeper)
        elif name == "guard":
            self._again(name, ended, self._start_guard)
        elif name == "host":
            if not self._was_ready and ended.lived < 5 and ended.status != 0:
                self._failed = True
                self._stop("the engine cannot start")
                return
            self._again(name, ended, self._give_ports)

    # --- the database ---------------------------------------------------------------------

    def _reload(self, who: str) -> None:
        if self._builder is not None:
            self._build_again = True
            return
        if self._facts.identity and not self._sources_changed(self._facts.identity):
            self._happened(_info(Kind.UPDATE, f"the database is unchanged ({who} asked)"))
            return
        self._notify.reloading()
        self._start_builder(fall_back=not self._facts.identity)

    def _take_built(self, ended: Ended) -> None:
        """A builder has ended: its index takes over, or what is in use stays."""
        built, self._built = self._built, None
        if built is None:
            built = Built(DatabaseFacts(), trouble=f"the process that indexes was {ended.reason}")
        self._refused = built.trouble
        if built.trouble or built.facts.trouble:
            self._happened(
                Event(
                    kind=Kind.FAILURE,
                    severity=Severity.ALARM,
                    origin="daemon",
                    message=f"the database cannot be used: {built.trouble or built.facts.trouble}",
                )
            )
        if built.trouble and not self._facts.generation:
            print(f"tocsin: {built.trouble}", file=sys.stderr, flush=True)
            self._failed = True
            self._stop("there is no database")
        elif not built.trouble and not built.unchanged:
            self._take_over(built.facts)
        if self._build_again:
            self._build_again = False
            self._start_builder(fall_back=False)
        elif self._was_ready:
            self._notify.ready()

    def _take_over(self, facts: DatabaseFacts) -> None:
        """Use a database from now on, with the exceptions that hold now."""
        self._next = msgspec.structs.replace(
            facts, generation=self._facts.generation + 1, since=time.time()
        )
        self._change_over()

    def _change_over(self) -> None:
        """Let the old host finish, then start the new one."""
        old = self._children.pop("host", None)
        if old is None:
            self._start_host()
            self._changed()
            return
        self._retiring.append(old)
        for name in ("front", "guard"):
            if name in self._children:
                self._children[name].send(HoldNote())
        self._drain_until = time.monotonic() + DRAIN_SECONDS
        self._drained(old)

    def _drained(self, old: Child) -> None:
        """Start the new host once the old one has ended, or has had its time."""
        if self._next is None:
            return
        if old in self._retiring and time.monotonic() < self._drain_until:
            self._supervisor.later(0.02, lambda: self._drained(old))
            return
        self._start_host()
        self._changed()

    def _changed(self) -> None:
        facts = self._facts
        day = (
            time.strftime("%Y-%m-%d", time.gmtime(facts.newest)) if facts.newest else "no known day"
        )
        message = f"{facts.signatures:,} signatures are in use, the newest of {day}"
        self._happened(_info(Kind.UPDATE, message, database=facts.identity))
        if self._was_ready:
            self._notify.ready()

    # --- what is said ---------------------------------------------------------------------

    def _hear(self, said: Said) -> None:
        child, message, descriptors = said
        from_guard = child is self._children.get("guard")
        if isinstance(message, TakeWish) and from_guard and "keeper" in self._children:
            taken = TakeNote(message.path, message.report, message.origin)
            self._children["keeper"].send(taken, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        if isinstance(message, ReadyWish):
            if child.name == "front":
                self._ready = True
        elif isinstance(message, ReloadWish):
            self._reload(message.who)
        elif isinstance(message, ShutdownWish):
            self._stop(message.who)
        elif isinstance(message, HappenedWish):
            self._happened(message.event)
        elif isinstance(message, ChildStateWish):
            if child is self._builder:
                self._built = read_built(message.state)
            else:
                self._child_states[child.name] = message.state

    def _happened(self, event: Event) -> None:
        """Have something journalled: by the front, at once or when there is one again."""
        front = self._children.get("front")
        if front is not None and front.send(JournalNote(event)):
            return
        if len(self._held_events) < _MOST_HELD_EVENTS:
            self._held_events.append(event)

    def _now_and_then(self) -> None:
        now = time.monotonic()
        self._notify.alive()
        if not self._was_ready:
            if self._ready and "host" in self._children:
                self._was_ready = True
                self._notify.ready()
                self._happened(_info(Kind.DAEMON, f"the daemon serves {self._serves}".rstrip()))
            elif self._builder is not None:
                self._notify.longer(30)
        running = tuple(child.pid for child in self._children.values())
        if now - self._last_state >= _STATE_SECONDS or running != self._last_running:
            self._last_state, self._last_running = now, running
            front = self._children.get("front")
            if front is not None:
                front.send(StateNote(self._state()))
        self._look_at_exceptions()
        due = self._check_every and now - self._last_check >= self._check_every
        if due and self._builder is None and self._facts.identity and not self._stopping_since:
            self._last_check = now
            if self._sources_changed(self._facts.identity):
                self._start_builder(fall_back=False)

    def _look_at_exceptions(self) -> None:
        """When the user's exceptions are others, or one has expired, another host takes over."""
        if "host" not in self._children or self._next is not None or self._stopping_since:
            return
        excepted = self._exceptions()
        if self._excepted and excepted.identity != self._excepted:
            self._happened(_info(Kind.SETTING, excepted.message, Severity.NOTICE))
            self._take_over(self._facts)
        self._excepted = excepted.identity

    def _state(self) -> dict[str, Any]:
        facts = self._facts
        return {
            "pid": os.getpid(),
            "started": self._started,
            "database": {
                "generation": facts.generation,
                "identity": facts.identity,
                "signatures": facts.signatures,
                "newest": facts.newest,
                "since": facts.since,
                "trouble": facts.trouble,
                "refused": self._refused,
                "indexing": self._builder is not None,
            },
            "processes": {name: child.pid for name, child in self._children.items()},
            "restarts": self._restarts,
            "guard": self._child_states.get("guard", {}) if "guard" in self._children else {},
            "tasks": self._child_states.get("keeper", {}),
        }

    # --- the end --------------------------------------------------------------------------

    def _stop(self, who: str) -> None:
        if self._stopping_since:
            return
        self._stopping_since = time.monotonic()
        self._notify.stopping()
        self._happened(_info(Kind.DAEMON, f"the daemon ends ({who} asked)"))
        for name in ("guard", "front"):
            if name in self._children:
                self._children[name].send(StopNote())
        if self._builder is not None:
            self._supervisor.end(self._builder)

    def _stopped(self) -> bool:
        """Whether all have ended; those that take too long are ended."""
        left = self._supervisor.children
        if not left:
            return True
        overdue = time.monotonic() - self._stopping_since
        if overdue > STOP_SECONDS:
            for child in left.values():
                self._supervisor.end(child, 9)
        elif "front" not in self._children:
            for child in left.values():
                if child.name != "keeper":
                    self._supervisor.end(child)
        return False


def _info(
    kind: Kind, message: str, severity: Severity = Severity.INFO, database: str = ""
) -> Event:
    return Event(kind=kind, severity=severity, origin="daemon", message=message, database=database)

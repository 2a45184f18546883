"""What the supervisor decides: who runs, which database is in use, when it ends.

    supervisor ── front    talks to clients; no rights
               ├─ keeper   opens files as clients, acts; root where the daemon was started by root
               ├─ guard    answers the kernel; root, only where the settings want it
               ├─ builder  makes an index, then ends; one at a time
               └─ host     holds the index ── workers, confined

A new database takes over like this. A builder makes its index, loads it and tries it, while all
goes on. The next host is forked and loads it, while the old one still answers, if there is memory
for both. When it is ready, front and guard ask it from then on, and the old one answers what it has
taken and ends: nobody waits. Without that memory front and guard are told to hold what they have
not asked yet, the old host answers and ends, and only then the next is forked and asked.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec

from tocsin.protect.daemon.built import Built, read_built
from tocsin.protect.daemon.control_messages import (
    ChildStateWish,
    DatabaseFacts,
    DatabaseNote,
    HappenedWish,
    HoldNote,
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
from tocsin.protect.daemon.lives import Excepted, Lives
from tocsin.protect.daemon.ports import Ports, has_room_for_two
from tocsin.protect.daemon.service_manager import ServiceManager
from tocsin.protect.daemon.supervisor import Backoff, Child, Ended, Said, Supervisor
from tocsin.protect.journal.event import Event, Kind, Severity

DRAIN_SECONDS = 2.0
"""How long a new host waits for an old one to end."""

STOP_SECONDS = 15.0
"""How long children have to end in good order."""

_STATE_SECONDS = 1.0
_LOOK_SECONDS = 0.005
_MOST_HELD_EVENTS = 1000


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
        notify: the service manager.
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
        self._warming: Child | None = None
        self._warm_ports = Ports(())
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
        """Have a host for the next database, the one that has loaded it if there is one."""
        assert self._next is not None
        self._facts, self._next = self._next, None
        warm, self._warming = self._warming, None
        if warm is None or self._warm_ports.askers != self._askers():
            self._let_go(warm)
            self._give_ports()
            return
        self._children["host"] = warm
        self._tell_front()
        self._warm_ports.give(self._children, self._facts)
        self._tell_keeper()

    def _askers(self) -> tuple[str, ...]:
        return tuple(name for name in ("front", "guard") if name in self._children)

    def _fork_host(self, ports: Ports, identity: str) -> Child:
        child = self._supervisor.fork(
            "host", lambda end: self._lives.host(end, ports.theirs, identity), ports.descriptors()
        )
        ports.host_has_them()
        return child

    def _let_go(self, warm: Child | None) -> None:
        """Do without a host that was to take over."""
        self._warm_ports.close()
        if warm is not None:
            self._retiring.append(warm)
            self._supervisor.end(warm)

    def _give_ports(self) -> None:
        """Fork a host anew, with ports to whoever asks hosts; the old one ends by that."""
        old = self._children.pop("host", None)
        if old is not None:
            self._retiring.append(old)
        ports = Ports(self._askers())
        self._children["host"] = self._fork_host(ports, self._facts.identity)
        self._tell_front()
        ports.give(self._children, self._facts)
        self._tell_keeper()

    def _tell_front(self) -> None:
        """Say how things stand before the front serves with it, which would know less than that."""
        front = self._children.get("front")
        if front is not None:
            front.send(StateNote(self._state()))

    def _tell_keeper(self) -> None:
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
        if child is self._warming:  # it was too much after all: one after the other
            self._warming = None
            self._warm_ports.close()
            self._replace()
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
        """Have the next host load its index, beside the old one where there is room."""
        warm, self._warming = self._warming, None
        if warm is not None:
            self._let_go(warm)
        old = self._children.get("host")
        if old is None or not has_room_for_two(old.pid):
            self._replace()
            return
        assert self._next is not None
        self._warm_ports = Ports(self._askers())
        self._warming = self._fork_host(self._warm_ports, self._next.identity)

    def _replace(self) -> None:
        """Let the old host finish, then go on with the next one."""
        old = self._children.pop("host", None)
        if old is not None:
            self._retiring.append(old)
        if old is None or self._warming is not None:  # its answers still come
            self._start_host()
            self._changed()
            return
        for name in self._askers():
            self._children[name].send(HoldNote())
        self._drain_until = time.monotonic() + DRAIN_SECONDS
        self._drained(old)

    def _drained(self, old: Child) -> None:
        """Start the new host once the old one has ended, or has had its time."""
        if self._next is None:
            return
        if old in self._retiring and time.monotonic() < self._drain_until:
            self._supervisor.later(_LOOK_SECONDS, lambda: self._drained(old))
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
            elif child is self._warming and self._next is not None and not self._stopping_since:
                self._replace()
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
            self._tell_front()
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
        for child in (self._builder, self._warming):
            if child is not None:
                self._supervisor.end(child)

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

"""The daemon watched: one look a second, and what follows from several of them.

`Watch` looks, `Live` remembers and computes; only the first touches the machine.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from tocsin.app.api_client import ApiClient
from tocsin.app.daemon_status import daemon_status
from tocsin.app.process_usage import ProcessUsage, Usage
from tocsin.errors import DaemonRefused, DaemonUnreachable
from tocsin.settings import Settings

KEPT_SECONDS = 300
"""For how many looks rates are kept."""

SMOOTHED = 3
"""Over how many looks a rate is taken; the supervisor tells the front of the guard once a second,
so that single looks would see nothing and then twice as much."""

MOST_FINDINGS = 200
_SCANNED = ("objects", "bytes", "worker_seconds")
_GUARD = ("events", "remembered", "joined", "looks", "denied", "timed_out")


class Look(NamedTuple):
    """One look at the daemon.

    Attributes:
        at: seconds of a clock that never jumps.
        time: seconds since 1970.
        daemon: what it says; None when it does not answer.
        trouble: why it does not.
        processes: its processes.
        unseen: why they cannot be seen, or empty.
    """

    at: float
    time: float
    daemon: dict[str, Any] | None = None
    trouble: str = ""
    processes: tuple[Usage, ...] = ()
    unseen: str = ""


class Watch:
    """Looks at the daemon.

    Args:
        settings: that say where it listens.
        timeout: seconds to wait for its answer.
    """

    def __init__(self, settings: Settings, *, timeout: float = 3.0) -> None:
        self._client = ApiClient.of(settings, timeout=timeout)
        self._usage = ProcessUsage()

    def look(self) -> Look:
        """Look once; waits for the answer."""
        try:
            daemon = daemon_status(self._client)
            server = self._client.server_process()
            processes, unseen = self._processes(daemon, server)
        except (DaemonUnreachable, DaemonRefused) as error:
            return Look(time.monotonic(), time.time(), trouble=str(error))
        return Look(time.monotonic(), time.time(), daemon, "", processes, unseen)

    def _processes(self, daemon: Mapping[str, Any], server: int) -> tuple[tuple[Usage, ...], str]:
        named = {str(name): int(pid) for name, pid in daemon.get("processes", {}).items()}
        supervisor = int(daemon.get("pid") or 0)
        if not supervisor:
            return (), "the daemon is starting"
        if server not in (supervisor, *named.values()):
            return (), "the daemon's processes are numbered otherwise here: it runs in a container"
        usages = self._usage.look(supervisor, named)
        if not usages:
            return (), "this user may not see the daemon's processes"
        return tuple(usages), ""


class Rates(NamedTuple):
    """How fast things go, for each second.

    Attributes:
        objects: scanned for clients.
        bytes: of them.
        busy: share of the workers' time that went into them, 0 to 1.
        openings: that the guard was asked about.
        guarded: of them, those of guarded files.
        remembered: share of these that was answered from memory.
        looks: files that the guard had looked at.
        denied: openings refused.
        timed_out: openings that the fallback decided.
    """

    objects: float = 0.0
    bytes: float = 0.0
    busy: float = 0.0
    openings: float = 0.0
    guarded: float = 0.0
    remembered: float = 0.0
    looks: float = 0.0
    denied: float = 0.0
    timed_out: float = 0.0


class Live:
    """What several looks together say.

    Attributes:
        last: the last look.
        known: what the daemon said last, also when it does not answer now.
        rates: as of the last look.
        objects: objects for each second, the oldest first.
        openings: openings for each second, the oldest first.
        findings: what was found and what failed, the newest first.
    """

    def __init__(self) -> None:
        self.last = Look(0.0, 0.0)
        self.known: dict[str, Any] = {}
        self.rates = Rates()
        self.objects: deque[float] = deque([0.0] * KEPT_SECONDS, maxlen=KEPT_SECONDS)
        self.openings: deque[float] = deque([0.0] * KEPT_SECONDS, maxlen=KEPT_SECONDS)
        self.findings: list[dict[str, Any]] = []
        self._scanned = _Counters(_SCANNED)
        self._guard = _Counters(_GUARD)

    def take(self, look: Look) -> None:
        """Another look was taken."""
        self.last = look
        daemon = look.daemon
        if daemon is None:
            self._scanned.forget()
            self._guard.forget()
            self.rates = Rates()
        else:
            self.known = daemon
            scanned = self._scanned.rates(look.at, daemon.get("scanned") or {})
            guard = self._guard.rates(look.at, daemon.get("guard") or {})
            guarded = guard["remembered"] + guard["joined"] + guard["looks"]
            jobs = int(daemon.get("jobs") or 1)
            self.rates = Rates(
                objects=scanned["objects"],
                bytes=scanned["bytes"],
                busy=min(1.0, scanned["worker_seconds"] / max(1, jobs)),
                openings=guard["events"],
                guarded=guarded,
                remembered=min(1.0, guard["remembered"] / guarded) if guarded > 0 else 0.0,
                looks=guard["looks"],
                denied=guard["denied"],
                timed_out=guard["timed_out"],
            )
            self._find(daemon.get("recent") or [])
        self.objects.append(self.rates.objects)
        self.openings.append(self.rates.openings)

    def slowest(self) -> list[tuple[float, str, int]]:
        """Seconds, name and size of the slowest objects; the guard does not know sizes, -1."""
        found = [
            (float(slow["seconds"]), str(slow["name"]), int(slow["size"]))
            for slow in self.known.get("scanned", {}).get("slowest", [])
        ]
        guards = self.known.get("guard", {}).get("slowest") or {}
        if guards.get("path"):
            found.append((float(guards["seconds"]), str(guards["path"]), -1))
        return sorted(found, reverse=True)

    def _find(self, recent: list[dict[str, Any]]) -> None:
        """Add what is new; the daemon tells the last few, and forgets when it is started anew."""
        known = {_key(event) for event in self.findings}
        for event in recent:
            if _key(event) not in known:
                self.findings.insert(0, event)
        del self.findings[MOST_FINDINGS:]


def _key(event: Mapping[str, Any]) -> tuple[object, object]:
    return event.get("time"), event.get("message")


class _Counters:
    """Numbers that only grow, unless whoever counts was started anew."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._looks: deque[tuple[float, tuple[float, ...]]] = deque(maxlen=SMOOTHED + 1)

    def forget(self) -> None:
        """Whoever counts has gone."""
        self._looks.clear()

    def rates(self, at: float, state: Mapping[str, Any]) -> dict[str, float]:
        """How fast each grows, for each second."""
        counts = tuple(float(state.get(name) or 0.0) for name in self._names)
        if self._looks and any(
            now < before for now, before in zip(counts, self._looks[-1][1], strict=True)
        ):
            self._looks.clear()
        self._looks.append((at, counts))
        began, first = self._looks[0]
        lasted = at - began
        if lasted <= 0:
            return dict.fromkeys(self._names, 0.0)
        return {
            name: (now - before) / lasted
            for name, now, before in zip(self._names, counts, first, strict=True)
        }

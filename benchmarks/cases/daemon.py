"""Daemons under load: 200 clients at a time, the five real sets, tocsin's and Debian's in turn."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from bench import Bench
from daemons import Daemon, clamd, tocsin_daemon
from load import Outcome, Request, drive, instream, scan
from report import CaseResult, Figure

from data import SEED, Absent, Sample

CLIENTS = 200
_SMALL = 1000
_LEAST = 100_000


class _Taken:
    """What one daemon took for one kind of load."""

    def __init__(self, who: str, outcome: Outcome, cpu: float, peak: float, rest: float) -> None:
        self.who = who
        self.outcome = outcome
        self.cpu = cpu
        self.peak = peak
        self.rest = rest


def run(bench: Bench, result: CaseResult) -> None:
    """Streams of a kilobyte, and PE files of 100 kB and more by path."""
    sets = bench.real_sets()
    sample = bench.pe_sample()
    large = [path for path in _files(sample) if path.stat().st_size >= _LEAST]
    if not large:
        raise Absent(f"no PE file of {_LEAST} bytes in the sample")
    paths = [scan(os.fspath(path)) for path in large]
    few = bench.scale.scans == 1
    kinds: dict[str, Callable[[], Iterator[Request]]] = {
        "streams of 1 kB": lambda: _streams(3000 if few else 20_000),
        "PE files of 100 kB and more": lambda: iter(paths),
        "the same PE files again": lambda: iter(paths * (10 if few else 50)),
    }
    size = sum(request.size for request in paths) / 1e6
    result.notes.append(
        f"{CLIENTS} clients at a time, each a new connection, one command, its answer. No stream "
        f"comes twice. {len(large)} PE files, {size:.0f} MB, from the page cache; both daemons "
        "remember what was clean, so they are measured once new and once again. The driver takes "
        "processor time of its own, from both alike; 'processor time' is the daemons' alone. "
        "Memory is PSS of all processes added up."
    )
    taken: dict[str, list[_Taken]] = {kind: [] for kind in kinds}
    for name, start in _daemons(bench, sorted(sets.iterdir())).items():
        bench.say(f"{name}: starting")
        try:
            with start() as daemon:
                drive(daemon.socket, _streams(2 * CLIENTS, SEED + 1), CLIENTS)  # warm
                for kind, load in kinds.items():
                    bench.say(f"{name}: {kind}")
                    taken[kind].append(_measured(daemon, load()))
        except Absent as reason:
            result.skip(name, reason)
    for kind, several in taken.items():
        _add(result, kind, several)


def _streams(count: int, seed: int = SEED) -> Iterator[Request]:
    rng = random.Random(seed)
    return (instream(rng.randbytes(_SMALL)) for _ in range(count))


def _daemons(
    bench: Bench, sources: list[Path]
) -> dict[str, Callable[[], AbstractContextManager[Daemon]]]:
    """How each is started, in a folder that others may enter."""
    folder = bench.folder / "daemons"
    folder.mkdir()
    for place in (bench.folder, folder):
        place.chmod(0o755)
    cache = Path(bench.environment["TOCSIN_CACHE_DIR"])
    tocsin = Path(bench.peers.need("tocsin").path)
    found: dict[str, Callable[[], AbstractContextManager[Daemon]]] = {
        "tocsin daemon": lambda: tocsin_daemon(tocsin, sources, folder, cache),
    }
    peer = bench.peers.need("clamd") if bench.peers.has("clamd") else None
    if peer is not None:
        found["clamd"] = lambda: clamd(peer.path, sources, folder)
    return found


def _files(sample: Sample) -> Iterator[Path]:
    return (path for path in sorted(sample.folder.rglob("*")) if path.is_file())


def _measured(daemon: Daemon, load: Iterator[Request]) -> _Taken:
    peak = [daemon.pss()]
    before = daemon.cpu()
    outcome = drive(daemon.socket, load, CLIENTS, lambda: peak.append(daemon.pss()))
    used = daemon.cpu() - before
    return _Taken(daemon.name, outcome, used, max(peak), daemon.pss())


def _add(result: CaseResult, kind: str, several: list[_Taken]) -> None:
    """The measures of one kind of load."""
    for one in several:
        if one.outcome.wrong:
            result.notes.append(f"{one.who}, {kind}: wrong answers {dict(one.outcome.wrong)}")

    def add(name: str, unit: str, value: Callable[[_Taken], float], *, more: bool = False) -> None:
        figures = [Figure(t.who, (value(t),), ours=t.who.startswith("tocsin")) for t in several]
        result.add(f"{kind}: {name}", unit, figures, more_is_better=more)

    add("requests", "/s", lambda t: t.outcome.rate, more=True)
    add("data", "MB/s", lambda t: t.outcome.size / t.outcome.seconds / 1e6, more=True)
    add("processor time a request", "ms", lambda t: t.cpu / t.outcome.requests * 1e3)
    add("median wait", "s", lambda t: t.outcome.quantile(0.5))
    add("99 % wait", "s", lambda t: t.outcome.quantile(0.99))
    add("memory at most", "MiB", lambda t: t.peak)
    add("memory afterwards", "MiB", lambda t: t.rest)

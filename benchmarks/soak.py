"""Ten minutes of mixed load on the daemon, with a new database and dead workers in between.

    python benchmarks/soak.py [--seconds 600] [--clients 200] [--growth 1.1]

No error may come, and memory must be as it was: the last third's least memory is compared with
the second third's. Exit status 0 when both hold, 1 when not.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from daemons import Daemon, interpreter, tocsin_daemon
from load import Request, any_verdict, drive, found, instream, scan

from data import REAL_SETS, SHARED, Absent, pe_sample, real_sets

GROWTH = 1.10
"""Memory may be so many times what it was: Python's own caches fill slowly."""

_DISTURB_EVERY = 20.0


class Watch:
    """Looks at the daemon once a second: memory, and now and then a disturbance.

    Args:
        daemon: which.
        database: a source of signatures that is changed.
        every: seconds between disturbances.
    """

    def __init__(self, daemon: Daemon, database: Path, every: float = _DISTURB_EVERY) -> None:
        self.memory: list[float] = []
        self.disturbed = 0
        self._daemon = daemon
        self._database = database
        self._every = every
        self._next = time.monotonic() + every
        self._began = time.monotonic()

    def __call__(self) -> None:
        """Look."""
        self.memory.append(self._daemon.pss())
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._every
            self.disturbed += 1
            if self.disturbed % 2:
                self._new_database()
            else:
                self._kill_a_worker()
        if len(self.memory) % 15 == 0:
            seconds = now - self._began
            print(f"[{seconds:4.0f} s] {self.memory[-1]:.0f} MiB", file=sys.stderr, flush=True)

    def _new_database(self) -> None:
        with self._database.open("a") as file:
            name = f"Soak.Number{self.disturbed}"
            file.write(f"{name}:0:*:{name.encode().hex()}\n")
        drive(self._daemon.socket, iter([Request(b"zRELOAD\0", 0, lambda _: True)]), 1)

    def _kill_a_worker(self) -> None:
        workers = [
            pid
            for pid in self._daemon.processes()
            if Path(f"/proc/{pid}/comm").read_text().strip() == "tocsin worker"
        ]
        if workers:
            with contextlib.suppress(OSError):
                os.kill(random.Random(self.disturbed).choice(workers), signal.SIGKILL)


def requests(folder: Path, seconds: float) -> Iterator[Request]:
    """A mixed load, until the time is over."""
    end = time.monotonic() + seconds
    rng = random.Random(1)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    marked = b"this is Soak.Marker in a text"
    while time.monotonic() < end:
        kind = rng.random()
        if kind < 0.5:
            yield instream(rng.randbytes(rng.choice((200, 1000, 1000, 10_000))))
        elif kind < 0.7:
            text = rng.randbytes(rng.randrange(10_000, 150_000)).hex()  # bytes may be damaged zips
            yield instream(text.encode(), any_verdict)
        elif kind < 0.8:
            yield instream(rng.randbytes(500) + marked, found)
        else:
            yield scan(os.fspath(rng.choice(files)), any_verdict)


def main() -> int:
    """Parse, run, say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--growth", type=float, default=GROWTH)
    parser.add_argument("--disturb-every", type=float, default=_DISTURB_EVERY)
    parser.add_argument(
        "--only-own", action="store_true", help="without the five real sets: starts at once"
    )
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tocsin-soak-"))
    folder.chmod(0o755)
    try:
        return _soak(folder, arguments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _soak(folder: Path, arguments: argparse.Namespace) -> int:
    seconds, clients = arguments.seconds, arguments.clients
    database = folder / "soak.ndb"
    database.write_text(f"Soak.Marker:0:*:{b'this is Soak.Marker in'.hex()}\n")
    sources = [database]
    real = all((SHARED / f"{name}.gz").exists() for name in REAL_SETS)
    if real and not arguments.only_own:
        sources += sorted(real_sets(folder / "real", 1).iterdir())
    try:
        files = pe_sample(folder / "files", 30_000_000).folder
    except Absent:
        files = Path("/usr/share/doc")
    print(f"{len(sources)} sources; indexing", file=sys.stderr, flush=True)
    (folder / "daemon").mkdir(mode=0o755)
    with tocsin_daemon(interpreter(), sources, folder / "daemon", folder / "cache") as daemon:
        drive(daemon.socket, requests(files, min(20.0, seconds / 10)), clients)
        watch = Watch(daemon, database, arguments.disturb_every)
        outcome = drive(daemon.socket, requests(files, seconds), clients, watch)
    third = max(1, len(watch.memory) // 3)
    before, after = min(watch.memory[third : 2 * third]), min(watch.memory[2 * third :])
    print(
        f"{outcome.requests} requests in {outcome.seconds:.0f} s, {outcome.rate:.0f}/s, "
        f"{outcome.size / outcome.seconds / 1e6:.1f} MB/s; wait: median "
        f"{outcome.quantile(0.5):.3f} s, 99 % {outcome.quantile(0.99):.3f} s\n"
        f"{watch.disturbed} disturbances; errors: {dict(outcome.wrong) or 'none'}\n"
        f"memory: {before:.0f} MiB in the second third, {after:.0f} MiB in the last, "
        f"at most {max(watch.memory):.0f} MiB"
    )
    return 1 if outcome.wrong or after > arguments.growth * before else 0


if __name__ == "__main__":
    sys.exit(main())

"""A large database takes a day's delta while clients scan: who waits longer, and what it costs.

    python benchmarks/update_under_load.py [--scale 1.0] [--rate 40] [--databases FOLDER] [--json]

A daemon has 8.7 million signatures in use (of `deltas.py`'s case `large`: 95 % digests, the rest
from the real sets), and trusts a publisher of this program's tests, with three witnesses. Clients
come at a steady rate, whether or not the daemon keeps up, before the update, during it, and after
it. The daemon begins the update itself: a process of its own fetches the delta, applies and
verifies it, makes the index beside the one in use and tries it; then the daemon changes over.
Shown are the waits of clients in each part, the updater's seconds and memory with and without
the making of the index, and requests that failed. Exit status 1 if one did.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import deltas
from daemons import _pss, _tree

HERE = Path(__file__).resolve().parent
TOCSIN = [sys.executable, "-m", "tocsin"]
_DIGESTS_ALONE = 0.001
"""Up to this scale there is nothing of the real sets in it, which take longer than all the rest."""

_BEFORE = 20.0
_LONGEST = 3600.0


class Waits(NamedTuple):
    """What clients saw in one part of the run.

    Attributes:
        part: `before`, `during` or `after`.
        requests: answered rightly.
        failed: not.
        seconds: that the part took.
        p50: milliseconds from when a request was due to its answer.
        p99: the same.
        worst: the same.
    """

    part: str
    requests: int
    failed: int
    seconds: float
    p50: float
    p99: float
    worst: float


class Clients:
    """Requests that come at a steady rate, each timed from when it was due.

    Args:
        path: the daemon's socket.
        rate: requests a second.
        threads: that send them; more wait at a time than there are of these.
    """

    def __init__(self, path: str, rate: float, threads: int = 16) -> None:
        self.part = "before"
        self.wrong: Counter[str] = Counter()
        self._seen: list[tuple[str, float, bool]] = []
        self._path, self._period = path, 1 / rate
        self._next = time.perf_counter()
        self._lock = threading.Lock()
        self._done = threading.Event()
        rng = random.Random(7)
        # Every request has other bytes: none is answered from what the daemon remembers.
        self._bodies = [rng.randbytes(rng.choice((2_000, 20_000, 200_000))) for _ in range(64)]
        self._threads = [threading.Thread(target=self._send, args=(n,)) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more, and wait for what is under way."""
        self._done.set()
        for thread in self._threads:
            thread.join()

    def waits(self, part: str, seconds: float) -> Waits:
        """What was seen in a part."""
        with self._lock:
            seen = [(wait, right) for name, wait, right in self._seen if name == part]
        times = sorted(wait * 1000 for wait, _ in seen) or [0.0]
        right = sum(right for _, right in seen)
        p50, p99 = (times[min(len(times) - 1, int(len(times) * q))] for q in (0.5, 0.99))
        figures = (round(each, 2) for each in (p50, p99, times[-1]))
        return Waits(part, right, len(seen) - right, round(seconds, 1), *figures)

    def _send(self, number: int) -> None:
        rng = random.Random(number)
        while not self._done.is_set():
            with self._lock:
                due, self._next = self._next, self._next + self._period
            if (pause := due - time.perf_counter()) > 0 and self._done.wait(pause):
                return
            part = self.part
            body = rng.choice(self._bodies) + rng.randbytes(16)
            answer = self._ask(body)
            right = answer == b"stream: OK\0"
            with self._lock:
                self._seen.append((part, time.perf_counter() - due, right))
                if not right:
                    self.wrong[repr(answer[:80])] += 1

    def _ask(self, body: bytes) -> bytes:
        try:
            with socket.socket(socket.AF_UNIX) as end:
                end.settimeout(120)
                end.connect(self._path)
                end.sendall(b"zINSTREAM\0" + len(body).to_bytes(4, "big") + body + bytes(4))
                answer = b""
                while chunk := end.recv(4096):
                    answer += chunk
                return answer
        except OSError as error:
            return str(error).encode()


class Watch:
    """Looks at the processes of updates: their memory, by whether an index is being made.

    Args:
        pid: of the daemon's first process.
        state: the device's folder of state.
    """

    def __init__(self, pid: int, state: Path) -> None:
        self.peak = {"update": 0.0, "index": 0.0}
        self._pid, self._state = pid, state
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.25):
            for pid in _tree(self._pid):
                with contextlib.suppress(OSError):
                    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                    if b"background" not in words:
                        continue
                    mib = sum(_pss(each) for each in _tree(pid)) / 1024
                    # Once the version is stored, what follows is its index and its test.
                    kind = "index" if self._stored() else "update"
                    self.peak[kind] = max(self.peak[kind], mib)

    def _stored(self) -> bool:
        return (self._state / "updates" / "versions" / "2" / "database.tdb").exists()


def databases(folder: Path, scale: float) -> None:
    """Make the two databases, unless they are there."""
    if not (folder / "new").exists():
        large = deltas.CASES["large"]
        case = large._replace(
            digests=int(large.digests * scale),
            copies=math.ceil(large.copies * scale) if scale > _DIGESTS_ALONE else 0,
            added=int(large.added * scale),
            removed=int(large.removed * scale),
        )
        folder.mkdir(parents=True, exist_ok=True)
        deltas.write_case(case, folder)


@contextlib.contextmanager
def daemon(folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon, which serves when it is handed out."""
    command = [*TOCSIN, "--config", str(folder / "tocsin.toml"), "daemon"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd="/")
    try:
        end = time.monotonic() + _LONGEST
        while not _answers(folder / "clamd.sock"):
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the daemon does not serve: {(folder / 'log').read_text()}")
            time.sleep(0.2)
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _answers(place: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as end:
        end.settimeout(60)
        end.connect(str(place))
        end.sendall(b"zINSTREAM\0\0\0\0\x05hello\0\0\0\0")
        return end.recv(100) == b"stream: OK\0"
    return False


def main() -> int:
    """Run it; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="part of 8.7 million signatures")
    parser.add_argument("--rate", type=float, default=40, help="requests a second")
    parser.add_argument("--databases", type=Path, help="keep the two databases here")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tocsin-load-"))
    folder.chmod(0o755)
    try:
        result = _run(folder, asked.databases or folder / "databases", asked.scale, asked.rate)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if asked.json:
        print(json.dumps(result))
    else:
        _show(result)
    return 1 if any(each["failed"] for each in result["waits"]) else 0


def _run(folder: Path, made: Path, scale: float, rate: float) -> dict[str, object]:
    sys.path[:0] = [str(HERE.parent / "tests" / "updates" / "receive")]
    from receive_samples import Repository

    _say("making the databases")
    databases(made, scale)
    _say("publishing version 1")
    repository = Repository(folder / "repository")
    repository.add(1, data=(made / "old").read_bytes())
    repository.publish_metadata()
    (folder / "config" / "trust").mkdir(parents=True)
    (folder / "config" / "trust" / "root.json").write_bytes(repository.root_bytes(1))
    (folder / "config" / "trust" / "policy").write_bytes(repository.policy_text())
    environment = {
        **os.environ,
        **{f"TOCSIN_{n.upper()}_DIR": str(folder / n) for n in ("config", "state", "cache")},
    }
    own = folder / "own.ndb"
    own.write_text(f"Own.List:0:*:{b'a list of our own'.hex()}\n")
    settings = folder / "tocsin.toml"

    def write_settings(every: str) -> None:
        user = 'user = "nobody"\n' if os.geteuid() == 0 else ""
        settings.write_text(
            f'[database]\nsources = ["{own}"]\nwith_default = false\ncheck_every = 0\n'
            f'[updates]\nmirrors = ["{repository.folder}"]\nevery = "{every}"\n'
            f'[daemon]\nsocket = "{folder}/clamd.sock"\napi_socket = "{folder}/api.sock"\n'
            f'state = "{folder}/state"\nadmin_group = ""\ncache_size = 0\n{user}'
        )

    write_settings("0s")
    _say("taking version 1 into use, and making its index")
    began = time.monotonic()
    command = [*TOCSIN, "--config", str(settings), "update", "--json"]
    first = json.loads(subprocess.run(command, env=environment, stdout=-1, check=True).stdout)
    first_seconds = time.monotonic() - began
    _say("publishing version 2")
    repository.add(2, data=(made / "new").read_bytes())
    repository.plain.clear()
    repository.publish_metadata()
    write_settings("20s")
    with daemon(folder, environment) as process:
        _say("clients scan")
        clients, watch = Clients(f"{folder}/clamd.sock", rate), Watch(process.pid, folder / "state")
        parts = []
        try:
            parts.append(_until(clients, "before", lambda _: _updating(process.pid)))
            _say("the daemon updates")
            swapped = _until(clients, "during", lambda _: _in_use(folder) == 2)
            parts.append(swapped)
            _say("the daemon has changed over")
            parts.append(_until(clients, "after", lambda since: since > _BEFORE))
        finally:
            clients.stop()
            watch.stop()
        waits = [clients.waits(name, seconds) for name, seconds in parts]
    last = _steps_of(folder)
    return {
        "database_bytes": (made / "new").stat().st_size,
        "rate": rate,
        "first_seconds": round(first_seconds, 1),
        "first_steps": first["steps"],
        "update": last,
        "peak_mib": {name: round(mib) for name, mib in watch.peak.items()},
        "wrong": dict(clients.wrong),
        "waits": [each._asdict() for each in waits],
    }


def _until(clients: Clients, part: str, ends: Callable[[float], bool]) -> tuple[str, float]:
    clients.part, began = part, time.monotonic()
    while not ends(time.monotonic() - began):
        if time.monotonic() - began > _LONGEST:
            raise SystemExit(f"{part}: it takes too long")
        time.sleep(0.2)
    return part, time.monotonic() - began


def _updating(pid: int) -> bool:
    for each in _tree(pid):
        with contextlib.suppress(OSError):
            if b"background" in Path(f"/proc/{each}/cmdline").read_bytes().split(b"\0"):
                return True
    return False


def _in_use(folder: Path) -> int:
    """Which version the daemon scans with: 2 once it has changed over."""
    from tocsin.app.api_client import ApiClient
    from tocsin.errors import TocsinError

    try:
        status = ApiClient(f"{folder}/api.sock", timeout=30).get("/v1/status")
    except TocsinError:  # it is asked again
        return 0
    return 2 if status["database"]["generation"] > 1 else 1


def _steps_of(folder: Path) -> dict[str, object]:
    """What the update in the background says of itself in the journal."""
    from tocsin.protect.journal.event import Kind
    from tocsin.protect.journal.store import Filter, Journal

    journal = Journal(folder / "state" / "journal" / "journal.db", read_only=True)
    try:
        events = journal.read(Filter(kinds=(Kind.UPDATE,)))
        return next(dict(e.details) for e in events if e.action == "updated")
    finally:
        journal.close()


def _say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def _show(result: dict) -> None:
    heads = ("requests", "failed", "seconds", "p50 ms", "p99 ms", "max ms")
    print("part    " + "".join(f"{head:>9}" for head in heads))
    for each in result["waits"]:
        print(
            f"{each['part']:<8}{each['requests']:>9}{each['failed']:>9}{each['seconds']:>9}"
            f"{each['p50']:>9}{each['p99']:>9}{each['worst']:>9}"
        )
    before, during, *_ = result["waits"]
    ratios = [during[q] / before[q] for q in ("p50", "p99") if before[q]]
    print("during ÷ before: " + ", ".join(f"{r:.2f}" for r in ratios) + " (p50, p99)")
    print(f"the update: {result['update']}")
    print(f"peak PSS of the updater, MiB: {result['peak_mib']}")


if __name__ == "__main__":
    sys.exit(main())

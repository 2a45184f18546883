"""What `tocsin publish add` costs, phase by phase: seconds, and memory at its highest.

    python benchmarks/publish_add.py                 1,000,000 digests, then +3,000 -500
    python benchmarks/publish_add.py --records 100000

A publisher is made in a folder that is removed afterwards, with keys that protect nothing. Phases
are what the command itself tells of its progress; memory is that of the process and of those that
it started (PSS), looked at twenty times a second. Both databases are tried on known files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from tocsin.app.publish import validator
from tocsin.updates.layout import Publisher
from tocsin.updates.publish.add import add_database
from tocsin.updates.publish.ceremony import draft_first_root, finish, make_log_key, write_policy
from tocsin.updates.publish.keys import make_key
from tocsin.updates.publish.roots import RoleKeys, Roles
from tocsin.updates.publish.session import Session
from tocsin.updates.publish.workspace import PublisherSettings, Workspace

SEED = 20_261_128
BAD = b"what both databases find " * 9
GOOD = b"what neither finds " * 9
CHEAP = 2


def pss(process: int) -> int:
    """Proportional memory of a process and its children, in bytes."""
    total = 0
    with suppress(OSError, ValueError):
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
        total += int(text.split("Pss:")[1].split()[0]) * 1024
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        total += sum(pss(int(child)) for child in children)
    return total


class Watch:
    """Times phases and notes the highest memory in each."""

    def __init__(self) -> None:
        self.phases: list[list[object]] = []
        self._since = time.perf_counter()
        self._name = "start"
        self._most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self._most = max(self._most, pss(os.getpid()))

    def say(self, words: str) -> None:
        """Take the first two words of what is told as the phase's name."""
        name = " ".join(words.split(":")[0].split()[:2])
        if name != self._name:
            now = time.perf_counter()
            self.phases.append([self._name, now - self._since, self._most])
            self._name, self._since, self._most = name, now, pss(os.getpid())

    def close(self) -> list[list[object]]:
        """End, and give the phases."""
        self.say("end")
        self._over.set()
        self._thread.join()
        return self.phases[1:]


def lines(numbers: list[int]) -> bytes:
    """Digests with sizes and names, as the real sets have them."""
    found = [f"{hashlib.sha256(BAD).hexdigest()}:{len(BAD)}:Bench.Bad\n"]
    for number in numbers:
        digest = hashlib.sha256(b"%d %d" % (SEED, number)).hexdigest()
        found.append(f"{digest}:{1000 + number % 99_000}:Bench.Family{number % 997}-{number}\n")
    return "".join(found).encode()


def pinned(folder: Path, name: str, numbers: list[int]) -> Path:
    """A file of sources with one list."""
    data = lines(numbers)
    (folder / f"{name}.hsb").write_bytes(data)
    path = folder / f"{name}.toml"
    path.write_text(
        f'[[source]]\nname = "bench.hsb"\npath = "{name}.hsb"\n'
        f'sha256 = "{hashlib.sha256(data).hexdigest()}"\n'
    )
    return path


def publisher(folder: Path) -> None:
    """A publisher with root 1 and no witnesses."""
    keys = folder / "keys"
    keys.mkdir()
    workspace = Workspace(folder / "pub")
    workspace.create(PublisherSettings("bench.example/log", str(keys)), b"quorum none\n")
    session = opened(folder, lambda _: None)
    make_log_key(session, log2_n=CHEAP)
    write_policy(session, b"")

    def role(name: str) -> RoleKeys:
        return RoleKeys((make_key(keys, name, b"x", log2_n=CHEAP).key,), 1)

    roles = Roles(*(role(name) for name in ("root", "targets", "snapshot", "timestamp")))
    draft_first_root(session, roles, Publisher("Bench"))
    finish(session)


def opened(folder: Path, say: Callable[[str], None]) -> Session:
    """A session that tells of its progress."""
    return Session.open(folder / "pub", lambda _: b"x", datetime.now(UTC), progress=say)


def main() -> None:
    """Publish twice, and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as place:
        folder = Path(place)
        for name, content in (("good", GOOD), ("bad", BAD)):
            (folder / name).mkdir()
            (folder / name / "file").write_bytes(content)
        publisher(folder)
        numbers = list(range(chosen.records))
        first = pinned(folder, "first", numbers)
        gone = set(random.Random(SEED).sample(numbers, min(500, chosen.records // 10)))
        numbers = [n for n in numbers if n not in gone]
        numbers += range(chosen.records, chosen.records + 3_000)
        second = pinned(folder, "second", numbers)
        del numbers, gone
        results = {}
        for name, sources in (("first", first), ("second, with a delta", second)):
            watch = Watch()
            session = opened(folder, watch.say)
            validate = validator(folder / "good", folder / "bad", watch.say)
            begun = time.perf_counter()
            watch.say("begin")
            added = add_database(session, sources, validate)
            seconds = time.perf_counter() - begun
            phases = watch.close()
            results[name] = {
                "seconds": seconds,
                "bytes": max(int(most) for _, _, most in phases),
                "phases": phases,
                "database": added.size,
                "deltas": added.deltas,
            }
    if chosen.json:
        print(json.dumps(results))
        return
    for name, result in results.items():
        print(f"{name}: {result['seconds']:.1f} s, {int(result['bytes']) / 1e6:.0f} MB at most")
        for phase, seconds, most in result["phases"]:
            print(f"  {phase:24} {seconds:6.1f} s  {int(most) / 1e6:6.0f} MB")


if __name__ == "__main__":
    main()

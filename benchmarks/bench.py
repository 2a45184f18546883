"""What every case is given: programs, samples, signature sets, and a clock that runs out.

Samples and sets are made when a case first asks for them and shared by all cases.
"""

from __future__ import annotations

import compileall
import contextlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from measure import Run, RunFailed, Runner
from peers import Peers

import data
from data import MB, Absent, Sample

PROBE = Path(__file__).with_name("probe.py")
_COMPILED = ("tocsin", "click", "rich", "hyperscan", "pcre2", "yara_x")
_T = TypeVar("_T")


class Scale(NamedTuple):
    """How much is measured.

    Attributes:
        seconds: bound of the whole run.
        pe_bytes: of the sample of PE files.
        system_bytes: of the sample of /usr.
        yara_bytes: of the part of the PE sample that rules are run over.
        digests: random signatures of each of two kinds.
        system_roots: folders that sample is taken from.
        signatures: take every so many of the real sets' lines.
        rules: take every so many of signature-base's files.
        scans: counted runs over a sample.
        starts: counted runs over one small file.
        builds: counted index builds of the real sets.
        containers: archives and documents of the mixed sample.
        container_bytes: of the files inside them.
        pdf_bytes: of the PDF with many streams.
    """

    seconds: float
    pe_bytes: int
    system_bytes: int
    yara_bytes: int
    digests: int
    system_roots: tuple[str, ...]
    signatures: int
    rules: int
    scans: int
    starts: int
    builds: int
    containers: int
    container_bytes: int
    pdf_bytes: int


FULL = Scale(
    2700, 140 * MB, 100 * MB, 80 * MB, 1_000_000, ("/usr/bin", "/usr/lib"), 1, 1, 5, 9, 2,
    containers=200, container_bytes=210 * MB, pdf_bytes=20 * MB,
)  # fmt: skip
QUICK = Scale(
    150, 10 * MB, 12 * MB, 6 * MB, 100_000, ("/usr/bin",), 10, 20, 2, 3, 1,
    containers=20, container_bytes=10 * MB, pdf_bytes=MB,
)  # fmt: skip


class Bench:
    """One run of the benchmarks.

    Args:
        folder: temporary; holds everything that is made.
        scale: how much is measured.

    Attributes:
        peers: what can be measured.
        runner: starts programs in an isolated environment.
        load: of the machine in the minute before the run.
    """

    def __init__(self, folder: Path, scale: Scale) -> None:
        self.folder = folder
        self.scale = scale
        self.began = time.monotonic()
        self.load = os.getloadavg()[0]
        self._case_ends = self.began + scale.seconds
        self.peers = Peers()
        self._made: dict[str, object] = {}
        self.environment = _environment(folder)
        self.runner = Runner(folder, self.environment, self.seconds_left)

    def seconds_left(self) -> float:
        """Until the present case's bound, which is never beyond the run's."""
        return self._case_ends - time.monotonic()

    def begin_case(self, cases_left: int) -> None:
        """Bound one case, so that a slow one does not take the time of all others.

        It may take twice its even share of what is left.

        Raises:
            RunFailed: nothing is left.
        """
        now = time.monotonic()
        left = self.began + self.scale.seconds - now
        if left < 1:
            raise RunFailed("the time for the whole run is used up")
        self._case_ends = now + left * min(1.0, 2 / cases_left)

    def say(self, text: str) -> None:
        """One line of progress on standard error."""
        print(f"[{time.monotonic() - self.began:5.0f} s] {text}", file=sys.stderr, flush=True)

    def pe_sample(self) -> Sample:
        """PE files."""
        return self._once("pe", lambda: data.pe_sample(self.folder / "pe", self.scale.pe_bytes))

    def yara_sample(self) -> Sample:
        """A smaller part of the PE files, for the slower peers."""
        return self._once(
            "pe-part", lambda: data.pe_sample(self.folder / "pe-part", self.scale.yara_bytes)
        )

    def system_sample(self) -> Sample:
        """Files of /usr."""
        return self._once(
            "system",
            lambda: data.system_sample(
                self.folder / "system", self.scale.system_bytes, self.scale.system_roots
            ),
        )

    def real_sets(self) -> Path:
        """The five real signature sets."""
        return self._once(
            "real", lambda: data.real_sets(self.folder / "real", self.scale.signatures)
        )

    def small_file(self) -> Path:
        """A clean file of a kilobyte."""
        return self._once("small", lambda: data.small_file(self.folder / "small.txt"))

    def probe(
        self, *arguments: str | Path, environment: dict[str, str] | None = None
    ) -> tuple[Run, dict[str, float]]:
        """Run `probe.py` in a fresh process; what it took and what it printed."""
        run = self.runner.run([sys.executable, PROBE, *arguments], environment=environment)
        answer: dict[str, float] = json.loads(run.stdout)
        return run, answer

    def empty_cache(self, name: str) -> dict[str, str]:
        """Environment with a cache that nothing was kept in yet."""
        place = self.folder / f"cache-{name}-{time.monotonic_ns()}"
        place.mkdir(mode=0o700)
        return {"TOCSIN_CACHE_DIR": str(place)}

    def need(self, *names: str) -> None:
        """Raise `Absent` unless all these peers are here."""
        for name in names:
            self.peers.need(name)

    def available(self, name: str) -> bool:
        """Whether this peer is here."""
        with contextlib.suppress(Absent):
            self.peers.need(name)
            return True
        return False

    def _once(self, name: str, make: Callable[[], _T]) -> _T:
        if name not in self._made:
            self.say(f"making the data: {name}")
            try:
                self._made[name] = make()
            except Absent as absent:
                self._made[name] = absent
        made = self._made[name]
        if isinstance(made, Absent):
            raise made
        return made  # type: ignore[return-value]


def compile_packages(names: Sequence[str] = _COMPILED) -> None:
    """Write byte code, as an installation does, whatever PYTHONDONTWRITEBYTECODE says."""
    for name in names:
        with contextlib.suppress(ImportError):
            found = importlib.util.find_spec(name)
            for place in (found.submodule_search_locations or ()) if found else ():
                compileall.compile_dir(place, quiet=2)


def _environment(folder: Path) -> dict[str, str]:
    """The caller's, with tocsin's places and temporary files inside `folder`."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "TOCSIN_"))}
    for variable, name in (
        ("TOCSIN_CACHE_DIR", "cache"),
        ("TOCSIN_STATE_DIR", "state"),
        ("TOCSIN_CONFIG_DIR", "config"),
        ("TMPDIR", "tmp"),
    ):
        (folder / name).mkdir(mode=0o700)
        environment[variable] = str(folder / name)
    environment["LC_ALL"] = "C.UTF-8"
    return environment

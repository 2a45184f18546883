"""Runs programs in fresh processes and keeps what each run took.

Nothing here judges: a run that failed raises `RunFailed` and its case says so in the report,
because a program that stopped early would look fast.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_LAUNCHER = Path(__file__).with_name("launcher.py")
_WATCH_SECONDS = 0.05


class RunFailed(Exception):
    """A program could not be measured; the message says why."""


class Memory(NamedTuple):
    """Memory of several processes together, in KiB, sampled while they ran.

    Attributes:
        first: peak of the first process.
        others: sum of the peaks of all others; pages they share count in each of them.
        together: largest sum of proportional set sizes, which counts a shared page once;
            0 where the kernel does not tell.
        processes: how many there were.
    """

    first: int
    others: int
    together: int
    processes: int


class Run(NamedTuple):
    """One run of a program.

    Attributes:
        wall: seconds from start to end.
        cpu: seconds of processor time, user and system, with waited-for children.
        peak: largest resident memory of any one of its processes, KiB (`wait4`).
        status: exit status.
        stdout: what it printed.
        memory: of all its processes, if it was watched.
    """

    wall: float
    cpu: float
    peak: int
    status: int
    stdout: str
    memory: Memory | None = None


class Runner:
    """Starts programs with one environment and one folder for what they print.

    Args:
        folder: a temporary folder of this run.
        environment: what every program sees.
        seconds_left: how long any one run may still take.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], seconds_left: Callable[[], float]
    ) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._seconds_left = seconds_left

    def run(
        self,
        command: Sequence[str | Path],
        *,
        accept: Sequence[int] = (0,),
        environment: Mapping[str, str] | None = None,
        watch: bool = False,
    ) -> Run:
        """Run a program once, in a process of its own.

        Args:
            command: absolute path of the program, and its arguments.
            accept: exit statuses that mean it did its work.
            environment: more variables.
            watch: sample the memory of all its processes; costs it a little time.

        Raises:
            RunFailed: it took too long, or its exit status says that it did not work.
        """
        left = self._seconds_left()
        if left < 1:
            raise RunFailed("the time for this case is used up")
        words = [str(word) for word in command]
        stdout, stderr = self._folder / "stdout", self._folder / "stderr"
        launcher = subprocess.Popen(
            [sys.executable, "-I", "-S", _LAUNCHER, f"{left:.3f}", stdout, stderr, *words],
            stdout=subprocess.PIPE,
            env={**self._environment, **(environment or {})},
            text=True,
        )
        watcher = _Watcher(launcher.pid) if watch else None
        try:
            answer, _ = launcher.communicate()
        except BaseException:
            launcher.terminate()
            launcher.wait()
            raise
        finally:
            memory = watcher.stop() if watcher else None
        name = Path(words[0]).name
        if launcher.returncode or len(answer.split()) != 6:
            raise RunFailed(f"{name} could not be started")
        wall, user, system, peak, status, timed_out = answer.split()
        if timed_out == "1":
            raise RunFailed(f"{name} was ended after {float(wall):.0f} s: out of time")
        if int(status) not in accept:
            said = stderr.read_text("utf-8", "replace").strip().splitlines()
            raise RunFailed(f"{name}: exit status {status}" + (f": {said[-1]}" if said else ""))
        return Run(
            float(wall),
            float(user) + float(system),
            int(peak),
            int(status),
            stdout.read_text("utf-8", "replace"),
            memory,
        )

    def side_by_side(
        self, programs: Mapping[str, Callable[[], Run]], *, times: int, warm_up: bool = True
    ) -> dict[str, list[Run]]:
        """Run several programs in turn, so that what else the machine does meets them all.

        Args:
            programs: by name, how to run each once.
            times: measured runs of each.
            warm_up: run each once more before, uncounted.
        """
        if warm_up:
            for once in programs.values():
                once()
        runs: dict[str, list[Run]] = {name: [] for name in programs}
        for _ in range(times):
            for name, once in programs.items():
                runs[name].append(once())
        return runs


class _Watcher:
    """Samples the memory of the process group that the launcher starts."""

    def __init__(self, launcher: int) -> None:
        self._launcher = launcher
        self._peaks: dict[int, int] = {}
        self._first: int | None = None
        self._together = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> Memory:
        """End sampling and say what was seen."""
        self._done.set()
        self._thread.join()
        first = self._peaks.get(self._first or 0, 0)
        return Memory(first, sum(self._peaks.values()) - first, self._together, len(self._peaks))

    def _watch(self) -> None:
        while not self._done.wait(_WATCH_SECONDS):
            if self._first is None:
                self._first = next(
                    (p for p, parent, _ in _processes() if parent == self._launcher), None
                )
                continue
            together = 0
            for pid, _, group in _processes():
                if group != self._first:
                    continue
                peak = _kib(f"/proc/{pid}/status", "VmHWM:")
                self._peaks[pid] = max(peak, self._peaks.get(pid, 0))
                together += _kib(f"/proc/{pid}/smaps_rollup", "Pss:")
            self._together = max(self._together, together)


def _processes() -> list[tuple[int, int, int]]:
    """Process, parent and group of everything that runs."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                text = Path(f"/proc/{name}/stat").read_text("utf-8", "replace")
                fields = text.rpartition(")")[2].split()
                found.append((int(name), int(fields[1]), int(fields[2])))
    return found


def _kib(path: str, key: str) -> int:
    with suppress(OSError, ValueError), open(path, encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith(key):
                return int(line.split()[1])
    return 0

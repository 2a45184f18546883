"""Starts tasks at their times, each in a process of its own; what it knows survives restarts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from tocsin.errors import SettingsError
from tocsin.protect.schedule.files import Lock, is_locked, read_state, write_state
from tocsin.protect.schedule.plan import Memory, decide
from tocsin.protect.schedule.progress import FOLDER, Files, State, read_progress
from tocsin.protect.schedule.times import Following, following
from tocsin.settings import TaskSettings

MEMORY = "schedule.json"
LOCK = "schedule.lock"
_REMEMBER_EVERY = 600.0
_MOST_RESUMPTIONS = 3
_RESUME_AFTER = 5.0
_MOST_RETRY_WAIT = 300.0


class Started(Protocol):
    """A process that runs a task; `subprocess.Popen` is one."""

    def poll(self) -> int | None:
        """Its exit status, None while it runs."""
        ...

    def terminate(self) -> None:
        """Have it stop."""
        ...


class Scheduler:
    """Decides what is started, starts it, and remembers.

    Args:
        tasks: as the settings have them.
        state: folder of what survives restarts.
        start: starts a task in a process of its own.
        following: the first moment after another, by a task's times.
        delay: a random number of seconds up to a limit.

    Attributes:
        trouble: why something could not be remembered or started, or empty.

    Raises:
        SettingsError: another scheduler does it already.
    """

    def __init__(
        self,
        tasks: Sequence[TaskSettings],
        state: Path,
        start: Callable[[TaskSettings], Started],
        *,
        following: Following = following,
        delay: Callable[[float], float] = lambda most: random.uniform(0.0, most),  # noqa: S311
    ) -> None:
        self.trouble = ""
        self._tasks = {task.name: task for task in tasks}
        self._state = state
        self._start = start
        self._following = following
        self._delay = delay
        self._running: dict[str, Started] = {}
        self._lock = Lock(state / FOLDER / LOCK)
        if not self._lock.take():
            raise SettingsError(
                "tasks are scheduled by another process already: the daemon does it"
            )
        self._path = state / FOLDER / MEMORY
        self._memory = read_state(self._path, Memory) or Memory()
        self._remembered = 0.0
        self._resumed: dict[str, int] = {}
        self._resume_at: dict[str, float] = dict.fromkeys(self._tasks, 0.0)

    def run_once(self, now: float | None = None) -> float:
        """Start what is due.

        Args:
            now: seconds since 1970; None for the clock's.

        Returns:
            Seconds until it is to be called again.
        """
        now = time.time() if now is None else now
        self._reap()
        running = {name for name in self._tasks if self._is_running(name)}
        decision = decide(
            list(self._tasks.values()), self._memory, now, running, self._following, self._delay
        )
        changed = decision.memory.tasks != self._memory.tasks
        # Remembered before anything is started: whatever happens then, it is not started twice.
        self._memory = decision.memory
        if changed or abs(now - self._remembered) > _REMEMBER_EVERY:
            self._remember(now)
        for name in decision.start:
            self._resumed.pop(name, None)
            self._begin(name)
        wait = decision.wait
        for name in self._tasks.keys() - running - set(decision.start):
            wait = min(wait, self._resume(name))
        return wait if not self._running else min(wait, _RESUME_AFTER)

    @property
    def started(self) -> int:
        """Processes that were started from here and have not ended."""
        self._reap()
        return len(self._running)

    def close(self) -> None:
        """Stop what was started; it goes on when there is a scheduler again."""
        for process in self._running.values():
            if process.poll() is None:
                with suppress(OSError):
                    process.terminate()
        self._remember(time.time())
        self._lock.close()

    def _reap(self) -> None:
        for name, process in list(self._running.items()):
            if process.poll() is not None:
                del self._running[name]
                attempts = self._resumed.get(name, 0)
                wait = min(_MOST_RETRY_WAIT, _RESUME_AFTER * 4**attempts)
                self._resume_at[name] = time.monotonic() + wait

    def _is_running(self, name: str) -> bool:
        return name in self._running or is_locked(Files.of(self._state, name).lock)

    def _begin(self, name: str) -> None:
        try:
            self._running[name] = self._start(self._tasks[name])
        except OSError as error:
            self.trouble = f"task {name} could not be started: {error.strerror or error}"

    def _resume(self, name: str) -> float:
        """Go on with a task that was interrupted; not for ever with one that always is.

        Returns:
            Seconds until it is to be looked at again.
        """
        wait = self._resume_at.get(name, 0.0) - time.monotonic()
        if wait > 0:
            return wait
        files = Files.of(self._state, name)
        if read_progress(files).state is not State.INTERRUPTED:
            self._resumed.pop(name, None)
            self._resume_at[name] = time.monotonic() + _MOST_RETRY_WAIT
            return _MOST_RETRY_WAIT
        if self._resumed.get(name, 0) >= _MOST_RESUMPTIONS:
            self.trouble = f"task {name} was interrupted {_MOST_RESUMPTIONS} times in a row"
            self._resume_at[name] = time.monotonic() + _MOST_RETRY_WAIT
            return _MOST_RETRY_WAIT
        self._resumed[name] = self._resumed.get(name, 0) + 1
        self._begin(name)
        return _RESUME_AFTER

    def _remember(self, now: float) -> None:
        try:
            write_state(self._path, self._memory)
            self._remembered = now
        except SettingsError as error:
            self.trouble = str(error)


def read_memory(state: Path) -> Memory:
    """What a scheduler remembers.

    Args:
        state: folder of what survives restarts.
    """
    return read_state(state / FOLDER / MEMORY, Memory) or Memory()


def next_start(task: TaskSettings, memory: Memory, now: float) -> tuple[float, int]:
    """When a task is started next, and how many of its moments were missed since the last start.

    Args:
        task: as the settings have it.
        memory: what its scheduler remembers.
        now: seconds since 1970.

    Returns:
        The moment, 0 when it is started only when it is asked for; and the number.
    """
    planned = memory.tasks.get(task.name)
    if planned is not None and planned.times == task.at:
        return planned.start, planned.missed
    return following(task.at, now) or 0.0, 0  # not planned yet

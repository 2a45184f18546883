"""How it stands with every task, for lists and for `tocsin status`: read from their files."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tocsin.app.settings import state_folder
from tocsin.protect.schedule.plan import Memory
from tocsin.protect.schedule.progress import Files, Progress, State, read_progress
from tocsin.protect.schedule.scheduler import Scheduler, next_start, read_memory
from tocsin.settings import Settings, TaskSettings


class TaskRow(NamedTuple):
    """How it stands with one task.

    Attributes:
        name: of the task.
        kind: what it looks at.
        at: its times as the settings have them.
        last: when its last run ended, or began if it has not; 0 for never.
        next: when it is to be started; 0 only when it is asked for.
        missed: starts that were missed since the last.
        progress: how far it is, or how the last run ended.
    """

    name: str
    kind: str
    at: str
    last: float
    next: float
    missed: int
    progress: Progress

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        values = self._asdict()
        values["progress"] = msgspec.to_builtins(self.progress)
        values["state"] = self.progress.state.value
        return values


def task_rows(settings: Settings, now: float | None = None) -> list[TaskRow]:
    """Every task of the settings.

    Args:
        settings: the settings.
        now: seconds since 1970; None for now.
    """
    state = state_folder(settings)
    memory = read_memory(state)
    return [
        _row(task, state, memory, time.time() if now is None else now) for task in settings.task
    ]


def _row(task: TaskSettings, state: Path, memory: Memory, now: float) -> TaskRow:
    progress = read_progress(Files.of(state, task.name))
    due, missed = next_start(task, memory, now)
    last = progress.ended or progress.began
    return TaskRow(task.name, task.kind, task.at, last, due, missed, progress)


def is_active(progress: Progress) -> bool:
    """Whether a task is being run."""
    return progress.state in (State.RUNNING, State.PAUSED)


def make_scheduler(
    settings: Settings, config: Path | None, *, new_session: bool = True
) -> Scheduler:
    """A scheduler that starts tasks in processes of their own.

    Args:
        settings: the settings.
        config: the settings file, which those processes read too; None for the usual place.
        new_session: a terminal's signals do not reach them. In the daemon's own session the
            guard lets them open what they are to scan.

    Raises:
        SettingsError: another process schedules them already.
    """
    named = [] if config is None else ["--config", str(config)]

    def start(task: TaskSettings) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tocsin", *named, "task", "run", "--quiet", task.name]
        return subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=new_session,
        )

    return Scheduler(settings.task, state_folder(settings), start)

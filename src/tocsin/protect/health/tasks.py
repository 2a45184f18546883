"""How it stands with the tasks, from what their scheduler and their runs left on disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tocsin.protect.health.seen import Task
from tocsin.protect.schedule.progress import Files, Progress, State, read_progress
from tocsin.protect.schedule.scheduler import next_start, read_memory
from tocsin.settings import TaskSettings

_ENDED = (State.FINISHED, State.STOPPED, State.INTERRUPTED, State.FAILED)


def tasks_on_disk(state: Path, tasks: Iterable[TaskSettings], now: float) -> tuple[Task, ...]:
    """How it stands with each.

    Args:
        state: folder of what survives restarts.
        tasks: as the settings have them.
        now: seconds since 1970.
    """
    memory = read_memory(state)
    found = []
    for task in tasks:
        start, _missed = next_start(task, memory, now)
        found.append(task_of(task.name, read_progress(Files.of(state, task.name)), start))
    return tuple(found)


def task_of(name: str, progress: Progress, start: float) -> Task:
    """How it stands with one.

    Args:
        name: of the task.
        progress: of its run, or of its last.
        start: when it is started next; 0: only when it is asked for.
    """
    runs = progress.state in (State.RUNNING, State.PAUSED)
    ended = progress.state in _ENDED
    trouble = ""
    if progress.state is State.FAILED:
        trouble = f"failed: {progress.detail}" if progress.detail else "failed"
    elif progress.failed:
        trouble = f"{progress.failed:,} of what it found could not be dealt with"
    return Task(
        name,
        state=progress.state.value if runs else "waiting",
        last=(progress.ended or progress.updated) if ended else 0.0,
        next=start,
        found=progress.found if ended else None,
        outcome="" if progress.state is State.FINISHED else progress.state.value,
        trouble=trouble,
        waits_for=progress.detail if progress.state is State.PAUSED else "",
        files=progress.files,
    )

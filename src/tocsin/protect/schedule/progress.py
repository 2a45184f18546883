"""How far a task is, where it must go on, and whether it still runs: files in its own folder."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import msgspec

from tocsin.errors import SettingsError, UsageError
from tocsin.protect.processes import read_process
from tocsin.protect.schedule.files import is_locked, read_state

FOLDER = "tasks"


class State(StrEnum):
    """What a task is doing, or how its last run ended."""

    NEVER = "never run"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class Progress(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How far a run is, or how it ended.

    Attributes:
        state: what it is doing.
        detail: why it is paused, or failed.
        pid: the process that runs it.
        pid_start: when that was started, which tells it from others of its number.
        began: seconds since 1970.
        updated: seconds since 1970.
        ended: seconds since 1970; 0 while it runs.
        resumed: whether it went on where an earlier run stopped.
        part: what it is looking at: a file system, a folder, or a kind of place.
        path: where it is, undecodable bytes replaced.
        files: objects looked at, by earlier runs that it goes on from too.
        bytes: their bytes.
        unchanged: passed over because they were found clean before.
        found: those in which something was found.
        acted: those with which something was done.
        failed: those with which something should have been done.
        gaps: those that were not wholly looked at.
        remarkable: those of which something is remarkable.
        own: this program's own folders and files that were left out.
        database: identity of the database.
    """

    state: State = State.NEVER
    detail: str = ""
    pid: int = 0
    pid_start: int = 0
    began: float = 0.0
    updated: float = 0.0
    ended: float = 0.0
    resumed: bool = False
    part: str = ""
    path: str = ""
    files: int = 0
    bytes: int = 0
    unchanged: int = 0
    found: int = 0
    acted: int = 0
    failed: int = 0
    gaps: int = 0
    remarkable: int = 0
    own: int = 0
    database: str = ""


class Checkpoint(msgspec.Struct, kw_only=True):
    """Where a run that did not end must go on.

    Attributes:
        part: the part it was at.
        place: which of the paths that the part names.
        path: the last file of the walk before which everything was looked at; empty at the start.
        written: seconds since 1970.
        progress: how far it was.
    """

    part: str
    place: int
    path: bytes
    written: float
    progress: Progress


class Files(msgspec.Struct, frozen=True):
    """The files of one task.

    Attributes:
        folder: where they are.
    """

    folder: Path

    @classmethod
    def of(cls, state: Path, name: str) -> Files:
        """Those of a task.

        Args:
            state: folder of what survives restarts.
            name: of the task.
        """
        if not name or name.startswith(".") or "/" in name:
            raise UsageError(f"{name!r} is no name of a task")
        return cls(state / FOLDER / name)

    @property
    def lock(self) -> Path:
        """Held by the process that runs it."""
        return self.folder / "lock"

    @property
    def progress(self) -> Path:
        """How far it is."""
        return self.folder / "progress.json"

    @property
    def checkpoint(self) -> Path:
        """Where it must go on."""
        return self.folder / "checkpoint.json"


def read_progress(files: Files) -> Progress:
    """How far a task is; one whose process is gone without a word was interrupted."""
    progress = read_state(files.progress, Progress) or Progress()
    if progress.state in (State.RUNNING, State.PAUSED) and not is_locked(files.lock):
        progress.state = State.INTERRUPTED
        progress.detail = "its process ended without a word"
    return progress


def stop_task(files: Files, patience: float = 30.0) -> bool:
    """Have a running task stop; the next run goes on where it stopped.

    Args:
        files: the task's.
        patience: seconds to wait for its end.

    Returns:
        Whether it ran.

    Raises:
        SettingsError: it may not be stopped, or does not stop.
    """
    progress = read_progress(files)
    if progress.state not in (State.RUNNING, State.PAUSED):
        return False
    try:
        handle = os.pidfd_open(progress.pid)
    except OSError:
        return False
    try:
        if read_process(progress.pid).start != progress.pid_start:
            return False
        signal.pidfd_send_signal(handle, signal.SIGTERM)
    except ProcessLookupError:
        return True
    except PermissionError as error:
        raise SettingsError(
            "this task was started by another user: only root may stop it"
        ) from error
    finally:
        os.close(handle)
    deadline = time.monotonic() + patience
    while is_locked(files.lock):
        if time.monotonic() > deadline:
            raise SettingsError(f"process {progress.pid} was told to stop and has not yet")
        time.sleep(0.05)
    return True


class Tracker:
    """Which place of a walk everything before was looked at, though reports come in any order."""

    def __init__(self) -> None:
        self._order: deque[list[object]] = deque()
        self._waiting: dict[str, deque[list[object]]] = {}
        self._safe: tuple[int, str] | None = None

    def drawn(self, place: int, path: str) -> None:
        """The walk gave a path; `place` is which of the named paths it belongs to."""
        entry: list[object] = [place, path, False]
        self._order.append(entry)
        self._waiting.setdefault(path, deque()).append(entry)

    def done(self, path: str) -> None:
        """A path was reported on; others than those drawn are of no concern."""
        entries = self._waiting.get(path)
        if not entries:
            return
        entries.popleft()[2] = True
        if not entries:
            del self._waiting[path]
        while self._order and self._order[0][2]:
            place, safe, _ = self._order.popleft()
            assert isinstance(place, int)
            assert isinstance(safe, str)
            self._safe = place, safe

    @property
    def safe(self) -> tuple[int, str] | None:
        """The last path up to which everything was reported on, with its named path."""
        return self._safe


def shown(path: str) -> str:
    """A path as text that any file can hold."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def forget(path: Path) -> None:
    """Remove a file, if it is there."""
    with suppress(OSError):
        path.unlink()

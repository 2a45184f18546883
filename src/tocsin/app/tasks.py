"""Running a named task, in the process that calls: whole, or on from where the last run stopped.

One process runs a task at a time. Where it is stands in a checkpoint that is replaced whole:
whatever ends the process, the next run begins behind the last file before which everything was
looked at.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType

import msgspec

from tocsin.app.acting import Acting, write_events
from tocsin.app.device_index import database_sources, scan_options
from tocsin.app.own_files import own_files
from tocsin.app.own_processes import daemon_sessions
from tocsin.app.scan import Request, ScanRun
from tocsin.app.settings import quarantine_folder, state_folder
from tocsin.app.task_parts import MEMORY, QUARANTINE, START_UP, Part, parts_of
from tocsin.app.walk import WalkOptions
from tocsin.database.cache import open_database
from tocsin.database.index import Index
from tocsin.engine.report import Report, Verdict
from tocsin.errors import SettingsError, UsageError
from tocsin.protect.actions import Action
from tocsin.protect.journal.event import Event, Kind, Severity, found_in
from tocsin.protect.own_files import WHAT
from tocsin.protect.processes import read_process
from tocsin.protect.schedule.conditions import Conditions
from tocsin.protect.schedule.files import Lock, read_state, write_state
from tocsin.protect.schedule.priority import lower_priority
from tocsin.protect.schedule.progress import (
    Checkpoint,
    Files,
    Progress,
    State,
    Tracker,
    forget,
    shown,
)
from tocsin.settings import Settings, TaskSettings

CHECKPOINT_EVERY = 5.0
PROGRESS_EVERY = 1.0
TOO_OLD = 14 * 86400.0
"""Seconds after which a run that was not ended is begun anew."""

_MOST_TOLD = 1000


class TaskStopped(BaseException):
    """Somebody wants the task to stop; no reader or scan may swallow this."""


def task_named(settings: Settings, name: str) -> TaskSettings:
    """A task by its name.

    Raises:
        UsageError: the settings have none of that name.
    """
    for task in settings.task:
        if task.name == name:
            return task
    known = ", ".join(task.name for task in settings.task)
    raise UsageError(f"there is no task {name!r}; there are: {known or 'none in the settings'}")


class TaskRun:
    """One run of a task.

    Args:
        settings: the settings.
        task: which.
        state: folder of what survives restarts; None for that of the settings.

    Attributes:
        progress: how far it is.
        trouble: what did not go as it should, in words.
    """

    def __init__(self, settings: Settings, task: TaskSettings, state: Path | None = None) -> None:
        self._settings = settings
        self._task = task
        self._files = Files.of(state or state_folder(settings), task.name)
        self._origin = f"task:{task.name}"
        self._conditions = Conditions(
            pause_on_battery=task.pause_on_battery, pause_above_load=task.pause_above_load
        )
        self._stop = False
        self._part = Part("")
        self._tracker = Tracker()
        self._safe = (0, "")
        self._told: list[Event] = []
        self._checkpointed = self._shown = 0.0
        self.progress = Progress()
        self.trouble: list[str] = []

    def run(
        self,
        *,
        from_start: bool = False,
        heard: Callable[[Report], None] = lambda _: None,
        say: Callable[[str], None] = lambda _: None,
    ) -> Progress:
        """Run it, and return how it ended.

        Args:
            from_start: even if the last run did not end.
            heard: told of every report.
            say: told what is being done.

        Raises:
            UsageError: it runs already.
            TocsinError: it cannot be run.
        """
        with closing(Lock(self._files.lock)) as lock:
            if not lock.take():
                raise UsageError(f"task {self._task.name} runs already")
            self.trouble += lower_priority(self._task.nice, idle_io=self._task.idle_io)
            checkpoint = None if from_start else self._usable_checkpoint()
            self._begin(checkpoint)
            try:
                with self._stoppable():
                    self._work(checkpoint, heard, say)
            except TaskStopped:
                self._end(State.STOPPED, "the next run goes on from here")
            except BaseException as error:
                self._end(State.FAILED, str(error) or type(error).__name__)
                raise
            else:
                forget(self._files.checkpoint)
                self._end(State.FINISHED, "")
        return self.progress

    # --- the work -------------------------------------------------------------------------

    def _work(
        self,
        checkpoint: Checkpoint | None,
        heard: Callable[[Report], None],
        say: Callable[[str], None],
    ) -> None:
        parts = parts_of(self._task)
        names = [part.name for part in parts]
        first = names.index(checkpoint.part) if checkpoint and checkpoint.part in names else 0
        say("opening the database")
        database = open_database(
            database_sources(self._settings), lenient=self._settings.database.lenient
        )
        self.progress.database = database.identity
        acting = Acting(Action(self._task.action), self._settings, database.identity, self._origin)
        for number, part in enumerate(parts[first:], first):
            resumed = checkpoint if checkpoint and number == first else None
            after = (resumed.place, os.fsdecode(resumed.path)) if resumed else (0, "")
            self._enter(part, after)
            if part.name == QUARANTINE:
                self._reexamine(database)
            else:
                self._scan(part, database, acting, after, heard)
            self._tell()
        if acting.trouble:
            self.trouble.append(f"not journalled: {acting.trouble}")

    def _scan(
        self,
        part: Part,
        database: Index,
        acting: Acting,
        after: tuple[int, str],
        heard: Callable[[Report], None],
    ) -> None:
        task = self._task
        vault = os.path.abspath(quarantine_folder(self._settings))
        request = Request(
            paths=part.paths,
            options=scan_options(self._settings),
            walk=WalkOptions(
                exclude=(*self._settings.scan.exclude, *task.exclude),
                leave=part.leave | {vault},
                own=own_files(self._settings),
                own_named=True,
            ),
            jobs=task.jobs,
            incremental=task.incremental,
            memory=part.name == MEMORY,
            critical=part.name == START_UP,
            own_sessions=daemon_sessions(self._settings.daemon.api_socket),
            remember_files=True,
            after=after,
        )
        run = ScanRun(database, request, self)
        with closing(run.reports()) as reports:
            for report in reports:
                outcome = acting.after(report, run.seen)
                self._count(report)
                if outcome is not None and outcome.state != "reported":
                    self.progress.failed += outcome.failed
                    self.progress.acted += not outcome.failed
                self._tracker.done(report.path)
                heard(report)
                self._note(report.path)
        self.progress.own += run.walk.left_out.get(WHAT, 0)
        if run.trouble:
            self.trouble.append(run.trouble)

    def _reexamine(self, database: Index) -> None:
        from tocsin.app.apart import scanner_apart
        from tocsin.app.quarantine import Quarantine

        folder = quarantine_folder(self._settings)
        if not folder.exists():
            return
        # The process that parses is forked before the quarantine's key is in memory.
        options = scan_options(self._settings)
        with scanner_apart(database, options) as scan, Quarantine(self._settings) as quarantine:
            looked = quarantine.reexamine(scan, database.identity, again=False, restore=False)
            for one in looked:
                self._count(one.report)
                self._note(one.record.place)
                while not self.may_go_on():
                    time.sleep(PROGRESS_EVERY)
            if quarantine.trouble:
                self.trouble.append(f"not journalled: {quarantine.trouble}")

    # --- being watched --------------------------------------------------------------------

    def drawn(self, place: int, path: str) -> None:
        """The walk came to a path."""
        self._tracker.drawn(place, path)

    def may_go_on(self) -> bool:
        """Whether another object may be begun.

        Raises:
            TaskStopped: somebody wants this to stop.
        """
        if self._stop:
            raise TaskStopped
        goes_on = self._conditions.may_go_on()
        state = State.RUNNING if goes_on else State.PAUSED
        if state is not self.progress.state:
            self.progress.state, self.progress.detail = state, self._conditions.reason
            self._write_progress()
        return goes_on

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """SIGTERM and SIGINT stop this where a checkpoint can be written."""
        kept = {number: signal.signal(number, self._told_to_stop) for number in _STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)

    def _told_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop = True

    # --- what is written ------------------------------------------------------------------

    def _usable_checkpoint(self) -> Checkpoint | None:
        checkpoint = read_state(self._files.checkpoint, Checkpoint)
        if checkpoint is None or abs(time.time() - checkpoint.written) > TOO_OLD:
            return None
        return checkpoint

    def _begin(self, checkpoint: Checkpoint | None) -> None:
        self.progress = checkpoint.progress if checkpoint else Progress()
        now = time.time()
        self.progress.resumed = checkpoint is not None
        self.progress.state = State.RUNNING
        self.progress.detail = ""
        self.progress.pid = os.getpid()
        self.progress.pid_start = read_process(os.getpid()).start
        self.progress.began = now if checkpoint is None else self.progress.began
        self.progress.ended = 0.0
        self._write_progress(needed=True)
        word = "goes on" if checkpoint else "begins"
        self._journal(Severity.INFO, f"task {self._task.name} {word}", "started")

    def _enter(self, part: Part, after: tuple[int, str]) -> None:
        self._part = part
        self._tracker = Tracker()
        self._safe = after
        self.progress.part = part.name
        self._write_checkpoint()
        self._write_progress()

    def _count(self, report: Report) -> None:
        progress = self.progress
        progress.files += 1
        progress.bytes += report.size
        progress.unchanged += report.unchanged
        progress.found += report.verdict in (Verdict.INFECTED, Verdict.SUSPICIOUS)
        progress.gaps += report.verdict in (Verdict.INCOMPLETE, Verdict.ERROR)
        progress.remarkable += any(note.trait == "remarkable" for note in report.notes)
        if report.detections and len(self._told) < _MOST_TOLD:
            self._told.append(_found_event(report, self._origin, progress.database))

    def _note(self, path: str) -> None:
        """Write where it is, now and then."""
        now = time.monotonic()
        if now - self._shown >= PROGRESS_EVERY:
            self._shown = now
            self.progress.path = shown(path)
            self._write_progress()
        if now - self._checkpointed >= CHECKPOINT_EVERY:
            self._write_checkpoint()

    def _write_checkpoint(self) -> None:
        self._checkpointed = time.monotonic()
        self._safe = self._tracker.safe or self._safe
        place, path = self._safe
        checkpoint = Checkpoint(
            part=self._part.name,
            place=place,
            path=os.fsencode(path),
            written=time.time(),
            progress=self.progress,
        )
        self._try_to_write(self._files.checkpoint, checkpoint, durable=True)

    def _write_progress(self, *, needed: bool = False) -> None:
        self.progress.updated = time.time()
        if needed:
            write_state(self._files.progress, self.progress)
        else:
            self._try_to_write(self._files.progress, self.progress, durable=False)

    def _try_to_write(self, path: Path, value: msgspec.Struct, *, durable: bool) -> None:
        try:
            write_state(path, value, durable=durable)
        except SettingsError as error:
            if str(error) not in self.trouble:
                self.trouble.append(str(error))

    def _end(self, state: State, detail: str) -> None:
        progress = self.progress
        if state is not State.FINISHED and self._part.name:
            self._write_checkpoint()
        progress.state, progress.detail, progress.path = state, detail, ""
        progress.ended = time.time()
        self._write_progress()
        self._tell()
        severity = Severity.WARNING if progress.found or state is State.FAILED else Severity.INFO
        message = f"task {self._task.name} {state.value}: {_summary(progress)}"
        message += f" ({detail})" if detail else ""
        self._journal(severity, message, state.value)

    def _journal(self, severity: Severity, message: str, action: str) -> None:
        event = Event(
            kind=Kind.TASK,
            severity=severity,
            message=message,
            origin=self._origin,
            action=action,
            uid=os.getuid(),
            pid=os.getpid(),
            database=self.progress.database,
            details={"files": self.progress.files, "found": self.progress.found},
        )
        trouble = write_events(self._settings, [event])
        if trouble and f"not journalled: {trouble}" not in self.trouble:
            self.trouble.append(f"not journalled: {trouble}")

    def _tell(self) -> None:
        """Have the user's command run and mails sent, now that no worker is forked from here."""
        finding = self._settings.on_finding
        told, self._told = self._told, []
        if not told or not (finding.command or finding.mail_to):
            return
        from tocsin.protect.notify import Notifier

        failures: list[Event] = []
        account = self._settings.daemon.user
        with closing(Notifier(finding, failures.append, account)) as notifier:
            for event in told:
                notifier.found(event)
        if failures:
            write_events(self._settings, failures)


_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def exit_status(progress: Progress) -> int:
    """0 nothing found, 1 something found, 2 not everything looked at or done."""
    if progress.found:
        return 1
    if progress.gaps or progress.state is not State.FINISHED:
        return 2
    return 0


def _summary(progress: Progress) -> str:
    found = f"{progress.found:,} found" if progress.found else "nothing found"
    own = f", {WHAT} left out: {progress.own:,}" if progress.own else ""
    return f"{progress.files:,} files, {found}{own}"


def _found_event(report: Report, origin: str, database: str) -> Event:
    names = tuple(dict.fromkeys(detection.name for detection in report.detections))
    return Event(
        kind=Kind.DETECTION,
        severity=Severity.ALARM if report.verdict is Verdict.INFECTED else Severity.WARNING,
        message=found_in(names, report.path),
        origin=origin,
        path=report.path,
        object=report.detections[0].object,
        signatures=names,
        verdict=report.verdict.value,
        sha256=report.sha256,
        size=report.size,
        database=database,
    )

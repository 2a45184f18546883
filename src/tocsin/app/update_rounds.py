"""Has the daemon update this device at its moments: each round is a process of its own.

The keeper calls this, which has the rights that the daemon was started with; the process gives
up what it does not need (`update_task`). Nothing of an update runs in a process of the daemon.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from tocsin.app.installed import installed_database, sources_folder
from tocsin.app.places import config_dir
from tocsin.app.settings import state_folder
from tocsin.errors import SettingsError
from tocsin.protect.schedule.files import read_state, write_state
from tocsin.protect.schedule.progress import FOLDER
from tocsin.protect.schedule.rounds import Round, after_round, planned
from tocsin.settings import Settings

FILE = "updates.json"
WAITS = 3
"""Exit status of a round whose new publisher waits for the user's consent."""

_LONGEST = 6 * 3600.0
"""Seconds after which a round that has not ended is ended."""

_LOOK = 60.0
_LOOK_RUNNING = 1.0


class Running(Protocol):
    """A process; `subprocess.Popen` is one."""

    def poll(self) -> int | None:
        """Its exit status, None while it runs."""
        ...

    def terminate(self) -> None:
        """Have it stop."""
        ...


def is_trusted(settings: Settings) -> bool:
    """Whether somebody said whose updates are believed; without that there are none."""
    folder = Path(settings.updates.trust or config_dir() / "trust")
    return (folder / "root.json").is_file()


def has_sources(settings: Settings) -> bool:
    """Whether this device takes, or is to take, what others publish beside the signed database."""
    if settings.updates.sources:
        return True
    with suppress(OSError), os.scandir(sources_folder(settings)) as found:
        return any(each.is_dir() for each in found)
    return False


def read_round(settings: Settings) -> Round | None:
    """What is remembered of the rounds; None when there was none yet."""
    return read_state(state_folder(settings) / FOLDER / FILE, Round)


class UpdateRounds:
    """The rounds of one daemon.

    Args:
        settings: the settings.
        start: starts a round.
        changed: told when other signatures are in use than before.

    Attributes:
        trouble: why no round could be started or remembered; or empty.
    """

    def __init__(
        self,
        settings: Settings,
        start: Callable[[], Running],
        changed: Callable[[], None],
    ) -> None:
        self.trouble = ""
        self._settings = settings
        self._start = start
        self._changed = changed
        self._file = state_folder(settings) / FOLDER / FILE
        self._round = read_round(settings) or Round(seed=secrets.token_hex(16))
        self._running: Running | None = None
        self._until = 0.0
        self._before: list[object] = []

    def run_once(self, now: float | None = None) -> float:
        """Begin a round if one is due, and hear of one that has ended.

        Args:
            now: seconds since 1970; None for the clock's.

        Returns:
            Seconds until this is to be called again.
        """
        now = time.time() if now is None else now
        every = self._settings.updates.every
        if self._running is not None:
            return self._look_after(self._running, every, now)
        if not every or not (is_trusted(self._settings) or has_sources(self._settings)):
            return _LOOK
        self._keep(planned(self._round, every, now))
        if self._round.next > now:
            return min(_LOOK, self._round.next - now)
        self._begin(every, now)
        return _LOOK_RUNNING

    def close(self) -> None:
        """End a round that runs; what it has fetched so far is used by the next."""
        if self._running is not None and self._running.poll() is None:
            with suppress(OSError):
                self._running.terminate()

    def _begin(self, every: float, now: float) -> None:
        # Remembered before it is begun: whatever happens then, mirrors are not asked for ever.
        begun = after_round(self._round, every, now, failed=True)
        self._keep(msgspec.structs.replace(begun, began=now, failures=self._round.failures))
        self._before = _in_use(self._settings)
        try:
            self._running = self._start()
            self._until = time.monotonic() + _LONGEST
        except OSError as error:
            self.trouble = f"no update could be started: {error.strerror or error}"

    def _look_after(self, running: Running, every: float, now: float) -> float:
        status = running.poll()
        if status is None:
            if time.monotonic() > self._until:
                with suppress(OSError):
                    running.terminate()
            return _LOOK_RUNNING
        self._running = None
        failed = status not in (0, WAITS)
        if every:
            self._keep(after_round(self._round, every, now, failed=failed))
        if _in_use(self._settings) != self._before:
            self._changed()
        return _LOOK_RUNNING

    def _keep(self, known: Round) -> None:
        if known == self._round and self._file.exists():
            return
        self._round = known
        try:
            write_state(self._file, known)
            self.trouble = ""
        except SettingsError as error:
            self.trouble = str(error)


def starter(config: Path | None) -> Callable[[], subprocess.Popen[bytes]]:
    """What starts a round, in the session of who calls it.

    Args:
        config: the settings file, None for the usual place.
    """
    named = [] if config is None else ["--config", str(config)]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "tocsin", *named, "update", "background", "--quiet"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    return start


def _in_use(settings: Settings) -> list[object]:
    """What tells the signatures in use from others."""
    found: list[object] = []
    for place in installed_database(settings):
        with suppress(OSError):
            status = os.stat(place)
            found.append((str(place), status.st_dev, status.st_ino, status.st_mtime_ns))
    return found

"""The user's own command for a finding, in the way of clamd's `VirusEvent` but without a shell."""

from __future__ import annotations

import os
import pwd
import queue
import re
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from tocsin.protect.journal.content import to_bytes
from tocsin.protect.journal.event import Event
from tocsin.protect.journal.forward_text import clean
from tocsin.settings import FindingSettings

AT_ONCE = 4
MOST_WAITING = 1000
_GRACE_SECONDS = 2.0
_MOST_SAID = 2048
_PLACE = re.compile(r"%([vf%])")
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "HOME")
_REPORT_SECONDS = 60.0
_TOO_FAST = "they come faster than it ends"

Failed = Callable[[str, Event | None], None]
"""Is told what went wrong, and about which finding."""


def arguments(command: tuple[str, ...], event: Event) -> list[bytes]:
    """The command's arguments with `%v` and `%f` in their places, each in one go.

    A signature's name begins no argument with a dash, so that it cannot become an option.
    """
    name = signature_text(event)
    if name.startswith("-"):
        name = "_" + name[1:]
    values = {"v": to_bytes(name), "f": to_bytes(event.path), "%": b"%"}

    def filled(argument: str) -> bytes:
        parts = _PLACE.split(argument)
        held = [values[part] if n % 2 else to_bytes(part) for n, part in enumerate(parts)]
        return b"".join(held).replace(b"\0", b"")

    return [to_bytes(command[0]), *map(filled, command[1:])]


class Identity(NamedTuple):
    """Whom a command becomes.

    Attributes:
        uid: the user.
        gid: the group, the only one.
        home: the user's home.
    """

    uid: int
    gid: int
    home: str


def environment(event: Event, home: str = "") -> dict[bytes, bytes]:
    """The environment of the command: little of the daemon's own, and what was found.

    Args:
        event: what was found.
        home: of whom the command becomes; empty where it stays who runs it.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    if home:
        kept["HOME"] = home
    kept.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    stated = {
        **kept,
        "TOCSIN_PATH": event.path,
        "TOCSIN_SIGNATURE": signature_text(event),
        "TOCSIN_VERDICT": event.verdict,
        "TOCSIN_ACTION": event.action,
        "TOCSIN_SHA256": event.sha256,
        "CLAM_VIRUSEVENT_FILENAME": event.path,
        "CLAM_VIRUSEVENT_VIRUSNAME": signature_text(event),
    }
    return {name.encode(): to_bytes(value).replace(b"\0", b"") for name, value in stated.items()}


def signature_text(event: Event) -> str:
    """The first name, on one line."""
    return clean(event.signatures[0]) if event.signatures else ""


class CommandRunner:
    """Runs the command for each finding, a few at a time, and never with root's rights.

    Args:
        settings: the command and its time limit.
        failed: is told what went wrong.
        account: whom the command becomes when root runs it; where there is no such account, it
            is not run.
    """

    def __init__(self, settings: FindingSettings, failed: Failed, account: str) -> None:
        self._identity: Identity | None = None
        self._why = _TOO_FAST
        self._refused = False
        if os.geteuid() == 0:
            try:
                entry = pwd.getpwnam(account)
                self._identity = Identity(entry.pw_uid, entry.pw_gid, entry.pw_dir)
            except KeyError:
                self._refused = True
                self._why = (
                    f"it is not run as root, and there is no account {account!r} to run it as; "
                    "name one in [daemon] user"
                )
        self._command = settings.command
        self._seconds = settings.command_timeout
        self._failed = failed
        self._queue: queue.Queue[Event | None] = queue.Queue(MOST_WAITING)
        self._stop = threading.Event()
        self._dropped = 0
        self._dropped_said = float("-inf")
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._serve, name="on_finding", daemon=True)
            for _ in range(AT_ONCE)
        ]
        for thread in self._threads:
            thread.start()

    def add(self, event: Event) -> None:
        """Run the command for a finding when it is its turn."""
        if not self._refused:
            with suppress(queue.Full):
                self._queue.put_nowait(event)
                return
        with self._lock:
            self._dropped += 1
        self._say_dropped()

    def close(self, seconds: float) -> None:
        """Let what waits be done, for so long; then end what still runs."""
        end = time.monotonic() + seconds
        for _ in self._threads:
            with suppress(queue.Full):
                self._queue.put(None, timeout=max(0.0, end - time.monotonic()))
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        self._stop.set()
        for thread in self._threads:
            thread.join(_GRACE_SECONDS * 2)
        left = sum(1 for event in self._left() if event is not None)
        if left:
            self._failed(f"the command was not run for {left:,} findings: the end came first", None)
        self._say_dropped(now=True)

    def _left(self) -> list[Event | None]:
        left = []
        with suppress(queue.Empty):
            while True:
                left.append(self._queue.get_nowait())
        return left

    def _say_dropped(self, *, now: bool = False) -> None:
        """Report what was passed over, not more often than each minute."""
        with self._lock:
            moment = time.monotonic()
            if not self._dropped or (moment - self._dropped_said < _REPORT_SECONDS and not now):
                return
            count, self._dropped, self._dropped_said = self._dropped, 0, moment
        findings = f"{count:,} finding" + ("s" if count > 1 else "")
        self._failed(f"the command was not run for {findings}: {self._why}", None)

    def _serve(self) -> None:
        while not self._stop.is_set():
            event = self._queue.get()
            if event is None or self._stop.is_set():
                return
            wrong = self._run(event)
            if wrong:
                self._failed(f"{self._command[0]}: {wrong}", event)

    def _run(self, event: Event) -> str:
        """Run the command to its end; what went wrong, or an empty string."""
        become = self._identity
        try:
            process = subprocess.Popen(  # noqa: S603  the user's own, and no shell
                arguments(self._command, event),
                env=environment(event, become.home if become is not None else ""),
                user=become.uid if become is not None else None,
                group=become.gid if become is not None else None,
                extra_groups=[become.gid] if become is not None else None,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd="/",
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return str(getattr(error, "strerror", None) or error)
        said = self._watch(process)
        if said is None:
            _end_group(process)
            ended = "when the daemon ended" if self._stop.is_set() else f"{self._seconds:g} s"
            return f"did not end within {ended} and was ended"
        status = process.wait()
        if status == 0:
            return ""
        how = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
        return f"{how}: {clean(said)}" if said else how

    def _watch(self, process: subprocess.Popen[bytes]) -> str | None:
        """Wait for the end; the beginning of what it said, or None when it takes too long."""
        assert process.stderr is not None
        end = time.monotonic() + self._seconds
        said = bytearray()
        with process.stderr as pipe, selectors.DefaultSelector() as selector:
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ)
            open_ = True
            while process.poll() is None:
                if time.monotonic() > end or self._stop.is_set():
                    return None
                if not open_:
                    time.sleep(0.02)
                elif selector.select(0.05):
                    chunk = pipe.read(65536)
                    if chunk:
                        said += chunk[: _MOST_SAID - len(said)]
                    elif chunk is not None:
                        open_ = False
                        selector.unregister(pipe)
            with suppress(OSError):
                said += (pipe.read(_MOST_SAID) or b"")[: _MOST_SAID - len(said)]
        return said.decode("utf-8", "replace").strip()


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it started and that did not leave its session."""
    # Its number is not given to anybody else before it is waited for, which comes last.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
        end = time.monotonic() + _GRACE_SECONDS
        while not _ended(process.pid) and time.monotonic() < end:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)


def _ended(pid: int) -> bool:
    """Whether a child has ended; it stays to be waited for."""
    try:
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return found is not None

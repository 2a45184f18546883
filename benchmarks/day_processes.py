"""The processes of a day: commands that run, servers that are awaited, counted wires."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

TOCSIN = [sys.executable, "-m", "tocsin"]
PEER = "aics-witness==0.1.0"
PASSPHRASE = "a day's passphrase"
_PATIENCE = 60.0
_REQUEST = re.compile(rb"(?:GET|POST|HEAD) /")


class DayFailed(Exception):
    """Something did not go as it has to; the message says what."""


class Counted(NamedTuple):
    """What went over a wire: bytes in both directions with HTTP's headers, and requests."""

    bytes: int = 0
    requests: int = 0

    def __sub__(self, other: Counted) -> Counted:  # type: ignore[override]
        return Counted(self.bytes - other.bytes, self.requests - other.requests)


class Wire:
    """Passes on what goes between clients and one server on this machine, and counts it.

    Args:
        port: the server's.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._bytes = self._requests = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where clients come."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def counted(self) -> Counted:
        """What went over it so far."""
        with self._lock:
            return Counted(self._bytes, self._requests)

    def close(self) -> None:
        """Let nobody in any more."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._port), 10)
        except OSError:
            client.close()
            return
        open_ends = {client: server, server: client}
        with client, server, suppress(OSError):
            while open_ends:
                for end in select.select(list(open_ends), [], [])[0]:
                    chunk = end.recv(1 << 16)
                    # A request begins a packet: nobody sends a second before the first's answer.
                    begins = end is client and _REQUEST.match(chunk) is not None
                    with self._lock:
                        self._bytes += len(chunk)
                        self._requests += begins
                    if chunk:
                        open_ends[end].sendall(chunk)
                    else:
                        open_ends.pop(end).shutdown(socket.SHUT_WR)


class Place:
    """One machine of the day: its own folders, and commands run there.

    Args:
        folder: for everything it keeps.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "TOCSIN_CONFIG_DIR": str(folder / "config"),
            "TOCSIN_STATE_DIR": str(folder / "state"),
            "TOCSIN_CACHE_DIR": str(folder / "cache"),
            "TOCSIN_PASSPHRASE": PASSPHRASE,
        }
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, *words: object, status: Sequence[int] = (0,)) -> tuple[int, str, str]:
        """Run tocsin; exit status, output and what it said besides.

        Raises:
            DayFailed: it ended with a status that is none of those.
        """
        done = subprocess.run(
            [*TOCSIN, *map(str, words)],
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=self.folder,
            timeout=600,
        )
        if done.returncode not in status:
            said = f"{done.stdout}{done.stderr}".strip()
            raise DayFailed(f"{' '.join(map(str, words))}: status {done.returncode}: {said}")
        return done.returncode, done.stdout, done.stderr

    def values(self, *words: object, status: Sequence[int] = (0,)) -> dict[str, Any]:
        """What a command prints with --json."""
        output = self.run(*words, "--json", status=status)[1]
        return dict(json.loads(output)) if output.strip() else {}


class Server:
    """A process that serves, awaited until it says where.

    Args:
        command: to run.
        place: whose folders and environment it has.
        says: finds its port in a line that it prints.
    """

    def __init__(self, command: Sequence[object], place: Place, says: str) -> None:
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=place.environment,
            cwd=place.folder,
        )
        assert self.process.stdout is not None
        said, end = b"", time.monotonic() + _PATIENCE
        while not (found := re.search(says, said.decode(errors="replace"))):
            ready, _, _ = select.select([self.process.stdout], [], [], end - time.monotonic())
            chunk = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not chunk:
                self.stop()
                raise DayFailed(f"{command[0]} does not serve: {said.decode(errors='replace')}")
            said += chunk
        self.port = int(found[1])
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        assert self.process.stdout is not None
        with suppress(OSError, ValueError):
            while os.read(self.process.stdout.fileno(), 65536):
                pass

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def independent_witness(named: Path | None) -> Path | None:
    """The program of the independent witness; None where it cannot be had.

    Args:
        named: the program, where somebody has it; else it is installed, in an environment of its
            own under the user's cache, for which it needs Python 3.12 or newer.
    """
    if named is not None:
        return named.absolute() if named.exists() else None
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "tocsin-bench" / PEER
    program = folder / "bin" / "aics-witness"
    if program.exists():
        return program
    python = _newer_python()
    if python is None:
        return None
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", PEER]
    for command in ([python, "-m", "venv", "--clear", str(folder)], pip):
        done = subprocess.run(command, capture_output=True, timeout=300)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            return None
    return program if program.exists() else None


def _newer_python() -> str | None:
    if sys.version_info >= (3, 12):
        return sys.executable
    for minor in (12, 13, 14):
        kept = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python"))
        for python in [*filter(None, [shutil.which(f"python3.{minor}")]), *map(str, kept)]:
            probe = [python, "-c", "import venv"]
            if subprocess.run(probe, capture_output=True).returncode == 0:
                return python
    return None

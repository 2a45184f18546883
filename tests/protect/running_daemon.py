"""A real daemon for a test: started, waited for, ended."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tocsin.app.unix_socket import connect_unix

TOCSIN = [sys.executable, "-m", "tocsin.cli.main"]
MARKER = b"a test marker 123 of nothing"
SIGNATURES = """Test.Marker:0:*:74657374206d61726b657220313233
Test.Second:0:*:6d61726b657220313233
"""


def eicar() -> bytes:
    """The field's harmless test file, put together here."""
    parts = ("X5O!P%@AP[4", "PZX54(P^)7CC)7}$", "EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!$H+H*")
    return (parts[0] + chr(92) + "".join(parts[1:])).encode()


def piece(data: bytes) -> bytes:
    """A piece of an INSTREAM."""
    return struct.pack(">I", len(data)) + data


class RunningDaemon:
    """A daemon in a folder of its own, which others may enter."""

    def __init__(self, folder: Path, settings: str = "", **sections: dict[str, Any]) -> None:
        self.folder = folder
        self.socket = str(folder / "clamd.sock")
        self.api = str(folder / "api.sock")
        self.config = folder / "tocsin.toml"
        self.state = folder / "state"
        self.log = folder / "log"
        database = folder / "db"
        database.mkdir(exist_ok=True)
        if not any(database.iterdir()):
            (database / "small.ndb").write_text(SIGNATURES)
        stated: dict[str, dict[str, Any]] = {
            "database": {"sources": [str(database)], "check_every": 0.0},
            "daemon": {
                "socket": self.socket,
                "api_socket": self.api,
                "state": str(self.state),
                "user": "nobody",
                "admin_group": "",
            },
        }
        for name, values in sections.items():
            stated.setdefault(name, {}).update(values)
        if stated["database"]["sources"] == [str(database)]:
            # Making the index of tocsin's own takes longer than most tests; those that want
            # them state it.
            stated["database"].setdefault("with_default", False)
        self.config.write_text(_toml(stated) + settings)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> RunningDaemon:
        environment = {
            **os.environ,
            "TOCSIN_CACHE_DIR": str(self.folder / "cache"),
            "TOCSIN_CONFIG_DIR": str(self.folder / "config"),
            "TOCSIN_STATE_DIR": str(self.state),
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*TOCSIN, "--config", str(self.config), "daemon"],
                stdout=log,
                stderr=log,
                env=environment,
                cwd="/",
                start_new_session=True,
            )
        if wait:
            self.wait_until(lambda: self.status().get("ready"), 60)
        return self

    def stop(self, number: int = signal.SIGTERM, patience: float = 30) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(patience)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_until(self, holds: Any, patience: float = 60) -> Any:
        """Wait until something holds, and give it."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode}: {self.said()}")
            with contextlib.suppress(OSError, ValueError):
                if found := holds():
                    return found
            time.sleep(0.02)
        raise AssertionError(f"not within {patience} s; it said: {self.said()}")

    def connect(self, timeout: float = 30) -> socket.socket:
        return connect_unix(self.socket, timeout)

    def ask(self, *parts: bytes) -> bytes:
        """Send something, and hear until the daemon closes."""
        with self.connect() as end:
            for part in parts:
                end.sendall(part)
            return hear(end)

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Ask the JSON API."""
        data = b"" if body is None else json.dumps(body).encode()
        with connect_unix(self.api, 30) as end:
            head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            end.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
            answer = hear(end)
        head_bytes, _, rest = answer.partition(b"\r\n\r\n")
        if b"chunked" in head_bytes:
            rest = _unchunked(rest)
        return int(head_bytes.split()[1]), rest

    def status(self) -> dict[str, Any]:
        code, body = self.request("GET", "/v1/status")
        assert code == 200, body
        return dict(json.loads(body))

    def events(self, **wanted: Any) -> list[dict[str, Any]]:
        code, body = self.request("GET", "/v1/events?limit=1000")
        assert code == 200, body
        found = json.loads(body)["events"]
        return [e for e in found if all(e.get(key) == value for key, value in wanted.items())]


def hear(end: socket.socket) -> bytes:
    """Everything until the other end closes."""
    found = b""
    while chunk := end.recv(65536):
        found += chunk
    return found


@contextlib.contextmanager
def daemon_folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-daemon-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running_daemon(settings: str = "", **sections: dict[str, Any]) -> Iterator[RunningDaemon]:
    """A daemon that runs."""
    with daemon_folder() as folder:
        daemon = RunningDaemon(folder, settings, **sections)
        try:
            yield daemon.start()
        finally:
            if daemon.process is not None:
                daemon.stop()


def _toml(stated: dict[str, dict[str, Any]]) -> str:
    lines = []
    for name, values in stated.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _unchunked(data: bytes) -> bytes:
    found = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            break
        found, data = found + data[:length], data[length + 2 :]
    return found

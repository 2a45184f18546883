"""The guard on the system's own folders while the daemon starts, and under what hurts it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from protect.guard_machine import Machine, alive, eicar, mounted, needs_fanotify
from tocsin.protect.guard import guard
from tocsin.settings import GuardSettings

pytestmark = needs_fanotify

_SETTINGS = """\
[daemon]
socket = "{folder}/clamd.sock"
api_socket = "{folder}/api.sock"
user = "nobody"
state = "{folder}/state"

[guard]
enabled = true
folders = ["/usr", "/etc"]
fallback = "deny"
deadline = 20
removable = false
"""


@pytest.fixture
def hidden() -> Iterator[Path]:
    """A folder beneath `/usr`."""
    place = Path(tempfile.mkdtemp(prefix="tocsin-test-", dir="/usr/local"))
    try:
        yield place
    finally:
        shutil.rmtree(place)


def test_the_daemon_starts_while_the_system_is_guarded(hidden: Path, tmp_path: Path) -> None:
    (hidden / "bad").write_bytes(eicar())
    (hidden / "good").write_bytes(b"good")
    tmp_path.chmod(0o755)
    file = tmp_path / "tocsin.toml"
    file.write_text(_SETTINGS.format(folder=tmp_path))
    environment = {**os.environ, "TOCSIN_CACHE_DIR": str(tmp_path / "cache")}
    tocsin = Path(sys.executable).with_name("tocsin")
    daemon = subprocess.Popen(
        [tocsin, "--config", file, "daemon"], env=environment, start_new_session=True
    )
    watchdog = threading.Timer(45, daemon.kill)  # its children end with it, everybody is let go
    watchdog.start()
    try:
        failed = 0
        refused = False
        end = time.monotonic() + 30
        while time.monotonic() < end and not (refused and _answers(tmp_path / "clamd.sock")):
            done = subprocess.run(
                ["sh", "-c", "cat /etc/passwd /etc/hosts >/dev/null && ls /usr/bin >/dev/null"],
                capture_output=True,
                check=False,
            )
            failed += done.returncode != 0
            try:
                (hidden / "bad").read_bytes()
            except PermissionError:
                refused = True
            else:
                assert not refused, "it was guarded, and is no more"
            (hidden / "good").read_bytes()
        assert daemon.poll() is None
        assert refused
        assert _answers(tmp_path / "clamd.sock")
        assert not failed
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(20) == 0
        assert (hidden / "bad").read_bytes() == eicar()
    finally:
        watchdog.cancel()
        daemon.kill()
        daemon.wait()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, suppress(OSError):
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(b"PING\n")
        return client.recv(16) == b"PONG\n"
    return False


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
def test_it_opens_nothing_that_could_be_guarded(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk") as disk:
        folder = disk / "guarded"
        folder.mkdir()
        (folder / "bad").write_bytes(eicar())
        chosen = GuardSettings(
            enabled=True,
            folders=(str(folder), "/nowhere"),
            exclude_paths=("*.none",),
            exclude_processes=("/bin/cat",),
            exclude_users=("nobody",),
            on_infected="quarantine",
            fallback="deny",
        )
        with Machine(chosen) as machine:
            trace = tmp_path / "trace"
            strace = subprocess.Popen(
                ["strace", "-f", "-p", str(machine.guard), "-o", trace, "-e", "trace=%file"]
            )
            while not re.search(r"TracerPid:\t[1-9]", _status(machine.guard)):
                time.sleep(0.01)
            machine.start_host()
            for _ in range(2):
                with pytest.raises(PermissionError):
                    (folder / "bad").read_bytes()
            subprocess.run(["unshare", "-m", "head", folder / "bad"], capture_output=True)
            with mounted(folder / "more") as more:
                (more / "bad").write_bytes(eicar())
                machine.until(lambda: _refuses(more / "bad"))
            machine.until(lambda: bool(machine.findings))
            machine.hold()
            machine.start_host()
            with pytest.raises(PermissionError):
                (folder / "bad").read_bytes()
            machine.listen(2.2)
            machine.stop_guard()
            strace.wait(10)
        opened = re.findall(r'open(?:at2?)?\((?:[^,"]+, )?"([^"]*)", ([A-Z_|]+)', trace.read_text())
        assert any(path.startswith("/proc/") for path, _ in opened)
        others = [
            (path, flags)
            for path, flags in opened
            if not path.startswith(("/proc/", "/sys/")) and "O_DIRECTORY" not in flags
        ]
        assert others == []


def _status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()


def _refuses(path: Path) -> bool:
    try:
        path.read_bytes()
    except PermissionError:
        return True
    return False


def test_a_guard_that_hangs_ends_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "HANGS_AFTER", 2.0)
    with mounted(tmp_path / "disk") as disk:
        (disk / "file").write_bytes(b"anything")
        with Machine(GuardSettings(enabled=True, folders=(str(disk),), fallback="deny")) as machine:
            os.kill(machine.guard, signal.SIGSTOP)
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit((disk / "file").read_bytes)
                time.sleep(0.3)
                assert not waiting.done()
                machine.listen(2.5)
                os.kill(machine.guard, signal.SIGCONT)
                assert waiting.result(10) == b"anything"
            machine.until(lambda: not alive(machine.guard))
